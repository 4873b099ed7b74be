"""A network with the page around it: a folder for a web server, or one file that opens without any."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsunet.atomic_io import as_input_error, atomic_write, check_writable
from amsunet.choices import ExportPrecision
from amsunet.data.channels import describe_channels
from amsunet.deployment.page_files import START, PageNetwork, page_files
from amsunet.deployment.single_page import to_single_page
from amsunet.errors import InputError
from amsunet.inference.export_checksum import verify_checksum
from amsunet.inference.model_metadata import METADATA, ModelDescription, parse_description, read_description
from amsunet.inference.model_ref import SUFFIXES, ModelRef
from amsunet.inference.onnx_metadata import read_onnx_metadata
from amsunet.wording import setting
from amsunet.zoo import PREFIX, list_zoo

logger = logging.getLogger(__name__)
_PRECISIONS: tuple[ExportPrecision, ...] = ("float32", "float16")
"""Of ONNX files whose networks a browser computes as exactly as ``predict``."""


@dataclass(frozen=True)
class WebExport:
    """The page with a network in it."""

    path: Path
    """The HTML file to open, which is all there is or the first of a folder."""
    bytes: int
    """Of all files."""


def export_web(
    model: str | Path | ModelRef | Sequence[str | Path | ModelRef],
    data: str | Path | None = None,
    *,
    one_file: bool = False,
    precision: ExportPrecision | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    model_file: str | None = None,
) -> WebExport:
    """Write a page that segments images with this network in a browser; no image leaves the computer it is opened on.

    The ONNX file of the network is in it: that of ``export``, made now where it is missing.

    Args:
        model: A run folder, a model file, the name of a network of the zoo, or an ONNX file of ``export``; or several,
            among which the page then offers a choice.
        data: As for ``export``, where the ONNX file is to be made.
        one_file: One HTML file that opens without a server, in place of a folder that any web server hands out.
        precision: Of the ONNX file: ``float32``, or ``float16`` for weights of half the size. When left out, the most
            exact one that is there already, and float32 where none is.
        out: The file or folder; when left out, it lies in the ``export`` of the first run, or beside the file.
        overwrite: Replace a page that is there. In a run's own ``export/`` that needs no word.
        model_file: ``FILE.py:FUNCTION``, if the model was trained with a network that is not amsunet's.

    Returns:
        The page.

    Raises:
        InputError: If the model or the data cannot be used, a package is missing, something else is at ``out``, or it
            cannot be written there.

    Example:
        >>> import amsunet
        >>> amsunet.export_web("zoo:nuclei", one_file=True).path.name
        'nuclei-web.html'
    """
    if precision not in (None, *_PRECISIONS):
        raise InputError(f"a page has no {precision}: choose one of {', '.join(_PRECISIONS)}")
    named = [model] if isinstance(model, str | Path | ModelRef) else model
    first, *others = (ModelRef.resolve(one) for one in named)
    target = Path(out) if out is not None else _usual_path(first, one_file)
    replace = overwrite or (out is None and first.path.is_dir())
    (_check_file if one_file else _check_folder)(target, replace)
    networks = [network_of(one, data, precision=precision, model_file=model_file) for one in (first, *others)]
    files = page_files(networks)
    if one_file:
        content = to_single_page(files)
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
        return WebExport(target, len(content))
    _write_folder(files, target)
    return WebExport(target / START, sum(map(len, files.values())))


def networks_of(models: Sequence[ModelRef], *, model_file: str | None = None) -> list[PageNetwork]:
    """The networks that a page is to offer.

    Args:
        models: As they were named; the light ones of the zoo when empty, free ones first.
        model_file: As for ``export_web``.

    Returns:
        Them, in this order; a run is exported to ONNX if it has not been.

    Raises:
        InputError: If one cannot be used.
    """
    if models:
        return [network_of(model, model_file=model_file) for model in models]
    offered = (card for card in list_zoo() if card.on_page)
    cards = sorted(offered, key=lambda card: (card.research_only, card.name))
    return [_checked(PageNetwork(f"{PREFIX}{card.name}", card.onnx, card)) for card in cards]


def network_of(
    model: ModelRef,
    data: str | Path | None = None,
    *,
    precision: ExportPrecision | None = None,
    model_file: str | None = None,
) -> PageNetwork:
    """A network as a file of ONNX, which is made if it is missing.

    Args:
        model: A run folder, a model file, a network of the zoo, or such a file.
        data: As for ``export_web``.
        precision: As for ``export_web``.
        model_file: As for ``export_web``.

    Raises:
        InputError: If the model or the data cannot be used.
    """
    if model.kind == "exported":
        if model.path.suffix != SUFFIXES["onnx"]:
            raise InputError(f"{model} is for OpenVINO, and the page runs ONNX files: name what it was made from")
        return _checked(PageNetwork(model.name, model.path))
    known = read_description(model.weights)
    wanted = _PRECISIONS if precision is None else (precision,)
    for path in (path for one in wanted for path in model.exports("onnx", one)):
        network = PageNetwork(f"{PREFIX}{model.name}" if model.card else model.name, path, model.card)
        if _description(path) == known:
            return _checked(network)
        logger.info(f"left out: {path} is not of the weights that the run has now")
    from amsunet.deployment.export import export  # noqa: PLC0415 - loads torch

    made = export(model, "onnx", data, precision=precision or "float32", overwrite=True, model_file=model_file)
    logger.info(f"{made.path}: {made.parity}")
    return PageNetwork(model.name, made.path, model.card)


def _description(path: Path) -> ModelDescription:
    text = read_onnx_metadata(path).get(METADATA)
    if text is None:
        raise InputError(f"{path} holds no description of amsunet: name a file that amsunet exported")
    return parse_description(text, path)


def _checked(network: PageNetwork) -> PageNetwork:
    """The network, if its file is what was written and is of this version."""
    if not network.path.is_file():
        raise InputError(f"{network.path} is missing: install amsunet again, which it comes with")
    verify_checksum(network.path)
    preprocessing = _description(network.path).preprocessing
    if preprocessing.channel_names or preprocessing.in_channels not in (1, 3):
        takes = describe_channels(preprocessing.in_channels, preprocessing.channel_names)
        raise InputError(f"{network.name} takes {takes}, and the page shows grey and colour images: predict with it")
    return network


def _usual_path(model: ModelRef, one_file: bool) -> Path:
    """Where the page of a model lies if no other place is named: as its exports do."""
    name = f"web{'.html' if one_file else ''}"
    return model.home / "export" / name if model.path.is_dir() else model.home / f"{model.name}-{name}"


def _check_file(target: Path, replace: bool) -> None:
    if target.suffix != ".html":
        raise InputError(f"{target} must end in .html for {setting(one_file=True)}")
    check_writable(target)
    _refuse_existing(target, replace)


def _check_folder(target: Path, replace: bool) -> None:
    """Refuse a place that holds anything but a page, which alone may be replaced."""
    if not target.exists():
        check_writable(target / START)
        return
    if not target.is_dir():
        raise InputError(f"{target} is a file: name a folder with {setting('out')}, or set {setting(one_file=True)}")
    check_writable(target / START)
    there = {path.name for path in target.iterdir()}
    if there and not {START, "networks.json"} <= there:
        raise InputError(f"{target} holds other files: choose another {setting('out')}")
    if there:
        _refuse_existing(target, replace)


def _refuse_existing(target: Path, replace: bool) -> None:
    if target.exists() and not replace:
        raise InputError(
            f"{target} is there already: choose another {setting('out')}, or set {setting(overwrite=True)}"
        )


def _write_folder(files: Mapping[str, bytes], target: Path) -> None:
    """Write all files beside the place and move them there: a page is whole or missing."""
    target = target.resolve()  # what a link leads to, and the name of "."
    mark = f".{uuid.uuid4().hex[:12]}.partial"
    made, former = target.with_name(mark), target.with_name(f"{mark}.former")
    try:
        with as_input_error(target):
            for path, content in files.items():
                file = made / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            if target.exists():
                target.replace(former)
            made.replace(target)
    finally:
        if former.exists() and not target.exists():
            former.replace(target)
        for folder in (made, former):
            shutil.rmtree(folder, ignore_errors=True)
