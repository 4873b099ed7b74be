"""Read and write a manifest: a CSV table of images with their masks, patients, splits and fields of view."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from amsunet.atomic_io import write_text
from amsunet.data.discovery.other_formats import describe_other
from amsunet.data.discovery.patient_table import find_patient_column
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.spreadsheet import Table, column_called, plain, read_table
from amsunet.data.discovery.words import split_of
from amsunet.errors import InputError
from amsunet.regular_file import refuse_irregular
from amsunet.wording import setting

_NAMES = {
    "image": ("image", "images", "img", "imagepath", "imagefile", "imagefilename", "imagename", "filename", "file",
              "filepath", "path", "picture", "photo", "input", "x"),
    "mask": ("mask", "masks", "maskpath", "maskfile", "maskfilename", "maskname", "label", "labels", "labelpath",
             "labelfile", "annotation", "annotations", "segmentation", "seg", "groundtruth", "gt", "target", "y"),
    "split": ("split", "set", "subset", "partition"),
    "roi": ("roi", "fov", "fieldofview"),
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
    for number, row in table.rows.items():
        cells = {name: row[index] for name, index in columns.items()}
        if (sample := _sample(path, number, cells, layout)) is not None:
            _add(sample, samples.setdefault(sample.image, []), f"{path}, line {number}")
    layout.samples = [sample for same in samples.values() for sample in same]
    if not layout.samples and not layout.images_without_mask:
        raise InputError(f"{path} has no line below its columns: write one for each image")
    joined = sum(bool(sample.more_masks) for sample in layout.samples)
    if joined:
        layout.notes.append(
            f"{joined} images have several masks: they are joined into one; {setting(instances=True)} keeps their "
            "objects apart"
        )
    return layout


def _columns(table: Table, layout: Layout) -> dict[str, int]:
    """Find the column of each kind; note the columns with another name and those not used."""
    of_classes = {column: index for index, column in enumerate(table.columns) if column.lower().startswith(_CLASS_MASK)}
    found = {
        kind: index for kind, names in _NAMES.items() if (index := column_called(table.columns, names)) is not None
    }
    if "image" not in found or ("mask" not in found and not of_classes):
        has = f"its columns are {', '.join(filter(None, table.columns)) or 'none'}"
        raise InputError(
            f"{table.path} lacks the columns image,mask ({has}): give them these names (group, split, roi may follow)"
        )
    if of_classes:
        found.pop("mask", None)
        found |= of_classes
        layout.class_names = tuple(column[len(_CLASS_MASK) :].strip() for column in of_classes)
    group = find_patient_column(table.columns)
    if group is not None and group not in found.values():
        found["group"] = group
    renamed = [
        f"{table.columns[index]!r} as the {kind}"
        for kind, index in found.items()
        if kind != "group" and kind not in of_classes and plain(table.columns[index]) != kind
    ]
    if renamed:
        layout.notes.append(f"{table.path.name}: columns are taken {', '.join(renamed)}")
    if "group" in found:
        patients = len({row[found["group"]] for row in table.rows.values()} - {""})
        name = table.columns[found["group"]]
        layout.notes.append(f"{table.path.name} names {patients} patients (column {name!r}): each stays on one side")
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
    roi = _existing(path, number, cells["roi"]) if cells.get("roi") else None
    masks, more = {}, {}
    for column, label in [(f"{_CLASS_MASK}{name}", name) for name in layout.class_names] or [("mask", "")]:
        cell = next((text for key, text in cells.items() if key.lower() == column.lower()), "")
        files = [_existing(path, number, text.strip()) for text in cell.split(_JOINED) if text.strip()]
        if files:
            masks[label] = files[0]
        if files[1:]:
            more[label] = tuple(files[1:])
    if not masks:
        layout.images_without_mask.append(image)
        return None
    return Sample(image.stem, image, masks, roi, cells.get("group") or None, split, more)


def _existing(path: Path, number: int, text: str) -> Path:
    file = path.parent / text
    if not file.is_file() and "\\" in text:
        file = path.parent / text.replace("\\", "/")  # written under Windows
    if file.is_dir():
        raise InputError(f"{path}, line {number}: {file} is a folder: name a file")
    if not file.exists():
        raise InputError(f"{path}, line {number}: {file} does not exist: check the path")
    refuse_irregular(file)
    if kind := describe_other(file):
        raise InputError(f"{path}, line {number}: {file} is {kind}")
    return file


def _add(sample: Sample, same: list[Sample], line: str) -> None:
    """Add a sample to those of its image; a further line with another mask is a further mask of it.

    Raises:
        InputError: If the lines give the image different splits, patients or fields of view.
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
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *names, "group", "split", "roi"])
    for sample in layout.samples:
        cells = [
            _JOINED.join(_relative([sample.masks[label], *sample.more_masks.get(label, ())], path))
            if label in sample.masks
            else ""
            for label in labels
        ]
        roi = _relative([sample.roi] if sample.roi else [], path)
        writer.writerow(
            [*_relative([sample.image], path), *cells, sample.group or "", sample.split or "", *(roi or [""])]
        )
    for image in layout.images_without_mask:
        writer.writerow([*_relative([image], path), *("" for _ in labels), "", "", ""])
    for mask in layout.masks_without_image:
        writer.writerow(["", *_relative([mask], path), *("" for _ in labels[1:]), "", "", ""])
    write_text(path, text.getvalue())


def _relative(files: Sequence[Path], manifest: Path) -> list[str]:
    home = manifest.absolute().parent
    return [Path(os.path.relpath(file.absolute(), home)).as_posix() for file in files]
