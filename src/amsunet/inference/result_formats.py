"""Forms of a result for other programs, written beside its mask: label images, outlines, tables.

A form is a module of ``amsunet.interchange``, which is imported when the form is first asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from amsunet.errors import InputError
from amsunet.inference.objects import Objects
from amsunet.inference.prediction_record import PredictionRecord
from amsunet.wording import setting

if TYPE_CHECKING:
    from amsunet.inference.segmentation import Segmentation
    from amsunet.inference.volume_segmentation import VolumeSegmentation

FORMS: dict[str, str] = {
    "labels": "amsunet.interchange.label_tiff",
    "geojson": "amsunet.interchange.geojson",
    "rois": "amsunet.interchange.imagej_rois",
    "coco": "amsunet.interchange.coco",
    "objects": "amsunet.interchange.objects_table",
    "counts": "amsunet.interchange.counts_table",
    "seg": "amsunet.interchange.dicom_seg",
    "nifti": "amsunet.interchange.nifti",
}
"""The module that writes each form; ``choices.ResultForm`` has the same names."""
_JOINED = ("coco", "objects", "counts", "seg")
"""Those that are joined into one file for all images too, or into one for each series."""
NOT_WRITABLE = "not_writable"
"""The code of the error about an image whose result cannot have a form: it fails alone."""


class Writer(Protocol):
    """What a module of a form holds."""

    @property
    def suffix(self) -> str:
        """Of its files, with the dot."""
        ...

    def write(self, result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
        """Write the result of one image, wholly or not at all.

        Args:
            result: The segmentation.
            objects: Its objects.
            image: The file, or the address, that the image was read from.
            path: The file to write.

        Raises:
            InputError: If the file cannot be written; of the code ``NOT_WRITABLE`` if the form cannot hold this result.
        """
        ...


@runtime_checkable
class VolumeWriter(Protocol):
    """What a module holds too, if whole volumes have its form."""

    def write_volume(self, result: VolumeSegmentation, path: Path) -> None:
        """Write the result of a volume, wholly or not at all.

        Args:
            result: The segmentation.
            path: The file to write; its suffix is that of images.

        Raises:
            InputError: As ``Writer.write``.
        """
        ...


@runtime_checkable
class Joiner(Protocol):
    """What a module holds too, if its form is one file for all images, or a folder with one for each series: those of
    single images are its parts.
    """

    @property
    def joined(self) -> str:
        """The name of the file, or of the folder."""
        ...

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Join the files of single images into one.

        Args:
            parts: Files that ``write`` wrote.
            path: The file to write, or the folder.
        """
        ...


def open_writer(form: str) -> Writer:
    """The writer of a form.

    Args:
        form: One of ``FORMS``.

    Raises:
        InputError: If there is none of this name, or a package that it needs is not installed.
    """
    if form not in FORMS:
        near = difflib.get_close_matches(form, FORMS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(FORMS)}"
        raise InputError(f"{setting('also')} has no form {form!r}: {hint}")
    return cast(Writer, import_module(FORMS[form]))


def choose_forms(also: str | Sequence[str]) -> tuple[str, ...]:
    """Forms as they are named: each once, and one that cannot be written is refused before work begins.

    Args:
        also: Their names; as text with commas between them.

    Raises:
        InputError: As ``open_writer``.
    """
    named = also.replace(" ", "").split(",") if isinstance(also, str) else also
    forms = tuple(dict.fromkeys(filter(None, named)))
    for form in forms:
        open_writer(form)
    return forms


def joined_paths(out: Path, also: Iterable[str]) -> dict[str, Path]:
    """The one file for all images, or the folder, of each form that has one, below the folder of all results."""
    writers = {form: open_writer(form) for form in also}
    return {form: out / writer.joined for form, writer in writers.items() if isinstance(writer, Joiner)}


def volume_forms() -> tuple[str, ...]:
    """The forms that whole volumes have, of those whose packages are installed."""
    return tuple(form for form in FORMS if has_volumes(form))


def has_volumes(form: str) -> bool:
    """Whether whole volumes have a form."""
    return _is_writable(form) and isinstance(open_writer(form), VolumeWriter)


def _is_writable(form: str) -> bool:
    """Whether the packages that a form needs are installed."""
    try:
        open_writer(form)
    except InputError:
        return False
    return True


def write_forms(paths: Mapping[str, Path], result: Segmentation, image: Path) -> None:
    """Write the forms of one result: all of them or none.

    Args:
        paths: The file of each form.
        result: The segmentation.
        image: The file, or the address, that the image was read from.

    Raises:
        InputError: As ``Writer.write``.
    """
    _write_all(paths, lambda form, path: open_writer(form).write(result, result.objects, image, path))


def write_volume_forms(paths: Mapping[str, Path], result: VolumeSegmentation) -> None:
    """Write the forms of the result of a volume: all of them or none.

    Args:
        paths: The file of each form, of those that ``has_volumes`` holds for.
        result: The segmentation.

    Raises:
        InputError: As ``Writer.write``.
    """
    _write_all(paths, lambda form, path: cast(VolumeWriter, open_writer(form)).write_volume(result, path))


def _write_all(paths: Mapping[str, Path], write: Callable[[str, Path], None]) -> None:
    written: list[Path] = []
    try:
        for form, path in paths.items():
            write(form, path)
            written.append(path)
    except InputError:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def write_form(form: str, result: Segmentation, image: str | Path, path: str | Path) -> None:
    """Write one form of one result.

    Args:
        form: One of ``FORMS``.
        result: The segmentation.
        image: The file that it was made of; some forms name it or repeat what it says.
        path: The file to write.

    Raises:
        InputError: If there is no such form, a package that it needs is not installed, or the file cannot be written.

    Example:
        >>> import amsunet
        >>> from amsunet.inference.result_formats import write_form
        >>> result = amsunet.load("zoo:nuclei").predict("image.png")
        >>> write_form("coco", result, "image.png", "cells.json")
    """
    write_forms({form: Path(path)}, result, Path(image))


def join_forms(record: PredictionRecord, also: Sequence[str]) -> None:
    """For each form that is one file for all images, join those of a folder: of this command and of those before it.

    What an earlier command joined is joined anew, so that it has nothing of masks that were since made anew without it.

    Args:
        record: Of the folder: it knows which files there are.
        also: The forms that this command wrote.
    """
    before = [form for form in _JOINED if (record.folder / form).is_dir() and _is_writable(form)]
    for form, whole in joined_paths(record.folder, dict.fromkeys([*also, *before])).items():
        writer = open_writer(form)
        outputs = {one.name: one.outputs for one in record.predictions()}  # of one name the last
        of_form = {name: f"{form}/{name}{writer.suffix}" for name in outputs}
        found = [record.folder / file for name, file in of_form.items() if file in outputs[name]]
        parts = sorted(path for path in found if path.is_file())
        if parts or whole.exists():
            with record.locked():
                cast(Joiner, writer).join(parts, whole)
