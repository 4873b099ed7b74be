"""A network as a package of bioimage.io: a zip that Fiji (deepImageJ) and others run without amsunet.

The description is JSON, which YAML is a superset of, and the zip is written here: the library of the format is not
needed. It validates what was written in an environment of its own, see docs/ship.md.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amsunet.atomic_io import atomic_write, check_writable
from amsunet.data.images import Array, read_image
from amsunet.data.normalization import with_channels
from amsunet.data.overlay import draw_outlines, fit, viewable
from amsunet.deployment.parity import find_images
from amsunet.deployment.resource_description import Package, apply_steps, normalization_steps
from amsunet.deployment.standalone_onnx import IMAGE, PROBABILITY, smallest_side, write_standalone
from amsunet.deployment.web import network_of
from amsunet.errors import InputError, brief
from amsunet.inference.model_metadata import ModelDescription, read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.optional import require
from amsunet.wording import setting

_SIDE = 256
"""Pixels of the cover, and of the middle of an image that the package holds; of a whole view it holds all."""


@dataclass(frozen=True)
class BioimageExport:
    """A package of bioimage.io."""

    path: Path
    bytes: int


def export_bioimage(
    model: str | Path | ModelRef,
    data: str | Path | None = None,
    *,
    author: str | Sequence[str] = (),
    licence: str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    model_file: str | None = None,
) -> BioimageExport:
    """Write a network as a package of bioimage.io, which other programs run: an image in, probabilities out.

    The package holds the network as ONNX, with what is done at other sizes inside, its description, an image to test it
    by with what comes out, a cover and a text. Threshold and smallest object are in the text, for the format has no
    place for them.

    Args:
        model: A run folder, a model file, or the name of a network of the zoo.
        data: As for ``export``: the image that the package is tested by is one of them.
        author: Who made the network, one name or several; not needed of a network of the zoo.
        licence: Of the weights, by its name in the SPDX list, as ``CC-BY-4.0``; none is named when left out, but for
            free networks of the zoo.
        out: The file, which ends in ``.zip``; when left out, it lies in the ``export`` of the run, or beside the file.
        overwrite: Replace a file that is there. In a run's own ``export/`` that needs no word.
        model_file: ``FILE.py:FUNCTION``, if the model was trained with a network that is not amsunet's.

    Returns:
        The package.

    Raises:
        InputError: If the format cannot say how the network wants images, nobody is named as its author, the model or
            the data cannot be used, or something is at ``out``.

    Example:
        >>> import amsunet
        >>> amsunet.export_bioimage("runs/nuclei", author="A. Researcher").path.name
        'bioimage.zip'
    """
    model = ModelRef.resolve(model)
    target = Path(out) if out is not None else _usual_path(model)
    if target.suffix != ".zip":
        raise InputError(f"{target} must end in .zip for bioimage")
    check_writable(target)
    if target.exists() and not overwrite and (out is not None or not model.path.is_dir()):
        raise InputError(
            f"{target} is there already: choose another {setting('out')}, or set {setting(overwrite=True)}"
        )
    description = read_description(model.weights)
    if description is None:
        raise InputError(f"{model.weights} is missing: copy it again, or train again")
    dtype, steps = normalization_steps(description.preprocessing, str(model))
    authors = _checked_authors(author, model)
    licence = _checked_licence(licence, model)
    require("onnx")
    require("onnxruntime")
    exported = network_of(model, data, model_file=model_file).path
    image = _test_image(model, description, data, dtype)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.onnx"
        opset = write_standalone(exported, description.preprocessing, weights)
        tested = _as_tensor(image)
        files = {"weights.onnx": weights.read_bytes(), "test_input.npy": _npy(tested)}
        probability = _run(weights, apply_steps(tested, steps))
    files["test_output.npy"] = _npy(probability)
    files["cover.png"] = _cover(image, probability[0], description)
    package = Package(model, description, authors, licence, dtype, steps)
    files["README.md"] = package.write_readme().encode()
    files["rdf.yaml"] = json.dumps(package.describe(files, opset), indent=1).encode()
    content = _zipped(files)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    return BioimageExport(target, len(content))


def _checked_authors(author: str | Sequence[str], model: ModelRef) -> list[str]:
    authors = [author] if isinstance(author, str) else list(author)
    if wrong := next((name for name in authors if not name.strip() or {"/", "\\"} & set(name)), None):
        raise InputError(
            f"{setting('author')}: {brief(repr(wrong))} is no name that bioimage.io takes: leave out slashes"
        )
    if not authors and model.card is None:
        raise InputError(f"a package of bioimage.io names who made the network: set {setting('author')}")
    return authors or ["The amsunet maintainers"]


def _checked_licence(licence: str | None, model: ModelRef) -> str | None:
    if licence is None:
        return "Apache-2.0" if model.card is not None and not model.card.research_only else None
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", licence):
        raise InputError(
            f"{setting('licence')}: {brief(repr(licence))} is no name of the SPDX list, as CC-BY-4.0: write one, or "
            "leave it out"
        )
    return licence


def _usual_path(model: ModelRef) -> Path:
    return model.home / "export" / "bioimage.zip" if model.path.is_dir() else model.home / f"{model.name}-bioimage.zip"


def _test_image(model: ModelRef, description: ModelDescription, data: str | Path | None, dtype: str) -> Array:
    """An image that the network was not trained on, with the channels that it takes."""
    images, known = find_images(model, description, data), description.preprocessing
    for sample in images.validation:
        image = read_image(sample.image)
        if str(image.dtype) != dtype or min(image.shape[:2]) < smallest_side(known):
            continue
        if known.image_scale == "factor":
            top, left = (max(0, (side - _SIDE) // 2) for side in image.shape[:2])
            image = image[top : top + _SIDE, left : left + _SIDE]
        return with_channels(image, known.in_channels)
    raise InputError(
        f"{images.source} has no validation image of {dtype} to test the package by: name other DATA, as trained on"
    )


def _as_tensor(image: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(image, 2, 0)[None])


def _run(weights: Path, tensor: Array) -> Array:
    session = require("onnxruntime").InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    (probability,) = session.run([PROBABILITY], {IMAGE: tensor})
    return np.asarray(probability)


def _cover(image: Array, probability: Array, description: ModelDescription) -> bytes:
    """The test image, and beside it what is found in it."""
    labels = probability[1] > description.threshold if len(probability) == 2 else probability.argmax(axis=0)
    halves = [fit(one, _SIDE, _SIDE) for one in (viewable(image), draw_outlines(image, labels.astype(np.uint8)))]
    picture = Image.new("RGB", (2 * _SIDE, _SIDE), "white")
    for index, half in enumerate(halves):
        picture.paste(half, (index * _SIDE + (_SIDE - half.width) // 2, (_SIDE - half.height) // 2))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _npy(array: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files, key=lambda name: name != "rdf.yaml"):
            archive.writestr(zipfile.ZipInfo(name), files[name], zipfile.ZIP_DEFLATED)
    return content.getvalue()
