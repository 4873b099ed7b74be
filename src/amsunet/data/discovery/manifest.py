"""Read and write a manifest: a CSV table of images with masks, patients, splits, fields of view, second observers."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from amsunet.atomic_io import write_text
from amsunet.data.channel_files import image_name
from amsunet.data.containers import file_of, files_of, is_outlined
from amsunet.data.discovery.other_formats import describe_other
from amsunet.data.discovery.outline_files import outlined_mask
from amsunet.data.discovery.patient_column import find_patient_column, known_patient, known_patients
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.split_column import find_split_column
from amsunet.data.discovery.spreadsheet import Table, column_called, plain, read_table
from amsunet.data.discovery.words import composed, split_of
from amsunet.errors import InputError, brief
from amsunet.regular_file import refuse_irregular
from amsunet.safe_text import as_cell, from_cell, refuse_undecodable, restored
from amsunet.wording import setting

_OTHER_OBSERVER = "other_observer"
"""The column of a second observer's masks."""
_NAMES = {
    "image": ("image", "images", "img", "imagepath", "imagefile", "imagefilename", "imagename", "filename", "file",
              "filepath", "path", "picture", "photo", "input", "x"),
    "mask": ("mask", "masks", "maskpath", "maskfile", "maskfilename", "maskname", "label", "labels", "labelpath",
             "labelfile", "annotation", "annotations", "segmentation", "seg", "groundtruth", "gt", "target", "y"),
    "split": ("split", "set", "subset", "partition"),
    "roi": ("roi", "fov", "fieldofview"),
    _OTHER_OBSERVER: ("otherobserver", "secondobserver", "2ndobserver", "observer2", "2ndmanual", "2ndho"),
}  # fmt: skip
_CLASS_MASK = "mask:"
"""Start of the name of a column that holds the masks of one class; the class follows."""
_JOINED = "|"
"""Separates several masks of one image."""


def read_manifest(path: Path) -> Layout:
    """Read a manifest.

    Args:
        path: A CSV file.

    Returns:
        The samples, the images without a mask, and notes on the columns.

    Raises:
        InputError: If a column is missing or a line cannot be used; the message names the line.
    """
    table = read_table(path)
    layout = Layout()
    columns = _columns(table, layout)
    samples: dict[Path, list[Sample]] = {}
    if "group" in columns:
        table = table.with_values(columns["group"], known_patients(table.values(columns["group"])))
    for number, row in table.rows.items():
        cells = {name: row[index] for name, index in columns.items()}
        if (sample := _sample(path, number, cells, layout)) is not None:
            _add(sample, samples.setdefault(sample.image, []), f"{path}, line {number}")
    layout.samples = [sample for same in samples.values() for sample in same]
    if not layout.samples and not layout.images_without_mask:
        raise InputError(f"{path} has no line below its columns: write one for each image")
    _warn_of_shared_masks(layout)
    joined = sum(bool(sample.more_masks) for sample in layout.samples)
    if joined:
        layout.notes.append(
            f"{joined} images have several masks: they are joined into one; {setting(instances=True)} keeps their "
            "objects apart"
        )
    observed = sum(sample.other_observer is not None for sample in layout.samples)
    if observed:
        layout.notes.append(
            f"{path.name} names a second observer's mask for {observed} of {len(layout.samples)} images: they are not "
            "trained on, evaluate scores them beside the network"
        )
    return layout


def find_column(columns: Sequence[str], kind: str) -> int | None:
    """Find the column of a manifest by what people call it.

    Args:
        columns: The names of a table's columns.
        kind: What it holds: ``image``, ``mask``, ``split``, ``roi`` or ``other_observer``.

    Returns:
        The index of the column; None if there is none.
    """
    return column_called(columns, _NAMES[kind])


def _warn_of_shared_masks(layout: Layout) -> None:
    """Warn of a file that is the mask of two images, as where a cell was filled downwards."""
    image_of: dict[tuple[str, Path], Path] = {}
    twice = []
    for sample in layout.samples:
        for label, mask in sample.masks.items():
            first = image_of.setdefault((label, mask), sample.image)
            twice += [(mask, first, sample.image)] if first != sample.image else []
    if twice:
        mask, first, other = twice[0]
        layout.warnings.append(
            f"{len(twice)} images have the mask of another one, as {first} and {other} have {mask}: check these lines"
        )


def _columns(table: Table, layout: Layout) -> dict[str, int]:
    """Find the column of each kind; note the columns with another name and those not used."""
    of_classes = {column: index for index, column in enumerate(table.columns) if column.lower().startswith(_CLASS_MASK)}
    found = {kind: index for kind in _NAMES if (index := find_column(table.columns, kind)) is not None}
    if "image" not in found or ("mask" not in found and not of_classes):
        has = f"its columns are {brief(', '.join(filter(None, table.columns))) or 'none'}"
        raise InputError(
            f"{table.path} lacks the columns image,mask ({has}): give them these names (group, split, roi, "
            f"{_OTHER_OBSERVER} may follow)"
        )
    if of_classes:
        found.pop("mask", None)
        found |= of_classes
        layout.class_names = tuple(column[len(_CLASS_MASK) :].strip() for column in of_classes)
    if "split" not in found and (split := find_split_column(table)) is not None:
        found["split"] = split
    group = find_patient_column(table.columns)
    if group is not None and group not in found.values():
        found["group"] = group
    renamed = [
        f"{table.columns[index]!r} as the {kind}"
        for kind, index in found.items()
        if kind != "group" and kind not in of_classes and plain(table.columns[index]) != plain(kind)
    ]
    if renamed:
        layout.notes.append(f"{table.path.name}: columns are taken {', '.join(renamed)}")
    if "group" in found:
        named = known_patients(table.values(found["group"]))
        name = table.columns[found["group"]]
        without = f"; {named.count('')} lines name none: each counts as one more" if "" in named else ""
        patients = f"{len({*named} - {''})} patients (column {name!r})"
        layout.notes.append(f"{table.path.name} names {patients}: each stays on one side{without}")
    unused = [column for index, column in enumerate(table.columns) if index not in found.values() and column]
    if unused:
        layout.notes.append(f"{table.path.name}: columns not used: {', '.join(unused)}")
    return found


def _sample(path: Path, number: int, cells: dict[str, str], layout: Layout) -> Sample | None:
    split = split_of(cells.get("split", "")) if cells.get("split") else None
    if cells.get("split") and split is None:
        raise InputError(f"{path}, line {number}: split {cells['split']!r} is unknown: write train, val or test")
    if not cells["image"]:
        raise InputError(f"{path}, line {number}: no image is named: name one, or remove the line")
    image = _existing(path, number, cells["image"])
    roi, other = (
        _existing(path, number, cells[kind]) if cells.get(kind) else None for kind in ("roi", _OTHER_OBSERVER)
    )
    masks, more = {}, {}
    for column, label in [(f"{_CLASS_MASK}{name}", name) for name in layout.class_names] or [("mask", "")]:
        cell = next((text for key, text in cells.items() if key.lower() == column.lower()), "")
        named = [_existing(path, number, text.strip()) for text in cell.split(_JOINED) if text.strip()]
        files = [outlined_mask(image, file, label) for file in named]
        if files:
            masks[label] = files[0]
        if files[1:]:
            more[label] = tuple(files[1:])
    if not masks:
        layout.images_without_mask.append(image)
        return None
    used = {*masks.values(), *(mask for further in more.values() for mask in further)}
    if other is not None and other in {image, *used}:
        raise InputError(
            f"{path}, line {number}: {other} is the image or its mask, and the second observer's as well: name another "
            f"file in the column {_OTHER_OBSERVER}, or none"
        )
    return Sample(
        image_name(image),
        image,
        masks,
        roi,
        known_patient(from_cell(cells.get("group") or "")) or None,
        split,
        more,
        other,
    )


def _exists(file: Path) -> bool:
    try:
        return all(part.exists() for part in files_of(file))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # no file system has such a name
            raise
        return False


def _existing(path: Path, number: int, text: str) -> Path:
    # As it stands; as a cell that was written so that no spreadsheet runs it; written under Windows; on one line.
    ways = (text, from_cell(text), text.replace("\\", "/"), restored(from_cell(text)))
    file = next((file for way in ways if _exists(file := path.parent / way)), path.parent / ways[2])
    if not _exists(file) and not file.name.isascii() and file.parent.is_dir():
        file = next((one for one in file.parent.iterdir() if composed(one.name) == composed(file.name)), file)
    if not _exists(file):
        raise InputError(f"{path}, line {number}: {brief(str(file))} does not exist: check the path")
    for part in files_of(file):
        if part.is_dir():
            raise InputError(f"{path}, line {number}: {part} is a folder: name a file")
        refuse_irregular(part)
        if kind := describe_other(part):
            raise InputError(f"{path}, line {number}: {part} is {kind}")
    return refuse_undecodable(file)


def _add(sample: Sample, same: list[Sample], line: str) -> None:
    """Add a sample to those of its image; a further line with another mask is a further mask of it.

    Raises:
        InputError: If the lines give the image different splits, patients, fields of view or second observers' masks.
    """
    before = same[-1] if same else None
    known = set() if before is None else {*before.masks.values(), *(m for ms in before.more_masks.values() for m in ms)}
    if before is None or list(sample.masks) != [""] or sample.masks[""] in known:
        same.append(sample)
        return
    for kind, old, new in (
        ("split", before.split, sample.split),
        ("patient", before.group, sample.group),
        ("roi", before.roi, sample.roi),
        ("second observer's mask", before.other_observer, sample.other_observer),
    ):
        if old and new and old != new:
            raise InputError(
                f"{line}: {sample.image} has the {kind} {new} here and {old} above: write one in both lines"
            )
    more = (*before.more_masks.get("", ()), sample.masks[""], *sample.more_masks.get("", ()))
    same[-1] = replace(
        before,
        more_masks={"": more},
        split=before.split or sample.split,
        group=before.group or sample.group,
        roi=before.roi or sample.roi,
        other_observer=before.other_observer or sample.other_observer,
    )


def write_manifest(path: Path, layout: Layout) -> None:
    """Write what was found as a manifest that can be edited.

    Args:
        path: The file to write.
        layout: What was found; an image without a mask, or a mask without an image, gets a line with an empty cell.

    Raises:
        InputError: If the file exists already.
    """
    if path.exists():
        raise InputError(f"{path} exists already: name another file, or move it away")
    labels = layout.class_names or ("",)
    names = [f"{_CLASS_MASK}{label}" if label else "mask" for label in labels]
    text = io.StringIO()
    observed = any(sample.other_observer is not None for sample in layout.samples)
    columns = ["image", *names, "group", "split", "roi", *([_OTHER_OBSERVER] if observed else [])]
    rows = [columns]
    for sample in layout.samples:
        masks = [_masks_of(sample, label) for label in labels]
        first, *cells = (_JOINED.join(_relative(files, path)) for files in ([sample.image], *masks))
        roi, other = ("".join(_relative([file] if file else [], path)) for file in (sample.roi, sample.other_observer))
        row = [first, *cells, sample.group or "", sample.split or "", roi, other]
        rows.append(row[: len(columns)])
    for image in layout.images_without_mask:
        rows.append([*_relative([image], path), *("" for _ in columns[1:])])
    for mask in layout.masks_without_image:
        rows.append(["", *_relative([mask], path), *("" for _ in columns[2:])])
    csv.writer(text, lineterminator="\n").writerows([as_cell(cell) for cell in row] for row in rows)
    write_text(path, text.getvalue())


def _masks_of(sample: Sample, label: str) -> list[Path]:
    masks = [sample.masks[label], *sample.more_masks.get(label, ())] if label in sample.masks else []
    return [file_of(mask) if is_outlined(mask) else mask for mask in masks]


def _relative(files: Sequence[Path], manifest: Path) -> list[str]:
    home = manifest.absolute().parent
    return [Path(os.path.relpath(file.absolute(), home)).as_posix() for file in files]
