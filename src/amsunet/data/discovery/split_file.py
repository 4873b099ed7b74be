"""Read the split of a data set from ``split.json``, or from lists of names such as ``train.txt`` and ``test.csv``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from amsunet.data.discovery.other_formats import stem_of, without_suffix
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.spreadsheet import read_table
from amsunet.data.discovery.words import Split, composed, role_of, split_of, words_of
from amsunet.errors import InputError
from amsunet.regular_file import read_regular
from amsunet.text_files import UNREADABLE, read_json

_FILES = ("split.json", "splits.json")
_LISTS = (".", "ImageSets/Segmentation", "splits")
"""Folders that may hold lists; the second is that of PASCAL VOC."""
_LIST_WORDS = frozenset({"list", "lists", "file", "files", "filenames", "name", "names", "id", "ids", "path", "paths"})
_REST = ("rest", "other", "others", "remaining")
_WHOLE = 1000
"""Stands for the number of matching parts of a path if a name matches with all its parts."""
_FOLDS = ("splits_final.json", "splits_final.pkl")
"""Files of nnU-Net that hold folds and no split."""


@dataclass(frozen=True)
class _Named:
    """The name of an image in a file that puts it into a split."""

    file: Path
    split: Split
    name: str


def apply_split_file(source: Path, layout: Layout) -> None:
    """Take the split from ``split.json``, {"test": [names], ...} or {"name": "test", ...}, or from lists of names.

    Args:
        source: The data set's folder.
        layout: Its samples get their splits; notes and warnings name the files.

    Raises:
        InputError: If the file cannot be read, names no image of the data set, or has a name in two splits.
    """
    names = _Names(layout.samples)
    path = next((source / name for name in _FILES if (source / name).is_file()), None)
    lists = _lists(source)
    if path is not None:
        named = [_Named(path, split, name) for split, of_split in _read(path, layout).items() for name in of_split]
        if not named:
            raise InputError(f'{path} names no image: write {{"test": ["name", ...]}}, or remove it')
        _apply(named, names, layout)
    elif lists:
        named = [_Named(file, split, name) for file, split in lists.items() for name in _lines(file, names)]
        if any(names.find(one.name) for one in named) or len(set(lists.values())) > 1:
            _apply(named, names, layout)
        else:
            lists, path = {}, next(iter(lists))
            layout.warnings.append(f"{path} is not used: it names no image of the data set")
    if path is not None and lists:
        layout.warnings.append(f"{', '.join(file.name for file in lists)} are not used: {path.name} names the split")
    for folds in _FOLDS:
        if (source / folds).is_file():
            layout.warnings.append(
                f'{source / folds} is not used: it names folds, not a split; write a split.json, as {{"val": ["name", '
                "...]}"
            )


def _apply(named: list[_Named], names: _Names, layout: Layout) -> None:
    by_image: dict[Path, list[tuple[int, _Named]]] = defaultdict(list)
    unknown = []
    for one in named:
        if found := names.find(one.name):
            by_image[found[0].image].append((found[1], one))
        else:
            unknown.append(one)
    split_of_image: dict[Path, Split] = {}
    for image, several in by_image.items():
        # The name that shares more of the path is meant: test/1.png is not train/1.png.
        longest = max(length for length, _ in several)
        unknown += [one for length, one in several if length < longest]
        meant = [one for length, one in several if length == longest]
        other = next((one for one in meant if one.split != meant[0].split), None)
        if other is not None:
            raise InputError(
                f"{other.file} has {other.name!r} in two splits, {meant[0].split} and {other.split}: leave it in one"
            )
        split_of_image[image] = meant[0].split
    files = list(dict.fromkeys(one.file for one in named))
    if not split_of_image:
        first = f"{named[0].name!r} is the first of {len(named)}" if named else "it is empty"
        raise InputError(
            f"{files[0] if files else 'the list'} names no image of the data set ({first}; an image is called "
            f"{layout.samples[0].image.name}): fix its names, or remove it"
        )
    changed = [s for s in layout.samples if s.split and split_of_image.get(s.image, s.split) != s.split]
    layout.samples = [replace(s, split=split_of_image.get(s.image, s.split)) for s in layout.samples]
    listed = ", ".join(file.name for file in files)
    layout.notes.append(f"{listed} {_verb(files)} the split of {len(split_of_image)} of {len(layout.samples)} images")
    if changed:
        layout.warnings.append(
            f"{listed} and folders disagree on the split of {len(changed)} images, as {changed[0].image}: "
            f"{listed} is used"
        )
    if unknown:
        layout.warnings.append(
            f"{unknown[0].file} names {len(unknown)} images that are not found, as {unknown[0].name!r}: fix their names"
        )


def _verb(files: list[Path]) -> str:
    return "names" if len(files) == 1 else "name"


def _read(path: Path, layout: Layout) -> dict[Split, list[str]]:
    wrong = InputError(f'{path} is not a split file: write {{"test": ["name", ...]}}, or remove it')
    try:
        content = read_json(path)
    except InputError as error:
        raise error if error.code == UNREADABLE else wrong from None
    if not isinstance(content, dict):
        raise wrong
    content = _unwrapped(path, content)
    named: dict[Split, list[str]] = defaultdict(list)
    unknown = []
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
            unknown.append(key)
    if unknown:
        layout.warnings.append(
            f"{path} has the key {', '.join(map(repr, unknown))}, which is no name of a split (train, val or test): "
            "it is ignored"
        )
    if not named and unknown:
        raise InputError(f"{path} has the keys {', '.join(map(repr, unknown))}: name the splits train, val and test")
    return named


def _unwrapped(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The object that holds the splits, which may lie one level deeper: ``{"splits": {"train": [...]}}``.

    Raises:
        InputError: If there are several.
    """
    if any(split_of(key) for key in content):
        return content
    inner = {key: value for key, value in content.items() if isinstance(value, dict) and any(map(split_of, value))}
    if len(inner) > 1:
        raise InputError(
            f"{path} holds {len(inner)} splits ({', '.join(inner)}), and one is expected: keep one, as "
            '{"train": ["name", ...], ...}'
        )
    return next(iter(inner.values()), content)


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


def _lists(source: Path) -> dict[Path, Split]:
    """The lists in the first folder that has any, with their splits by name: ``train.txt``, ``test_list.csv``."""
    for folder in _LISTS:
        files = sorted([*(source / folder).glob("*.txt"), *(source / folder).glob("*.csv")])
        found = {file: split for file in files if (split := _split_of_list(file))}
        if found:
            return found
    return {}


def _split_of_list(file: Path) -> Split | None:
    if role_of(stem_of(file)) == "mask":
        return None  # train_masks.csv holds masks, as run lengths
    words = [word for word in words_of(stem_of(file)) if word not in _LIST_WORDS]
    return split_of(" ".join(words)) if words else None


def _lines(path: Path, names: _Names) -> list[str]:
    """The names in a list: whole lines, or the start of lines that have the mask's path behind; in a table, the column
    that names most images.
    """
    if path.suffix.lower() == ".csv":
        table = read_table(path)
        columns = [[name, *table.values(index)] for index, name in enumerate(table.columns)]
        best = max(columns, key=lambda cells: sum(names.find(cell) is not None for cell in cells), default=[])
        return [cell for cell in best[1:] if cell] if best and names.find(best[0]) is None else best
    lines = read_regular(path).decode("utf-8-sig", "replace").splitlines()
    out = []
    for line in filter(None, map(str.strip, lines)):
        parts = [line, re.split(r"[\t,;]", line)[0].strip(), line.split()[0]]
        out.append(next((part for part in parts if names.find(part)), line))
    return out


@dataclass
class _Names:
    """Samples by the ends of their paths, with and without suffix, which are unique."""

    samples: Iterable[Sample]
    ends: dict[str, Sample | None] = field(default_factory=dict)
    numbers: dict[int, Sample | None] = field(default_factory=dict)
    """By the number that a name is, leading zeros ignored."""

    def __post_init__(self) -> None:
        for sample in self.samples:
            parts = _parts(str(sample.image.absolute().as_posix()))
            for count in range(1, len(parts) + 1):
                whole = "/".join(parts[-count:])
                for key in {_key(whole), _key(_without_suffix(whole))}:
                    self.ends[key] = None if self.ends.get(key, sample) is not sample else sample
            if stem_of(sample.image).isdecimal():
                number = int(stem_of(sample.image))
                self.numbers[number] = None if number in self.numbers else sample

    def find(self, name: str) -> tuple[Sample, int] | None:
        """Find the sample whose path shares the longest unique end with a name.

        Args:
            name: As listed: a path, a file name or a number.

        Returns:
            The sample and the number of parts that match, or None.
        """
        parts = _parts(name)
        for count in range(len(parts), 0, -1):
            end = "/".join(parts[-count:])
            for key in (_key(end), _key(_without_suffix(end))):
                if (sample := self.ends.get(key)) is not None:
                    return sample, _WHOLE if count == len(parts) else count
        number = self.numbers.get(int(name)) if name.isdecimal() else None
        return (number, 0) if number is not None else None


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.strip().replace("\\", "/")).parts


def _key(name: str) -> str:
    return composed("/".join(_parts(name)).lower())


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return str(without_suffix(path)) if path.name else name
