"""Read the split of a data set from ``split.json``, or from lists of names such as ``train.txt`` and ``test.csv``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amsunet.data.discovery.dataset_json import NAME
from amsunet.data.discovery.path_words import named_in_paths
from amsunet.data.discovery.sample import Layout
from amsunet.data.discovery.split_lists import SampleNames, find_lists, lines_of
from amsunet.data.discovery.words import Split, split_of
from amsunet.errors import InputError
from amsunet.text_files import UNREADABLE, read_json

_FILES = ("split.json", "splits.json")
_REST = ("rest", "other", "others", "remaining")
_MOST_JSON, _LARGEST = 20, 1 << 24
"""Files of JSON in a folder, and bytes of one, above which they are annotations."""
_FOLDS = ("splits_final.json", "splits_final.pkl")
"""Files of nnU-Net that hold folds and no split."""


@dataclass(frozen=True)
class _Named:
    """The name of an image in a file that puts it into a split."""

    file: Path
    split: Split
    name: str


def apply_split_file(source: Path, layout: Layout, files: Sequence[Path]) -> None:
    """Take the split from ``split.json``, {"test": [names], ...} or {"name": "test", ...}, or from lists of names.

    Args:
        source: The data set's folder.
        layout: Its samples get their splits; notes and warnings name the files.
        files: Those in the folder that may name splits: one of another name or place is used if it names images, and
            no other one says otherwise.

    Raises:
        InputError: If the file cannot be read, names no image of the data set, or has a name in two splits.
    """
    names = SampleNames(layout.samples)
    path = next((source / name for name in _FILES if (source / name).is_file()), None)
    lists = find_lists(source, files, names, layout)
    path = path or (None if lists else _of_another_name(source, files, names, layout))
    if path is not None:
        named = [_Named(path, split, name) for split, of_split in _read(path, layout).items() for name in of_split]
        if not named:
            raise InputError(f'{path} names no image: write {{"test": ["name", ...]}}, or remove it')
        _apply(named, names, layout)
    elif lists:
        named = [_Named(file, split, name) for file, split in lists.items() for name in lines_of(file, names)]
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


def _of_another_name(source: Path, files: Sequence[Path], names: SampleNames, layout: Layout) -> Path | None:
    """The file of JSON with the keys of splits that names images, whatever it is called."""
    found = []
    for path in [file for file in files if file.suffix.lower() == ".json" and file.name not in (NAME, *_FOLDS)]:
        if len([*path.parent.glob("*.json")]) > _MOST_JSON or path.stat().st_size > _LARGEST:
            continue  # an annotation for each image, or for all of them
        try:
            named = [name for of_split in _read(path, Layout()).values() for name in of_split]
        except InputError:
            continue
        if any(map(names.find, named)):
            found.append(path)
        elif named and path.parent == source:
            layout.warnings.append(
                f"{path} is not used: it has the keys of splits, and names no image of the data set, as {named[0]!r}"
            )
    if len(found) > 1:
        layout.warnings.append(
            f"{found[0]} and {found[1]} both name a split, and none of them is used: call the one that is meant "
            "split.json"
        )
    return found[0] if len(found) == 1 else None


def _apply(named: list[_Named], names: SampleNames, layout: Layout) -> None:
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
    if not split_of_image and (in_paths := named_in_paths(layout.samples, list({one.name for one in named}))):
        _apply(
            [
                _Named(one.file, one.split, s.image.as_posix())
                for s in layout.samples
                for one in named
                if one.name == in_paths[s.name]
            ],
            names,
            layout,
        )
        return
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
