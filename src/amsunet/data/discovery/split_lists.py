"""Lists of names such as ``train.txt`` and ``test.csv``, and the images that they name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from amsunet.data.discovery.other_formats import stem_of, without_suffix
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.spreadsheet import read_table, read_text
from amsunet.data.discovery.words import Split, composed, role_of, split_of, words_of
from amsunet.errors import InputError
from amsunet.text_files import read_json

_USUAL = (".", "ImageSets/Segmentation", "splits")
"""Folders of lists; the second is that of PASCAL VOC."""
_LIST_WORDS = frozenset({"list", "lists", "file", "files", "filenames", "name", "names", "id", "ids", "path", "paths"})
_WHOLE = 1000
"""Stands for the number of matching parts of a path if a name matches with all its parts."""


def find_lists(source: Path, files: Sequence[Path], names: SampleNames, layout: Layout) -> dict[Path, Split]:
    """Find the lists of names: those in the first usual folder that has any, else all that name images.

    Args:
        source: The data set's folder.
        files: The files of text in it.
        names: The names of its images.
        layout: Gets a warning where lists of several folders disagree.

    Returns:
        The lists with their splits by name: ``train.txt``, ``test_list.csv``.
    """
    by_folder: dict[Path, dict[Path, Split]] = defaultdict(dict)
    for file in files:
        if split := _split_of_list(file):
            by_folder[file.parent][file] = split
    for usual in _USUAL:
        if lists := by_folder.get(source / usual):
            return lists
    fitting: dict[Path, Split] = {}
    of_image: dict[Path, tuple[Split, Path]] = {}
    for file, split in [one for several in by_folder.values() for one in several.items()]:
        named = lines_of(file, names)
        images = {found[0].image for name in named if (found := names.find(name))}
        if 2 * len(images) < len(named) or not images or (file.suffix == ".csv" and all(map(str.isdecimal, named))):
            continue  # numbers in a table may be anything
        fitting[file] = split
        for image in sorted(images):
            before = of_image.setdefault(image, (split, file))
            if before[0] != split and before[1].parent != file.parent:
                layout.warnings.append(
                    f"{before[1]} and {file} are not used: they put {image.name} into two splits; leave one of the "
                    "folders, or write a split.json"
                )
                return {}
    return fitting


def _split_of_list(file: Path) -> Split | None:
    if role_of(stem_of(file)) == "mask":
        return None  # train_masks.csv holds masks, as run lengths
    words = [word for word in words_of(stem_of(file)) if word not in _LIST_WORDS]
    split = split_of(" ".join(words)) if words else None
    return split if split is None or file.suffix.lower() != ".json" or _entries(file) else None


def _entries(file: Path) -> list[str]:
    """The names in a list of JSON; empty if it holds something else."""
    try:
        content = read_json(file)
    except InputError:
        return []
    listed = content if isinstance(content, list) else []
    return [str(one) for one in listed] if all(isinstance(one, str | int) for one in listed) else []


def lines_of(path: Path, names: SampleNames) -> list[str]:
    """Read a list: whole lines, or the start of lines that have the mask's path behind; in a table, the column that
    names most images.

    Args:
        path: The list.
        names: The names of images.

    Returns:
        The names in it.
    """
    if path.suffix.lower() == ".json":
        return _entries(path)
    if path.suffix.lower() == ".csv":
        table = read_table(path)
        columns = [[name, *table.values(index)] for index, name in enumerate(table.columns)]
        best = max(columns, key=lambda cells: sum(names.find(cell) is not None for cell in cells), default=[])
        return [cell for cell in best[1:] if cell] if best and names.find(best[0]) is None else best
    lines = read_text(path).splitlines()
    out = []
    for line in filter(None, map(str.strip, lines)):
        parts = [line, re.split(r"[\t,;]", line)[0].strip(), line.split()[0]]
        out.append(next((part for part in parts if names.find(part)), line))
    return out


@dataclass
class SampleNames:
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
