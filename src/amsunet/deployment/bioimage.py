"""A network as a package of bioimage.io: a zip that Fiji (deepImageJ) and others run without amsunet.

The description is JSON, which YAML is a superset of, and the zip is written here: the library of the format is not
needed. It validates what was written in an environment of its own, see docs/ship.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from amsunet import __version__
from amsunet.atomic_io import atomic_write, check_writable
from amsunet.data.images import Array, read_image
from amsunet.data.normalization import with_channels
from amsunet.data.overlay import draw_outlines, fit, viewable
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.spacing import describe_spacing
from amsunet.deployment.parity import find_images
from amsunet.deployment.standalone_onnx import IMAGE, PROBABILITY, smallest_side, write_standalone
from amsunet.deployment.web import network_of
from amsunet.errors import InputError
from amsunet.inference.model_metadata import ModelDescription, read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.optional import require
from amsunet.wording import setting

FORMAT = "0.5.4"
"""Of the description."""
_SIDE = 256
"""Pixels of the cover, and of the middle of an image that the package holds; of a whole view it holds all."""
_PERCENTILES = {"min_percentile": 0.5, "max_percentile": 99.5}
_SAYABLE = "depth, percentiles and channels"
_AXES = ("batch", "channel", "y", "x")
_PAPER = {
    "text": "Yin et al., AMSUnet: A neural network using atrous multi-scale convolution for medical image "
    "segmentation. Computers in Biology and Medicine 162 (2023).",
    "doi": "10.1016/j.compbiomed.2023.107120",
}

Step = dict[str, Any]
"""One of the format's operations, with its ``kwargs``."""


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
    authors = [author] if isinstance(author, str) else list(author)
    if not authors and model.card is None:
        raise InputError(f"a package of bioimage.io names who made the network: set {setting('author')}")
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
    licence = licence or (None if model.card is None or model.card.research_only else "Apache-2.0")
    files["README.md"] = _readme(model, description, licence).encode()
    about = {
        "name": _plain_name(model.name),
        "description": _headline(model, description),
        "authors": [{"name": name} for name in authors or ["The amsunet maintainers"]],
        "cite": [_PAPER] if description.model.startswith("amsunet") else [{"text": "amsunet", "url": None}],
        "license": licence,
        "opset": opset,
    }
    files["rdf.yaml"] = json.dumps(_rdf(about, description, dtype, steps, files), indent=1).encode()
    content = _zipped(files)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    return BioimageExport(target, len(content))


def normalization_steps(preprocessing: Preprocessing, name: str) -> tuple[str, list[Step]]:
    """How an image becomes values of 0 ... 255, in the format's operations.

    Args:
        preprocessing: Of the network.
        name: Of the network, for the error.

    Returns:
        The type of the image's values, and the operations.

    Raises:
        InputError: If it has none for this normalization.
    """
    types = preprocessing.values
    dtype = str(types[0].type) if types else "uint8"
    steps: list[Step] = [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
    if preprocessing.normalization in ("percentiles", "channels"):
        axes = ["channel", "y", "x"] if preprocessing.normalization == "percentiles" else ["y", "x"]
        steps.append({"id": "scale_range", "kwargs": {"axes": axes, **_PERCENTILES}})
        steps.append({"id": "scale_linear", "kwargs": {"gain": 255.0, "offset": 0.0}})
        return dtype, steps
    if preprocessing.normalization != "depth":
        raise InputError(
            f"{name} has the normalization {preprocessing.normalization}, which bioimage.io has no operations for: "
            f"export another network ({_SAYABLE} can be said), or in another format"
        )
    if len(types) > 1:
        raise InputError(
            f"{name} was trained on images of {' and of '.join(map(str, types))}, and a package of bioimage.io takes "
            "one type: train it on images of one type"
        )
    if types and (types[0].low, types[0].high) != (0, 255):
        gain = 255 / ((types[0].high - types[0].low) or 1.0)
        steps.append({"id": "scale_linear", "kwargs": {"gain": gain, "offset": -gain * types[0].low}})
    return dtype, steps


def apply_steps(tensor: Array, steps: Sequence[Step]) -> Array:
    """What the operations of ``normalization_steps`` make of a tensor (N, C, H, W), in float32."""
    for step in steps:
        how = step["kwargs"]
        if step["id"] == "ensure_dtype":
            tensor = tensor.astype(how["dtype"])
        elif step["id"] == "scale_linear":
            tensor = tensor * how["gain"] + how["offset"]
        else:
            over = tuple(_AXES.index(axis) for axis in how["axes"])
            ends = (how["min_percentile"], how["max_percentile"])
            low, high = np.percentile(tensor, ends, axis=over, keepdims=True)
            tensor = (tensor - low) / (high - low + 1e-6)
    return tensor.astype(np.float32)


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


def _rdf(
    about: Mapping[str, Any],
    description: ModelDescription,
    dtype: str,
    steps: list[Step],
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """The description of the package."""
    known = description.preprocessing

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

    def tensor(name: str, test: str, channels: Sequence[str], sides: Mapping[str, Any], kind: str) -> dict[str, Any]:
        spaces = [
            {"type": "space", "id": axis, "size": sides[axis], **_scale(known, index)}
            for index, axis in enumerate("yx")
        ]
        named = {"type": "channel", "channel_names": [_identifier(one) for one in channels]}
        axes = [{"type": "batch"}, named, *spaces]
        return {"id": name, "axes": axes, "test_tensor": file(test), "data": {"type": kind}}

    side = {"min": smallest_side(known), "step": 1}
    colours = ["red", "green", "blue"] if known.in_channels == 3 else ["grey"]
    classes = description.convention.class_names
    same = {axis: {"tensor_id": IMAGE, "axis_id": axis} for axis in "yx"}
    image = tensor(IMAGE, "test_input.npy", colours, {"y": side, "x": side}, dtype)
    return {
        "type": "model",
        "format_version": FORMAT,
        **{key: about[key] for key in ("name", "description", "authors", "cite", "license")},
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "tags": ["semantic-segmentation", "2d", "medical", "amsunet"],
        "documentation": "README.md",
        "covers": ["cover.png"],
        "inputs": [{**image, "preprocessing": steps}],
        "outputs": [tensor(PROBABILITY, "test_output.npy", classes, same, "float32")],
        "weights": {"onnx": {**file("weights.onnx"), "opset_version": about["opset"]}},
        "config": {"amsunet": {"version": __version__, "description": json.loads(description.model_dump_json())}},
    }


def _scale(preprocessing: Preprocessing, index: int) -> dict[str, Any]:
    if preprocessing.spacing is None:
        return {}
    return {"unit": "millimeter", "scale": preprocessing.spacing[index]}


def _identifier(name: str) -> str:
    """A name as the format takes it for a channel."""
    plain = re.sub(r"\W", "_", name)
    return plain if plain.isidentifier() else f"class_{plain}"


def _plain_name(name: str) -> str:
    return re.sub(r"[^\w ()+-]", "-", name)[:128] or "network"


def _headline(model: ModelRef, description: ModelDescription) -> str:
    if model.card is not None:
        return f"Finds {model.card.finds}"[:1024]
    return f"Segments {', '.join(description.convention.class_names[1:])}; trained with amsunet"[:1024]


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


def _readme(model: ModelRef, description: ModelDescription, licence: str | None) -> str:
    known, names = description.preprocessing, description.convention.class_names
    lines = [f"# {_plain_name(model.name)}", "", f"{_headline(model, description)}.", ""]
    lines += ["For research, not for diagnosis. Written by amsunet " + __version__ + ".", "", "## Use", ""]
    lines.append(f"The output holds a probability for each class: {', '.join(names)}.")
    if len(names) == 2:
        lines.append(f"A pixel is {names[1]} where its probability is above {description.threshold:g}.")
    if description.smallest_object:
        lines.append(f"Then objects and holes of fewer than {description.smallest_object} pixels are left out.")
    if known.spacing is not None:
        lines.append(
            f"Pixels must be {describe_spacing(known.spacing)}, as those of the training images: scale others."
        )
    elif known.typical_size is not None:
        height, width = known.typical_size
        kept = "are brought to this size inside" if known.image_scale == "size" else "are taken pixel for pixel"
        lines.append(f"The training images have about {width} x {height} pixels; images of another size {kept}.")
    lines += ["", "## Validation", ""]
    if model.card is not None:
        lines += [f"Test images: {model.card.test}.", "", "Known failures:", ""]
        lines += [f"- {failure}" for failure in model.card.fails]
    else:
        lines.append("The report of the training, `report.html`, has the scores; compare masks on images of your own.")
    lines += ["", "## Licence", ""]
    terms = "" if model.card is None else f" Training data: {model.card.terms}"
    of_weights = licence or ("research only" if model.card else "not named: ask the authors")
    return "\n".join([*lines, f"Weights: {of_weights}.{terms}", ""])


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
