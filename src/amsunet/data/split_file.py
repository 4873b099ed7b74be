"""The split that a data set brings along: ``split.json``, or lists of names as ``train.txt`` and ``test.txt``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from amsunet.data.sample import Layout, Sample
from amsunet.data.words import Split, split_of
from amsunet.errors import InputError

_FILES = ("split.json", "splits.json")
_LISTS = (".", "ImageSets/Segmentation", "splits")
"""Folders of lists, the second one as PASCAL VOC has it."""
_REST = ("rest", "other", "others", "remaining")


def apply_split_file(source: Path, layout: Layout) -> None:
    """Take the split from ``split.json``: {"test": [names], ...} or {"name": "test", ...}, or from lists of names.

    Raises: InputError if it cannot be read, fits no image, or has a name in two splits.
    """
    path = next((source / name for name in _FILES if (source / name).is_file()), None)
    if path is not None:
        named = _read(path, layout)
    else:
        lists = _lists(source)
        if not lists:
            return
        path = next(iter(lists.values())).parent
        named = {split: _lines(file) for split, file in lists.items()}
    _apply(path, named, layout)


def _apply(path: Path, named: dict[Split, list[str]], layout: Layout) -> None:
    samples = _by_name(layout.samples, {len(_parts(name)) for names in named.values() for name in names})
    found: dict[Path, tuple[Split, str]] = {}
    unknown = []
    for split, names in named.items():
        for name in names:
            sample = samples.get(_key(name)) or samples.get(_key(_without_suffix(name)))
            if sample is None:
                unknown.append(name)
            elif found.get(sample.image, (split, ""))[0] != split:
                raise InputError(
                    f"{path} has {name!r} in two splits, {found[sample.image][0]} and {split}: leave it in one"
                )
            else:
                found[sample.image] = split, name
    if unknown and not found:
        raise InputError(
            f"{path} names no image that is here ({unknown[0]!r} is the first of {len(unknown)}; an image is called "
            f"{layout.samples[0].image.name}): mend its names, or take it away"
        )
    layout.samples = [replace(s, split=found[s.image][0] if s.image in found else s.split) for s in layout.samples]
    layout.notes.append(f"{path.name} names the split of {len(found)} of {len(layout.samples)} images")
    if unknown:
        layout.warnings.append(
            f"{path} names {len(unknown)} images that are not here, as {unknown[0]!r}: mend their names"
        )


def _read(path: Path, layout: Layout) -> dict[Split, list[str]]:
    wrong = InputError(f'{path} is not a split file: write {{"test": ["name", ...]}}, or remove it')
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        raise wrong from None
    if not isinstance(content, dict):
        raise wrong
    named: dict[Split, list[str]] = defaultdict(list)
    strange = []
    by_image = all(isinstance(value, str) and split_of(value) for value in content.values())
    for key, value in content.items():
        split = split_of(value if by_image else key)
        if by_image and split:
            named[split].append(key)
        elif split and isinstance(value, list):
            named[split] += _names(value, wrong)
        elif split:
            raise wrong
        elif isinstance(value, list) and key.lower() not in _REST:
            strange.append(key)
    if strange:
        layout.warnings.append(
            f"{path} has the key {', '.join(map(repr, strange))}, which is no split's name (they are train, val and "
            "test): it changes nothing"
        )
    if not named and strange:
        raise InputError(f"{path} has no key train, val or test ({', '.join(map(repr, strange))}): name the splits so")
    return named


def _names(entries: list[Any], wrong: InputError) -> list[str]:
    """The names of images in a list of texts, numbers, or entries with a name as ``{"image": "1.png"}``."""
    out = []
    for entry in entries:
        name = (
            next((entry[key] for key in ("image", "name", "file") if key in entry), None)
            if isinstance(entry, dict)
            else entry
        )
        if not isinstance(name, str | int):
            raise wrong
        out.append(str(name))
    return out


def _lists(source: Path) -> dict[Split, Path]:
    """The first folder with a list of each of two splits or more."""
    for folder in _LISTS:
        found: dict[Split, Path] = {
            split: source / folder / f"{split}.txt"
            for split in ("train", "val", "test")
            if (source / folder / f"{split}.txt").is_file()
        }
        if len(found) > 1:
            return found
    return {}


def _lines(path: Path) -> list[str]:
    """The first word of each line: some lists have the mask's path behind it."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _by_name(samples: Iterable[Sample], lengths: set[int]) -> dict[str, Sample]:
    """Samples by the ends of their paths of those lengths, with and without suffix, that belong to one alone."""
    out: dict[str, Sample | None] = {}
    for sample in samples:
        parts = PurePosixPath(sample.image.as_posix()).parts
        for count in lengths:
            whole = "/".join(parts[-count:])
            for key in {_key(whole), _key(_without_suffix(whole))}:
                out[key] = None if key in out and out[key] is not sample else sample
    return {key: sample for key, sample in out.items() if sample is not None}


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.strip().replace("\\", "/")).parts


def _key(name: str) -> str:
    return "/".join(_parts(name)).lower()


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.name else name
