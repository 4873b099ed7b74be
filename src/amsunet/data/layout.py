"""Finding images and their masks in a folder as it is, without renaming."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from amsunet.data.images import is_image
from amsunet.data.pairing import is_mask_name, pair
from amsunet.errors import InputError

Split = Literal["train", "val", "test", "unused"]
Role = Literal["image", "mask", "roi", "other observer"]

_ROLES: dict[Role, frozenset[str]] = {
    "image": frozenset(
        ["image", "images", "img", "imgs", "input", "inputs", "data", "x", "jpegimages", "photos", "pictures"]
    ),
    "mask": frozenset(
        [
            "mask",
            "masks",
            "label",
            "labels",
            "labelled",
            "gt",
            "groundtruth",
            "annotation",
            "annotations",
            "anno",
            "seg",
            "segmentation",
            "segmentations",
            "target",
            "targets",
            "y",
            "manual",
            "1stmanual",
            "segmentationclass",
        ]
    ),
    "roi": frozenset(["roi", "rois", "fov", "fieldofview"]),
    "other observer": frozenset(["2ndmanual", "2ndobserver"]),
}

_OWN_OUTPUT = ("check.json", "model.safetensors")
"""Files that tell a folder which this package wrote."""


@dataclass(frozen=True)
class Sample:
    """One image with its mask, or with one mask for each class by the class's name."""

    name: str
    image: Path
    masks: dict[str, Path]
    roi: Path | None = None
    group: str | None = None
    split: Split | None = None


@dataclass
class Layout:
    """What was found in a folder."""

    samples: list[Sample] = field(default_factory=list)
    images_without_mask: list[Path] = field(default_factory=list)
    masks_without_image: list[Path] = field(default_factory=list)
    class_names: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def find_samples(source: Path) -> Layout:
    """Find the samples of a data set: a folder in any usual layout, or a CSV manifest.

    Raises: InputError if there is nothing to be found, or no mask at all.
    """
    try:
        layout = _find(source)
    except PermissionError as error:
        raise InputError(f"{error.filename} may not be read: change its permissions") from None
    layout.samples = _unique_names(layout.samples)
    return layout


def _find(source: Path) -> Layout:
    if not source.exists():
        raise InputError(f"{source} does not exist: check the path")
    if source.is_file():
        return _read_manifest(source)
    if any(path.name == "manifest.csv" for path in source.iterdir()):
        return _read_manifest(source / "manifest.csv")
    layout = Layout()
    _collect(source, None, layout)
    if not layout.samples:
        _explain_nothing(source, layout)
    _apply_split_file(source / "split.json", layout)
    _apply_patient_table(source, layout)
    return layout


def _explain_nothing(source: Path, layout: Layout) -> None:
    images = len(layout.images_without_mask)
    if images:
        raise InputError(
            f"{source} holds {images} images but no masks that match them: put the masks into a folder masks/ beside "
            "images/, under the same names, or write a manifest.csv with the columns image,mask"
        )
    raise InputError(
        f"{source} holds no images ({', '.join(sorted({'.png', '.jpg', '.tif', '.bmp'}))}, ...): expected are folders "
        "images/ and masks/, or a manifest.csv with the columns image,mask"
    )


def _collect(folder: Path, split: Split | None, layout: Layout) -> None:
    """Add what lies in ``folder``, which belongs to ``split`` when that is known from a name above it."""
    by_role: dict[Role, list[Path]] = {role: [] for role in _ROLES}
    others = []
    for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        role = _role_of(child.name)
        if role is not None:
            by_role[role].append(child)
        elif not any((child / name).is_file() for name in _OWN_OUTPUT):
            others.append(child)
    if any("manual" in mask.name.lower() for mask in by_role["mask"]):
        # DRIVE as published: the vessels are in 1st_manual, and mask is the field of view.
        plain = [mask for mask in by_role["mask"] if _plain(mask.name) in ("mask", "masks")]
        by_role["roi"] += plain
        by_role["mask"] = [mask for mask in by_role["mask"] if mask not in plain]
    for observer in by_role["other observer"]:
        layout.notes.append(f"{observer} is left out: a second observer's masks")
    if by_role["image"] and by_role["mask"]:
        _collect_paired(by_role, split, layout)
    else:
        # Folders that stand alone are not lost: they may hold whole splits, or images and masks side by side.
        others += by_role["image"]
        others += by_role["mask"] if not any(map(is_image, folder.iterdir())) else []
        files = sorted(path for path in folder.iterdir() if path.is_file() and is_image(path))
        masks = [path for folder in by_role["mask"] for path in _images_below(folder)]
        _add_pairs(
            [path for path in files if masks or not is_mask_name(path.stem)],
            masks or [path for path in files if is_mask_name(path.stem)],
            [path for folder in by_role["roi"] for path in _images_below(folder)],
            split,
            layout,
        )
    for child in others:
        _collect(child, _split_of(child.name) or split, layout)


def _collect_paired(by_role: dict[Role, list[Path]], split: Split | None, layout: Layout) -> None:
    images = [path for folder in by_role["image"] for path in _images_below(folder)]
    class_folders = _class_folders(by_role["mask"], images)
    if class_folders:
        names = tuple(folder.name for folder in class_folders)
        if layout.class_names not in ((), names):
            raise InputError(
                f"{class_folders[0].parent} has the class folders {', '.join(names)}, but others were found before: "
                f"{', '.join(layout.class_names)}: give every split the same folders"
            )
        layout.class_names = names
        masks_of: dict[Path, dict[str, Path]] = {image: {} for image in images}
        for folder in class_folders:
            for image, mask in pair(images, _images_below(folder)).items():
                masks_of[image][folder.name] = mask
        for image, of_classes in masks_of.items():
            if len(of_classes) == len(names):
                layout.samples.append(Sample(image.stem, image, of_classes, split=split or _split_within(image)))
            else:
                layout.images_without_mask.append(image)
        return
    parts = {_split_within(path) for path in images}
    masks = [path for folder in by_role["mask"] for path in _images_below(folder)]
    rois = [path for folder in by_role["roi"] for path in _images_below(folder)]
    for part in sorted(parts, key=str):
        # images/train + masks/train: the same name may occur in several splits, so each is paired on its own.
        _add_pairs(
            [path for path in images if _split_within(path) == part],
            [path for path in masks if _split_within(path) in (part, None)],
            [path for path in rois if _split_within(path) in (part, None)],
            split or part,
            layout,
        )


def _class_folders(mask_folders: Iterable[Path], images: list[Path]) -> list[Path]:
    """Folders one for each class: subfolders of the mask folder, not splits, that each repeat the image names."""
    children = [child for folder in mask_folders for child in sorted(folder.iterdir()) if child.is_dir()]
    if not children or any(_split_of(child.name) for child in children):
        return []
    return children if any(pair(images, _images_below(child)) for child in children) else []


def _add_pairs(images: list[Path], masks: list[Path], rois: list[Path], split: Split | None, layout: Layout) -> None:
    mask_of, roi_of = pair(images, masks), pair(images, rois)
    for image in images:
        if image in mask_of:
            layout.samples.append(Sample(image.stem, image, {"": mask_of[image]}, roi_of.get(image), split=split))
        else:
            layout.images_without_mask.append(image)
    layout.masks_without_image += sorted(set(masks) - set(mask_of.values()))


def _read_manifest(path: Path) -> Layout:
    layout = Layout()
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = [
                {(k or "").strip().lower(): (v or "").strip() for k, v in row.items()} for row in csv.DictReader(lines)
            ]
    except (UnicodeDecodeError, csv.Error, AttributeError):
        raise InputError(f"{path} is not a CSV manifest: its first line must name the columns image,mask") from None
    if not rows or not {"image", "mask"} <= rows[0].keys():
        raise InputError(f"{path} lacks the columns image,mask (group, split and roi may follow): add them")
    for number, row in enumerate(rows, start=2):
        split = _split_of(row.get("split", "")) if row.get("split") else None
        if row.get("split") and split is None:
            raise InputError(f"{path}, line {number}: split {row['split']!r} is unknown: write train, val or test")
        image, mask = path.parent / row["image"], path.parent / row["mask"]
        roi = path.parent / row["roi"] if row.get("roi") else None
        for file in filter(None, (image, mask, roi)):
            if not file.is_file():
                raise InputError(f"{path}, line {number}: {file} does not exist: check the path")
        layout.samples.append(Sample(image.stem, image, {"": mask}, roi, row.get("group") or None, split))
    return layout


def _apply_split_file(path: Path, layout: Layout) -> None:
    """Take the split from ``split.json``: {"test": [names], ...}; other keys, and names not in it, change nothing."""
    if not path.is_file():
        return
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
        split_of = {str(name): split for key, names in splits.items() if (split := _split_of(key)) for name in names}
    except (ValueError, AttributeError, TypeError):
        raise InputError(f'{path} is not a split file: write {{"test": ["name", ...]}}, or remove it') from None
    layout.samples = [
        replace(sample, split=split_of.get(sample.name) or split_of.get(sample.image.name) or sample.split)
        for sample in layout.samples
    ]
    layout.notes.append(f"{path.name} names the split of {len(split_of)} images")


def _apply_patient_table(source: Path, layout: Layout) -> None:
    """Take groups from a CSV beside the images that has a name and a patient column."""
    for path in sorted(source.glob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            rows = list(csv.reader(lines))
        header = [cell.strip().lower() for cell in rows[0]] if rows else []
        name = next((i for i, cell in enumerate(header) if cell in ("name", "image", "file", "filename", "id")), None)
        patient = next((i for i, cell in enumerate(header) if "patient" in cell or cell == "group"), None)
        if name is None or patient is None:
            continue
        group_of = {
            Path(row[name].strip()).stem: row[patient].strip() for row in rows[1:] if len(row) > max(name, patient)
        }
        layout.samples = [replace(s, group=s.group or group_of.get(s.name) or None) for s in layout.samples]
        layout.notes.append(
            f"{path.name} names the patient of {sum(s.group is not None for s in layout.samples)} images"
        )


def _unique_names(samples: list[Sample]) -> list[Sample]:
    """Give samples that share a name the folders before it, and then the suffix behind it."""
    full = {sample.image: Path(os.path.normpath(sample.image.absolute())) for sample in samples}
    if len(full) < len(samples):
        twice = Counter(sample.image for sample in samples).most_common(1)[0][0]
        raise InputError(f"{twice} is named more than once: keep one of its lines")
    common = Path(os.path.commonpath([path.parent for path in full.values()]))
    longer = {image: path.relative_to(common) for image, path in full.items()}
    for names in ({image: path.with_suffix("") for image, path in longer.items()}, longer):
        seen = Counter(sample.name for sample in samples)
        samples = [replace(s, name="_".join(names[s.image].parts)) if seen[s.name] > 1 else s for s in samples]
    return samples


def _images_below(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders; unlike rglob, it does not pass over a folder that may not be read."""
    found = []
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            found += _images_below(path)
        elif is_image(path) and path.is_file():
            found.append(path)
    return sorted(found)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _role_of(name: str) -> Role | None:
    return next((role for role, names in _ROLES.items() if _plain(name) in names), None)


def _split_of(name: str) -> Split | None:
    plain = _plain(name)
    if plain.startswith("train"):
        return "train"
    if plain.startswith("val"):
        return "val"
    return "test" if plain.startswith("test") else None


def _split_within(path: Path) -> Split | None:
    """The split that a folder right above a file names, as in images/train/1.png."""
    return _split_of(path.parent.name)
