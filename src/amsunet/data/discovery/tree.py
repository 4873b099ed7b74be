"""Walk a folder: list its pictures, follow links, and note what is skipped."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.containers import OUTLINE_SUFFIXES, is_container
from amsunet.data.discovery.other_formats import describe_other, suffix_of
from amsunet.data.image_file import is_image
from amsunet.data.readers.imagej_rois import is_of_regions

_OUTPUT_FILES = ("check.json", "model.safetensors")
"""A folder with one of these files was written by this package."""
_TABLES = (".txt", ".csv", ".json")


@dataclass
class Tree:
    """The pictures below a folder, sorted, with notes and warnings on the other files."""

    pictures: list[Path] = field(default_factory=list)
    undecodable: list[Path] = field(default_factory=list)
    """Pictures with names that are not UTF-8."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    others: dict[str, list[Path]] = field(default_factory=dict)
    """Files of formats that are not read, by suffix in lower case."""
    outlines: list[Path] = field(default_factory=list)
    """Files that may hold outlines, by their names."""
    tables: list[Path] = field(default_factory=list)
    """Files of text (``.txt``, ``.csv``, ``.json``), which may name splits."""
    empty: list[Path] = field(default_factory=list)
    """Folders that hold nothing."""

    @property
    def undecodable_names(self) -> list[str]:
        """Names that are not UTF-8, escaped."""
        return [os.fsencode(path).decode("utf-8", "backslashreplace") for path in self.undecodable]


def walk(source: Path) -> Tree:
    """List the files below a folder. Links to folders are followed, and each folder is entered once.

    Args:
        source: A folder.

    Returns:
        Its pictures, and the files of other formats.

    Raises:
        PermissionError: If a folder may not be read; to skip it would be silent.
    """
    tree, dead, again = Tree(), [], []
    entered = {os.path.realpath(source)}
    waiting = [source]
    linked: list[Path] = []
    while waiting or linked:
        # Files of the folder come before linked ones.
        folder = waiting.pop() if waiting else linked.pop()
        if folder.is_symlink() and folder != source:
            if os.path.realpath(folder) in entered:
                again.append(folder)
                continue
            entered.add(os.path.realpath(folder))
            tree.notes.append(f"{folder} is a link to {os.path.realpath(folder)}: followed")
        inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        tree.empty += [] if inside else [folder]
        for path in inside:
            if path.is_dir() and path.is_symlink():
                linked.append(path)
            elif path.is_dir() and _is_output(path):
                tree.notes.append(f"{path} is skipped: amsunet wrote it")
            elif path.is_dir():
                waiting += [path] if os.path.realpath(path) not in entered else []
                entered.add(os.path.realpath(path))
                tree.tables += [path] if suffix_of(path) in _TABLES else []  # who opens it says what it is
            elif path.is_symlink() and not path.exists():
                dead.append(path)
            else:
                _sort(path, tree)
    tree.pictures.sort()
    tree.outlines.sort()
    tree.tables.sort()
    if again:
        tree.warnings.append(f"{_count(again, 'link')}: skipped, for the folder is read already")
    if dead:
        tree.warnings.append(f"{_count(dead, 'dead link')}: skipped, for the target is not found")
    return tree


def describe_other_files(tree: Tree) -> list[str]:
    """Describe the files that are not read.

    Args:
        tree: The files of a folder.

    Returns:
        For each format a clause that counts the files, names one and advises what to do.
    """
    return [
        f"{_count(paths, f'{suffix} file')}: {describe_other(paths[0])}"
        for suffix, paths in sorted(tree.others.items())
    ]


def _sort(path: Path, tree: Tree) -> None:
    if not _is_utf8(path):
        if is_image(path) or is_container(path):
            tree.undecodable.append(path)
        return
    if suffix_of(path) in _TABLES:
        tree.tables.append(path)
    if is_image(path) or is_container(path):
        tree.pictures.append(path)
    elif suffix_of(path) in OUTLINE_SUFFIXES and (suffix_of(path) != ".zip" or is_of_regions(path)):
        tree.outlines.append(path)
    elif describe_other(path) is not None:
        tree.others.setdefault(suffix_of(path), []).append(path)


def _count(paths: list[Path], what: str) -> str:
    return f"{len(paths)} {what}{'s' * (len(paths) > 1)}, as {sorted(paths)[0]}"


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_output(folder: Path) -> bool:
    try:
        return any((folder / name).is_file() for name in _OUTPUT_FILES)
    except PermissionError:
        return False  # refused when it is entered
