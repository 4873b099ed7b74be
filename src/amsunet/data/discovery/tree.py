"""What lies in a folder: its pictures, followed through links, and what is passed over."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.discovery.other_formats import describe_other, suffix_of
from amsunet.data.images import is_image

_OWN_OUTPUT = ("check.json", "model.safetensors")
"""Files that tell a folder which this package wrote."""


@dataclass
class Tree:
    """The pictures below a folder, sorted, and what is to be said of the rest."""

    pictures: list[Path] = field(default_factory=list)
    strange: list[Path] = field(default_factory=list)
    """Pictures with names that are not UTF-8."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    others: dict[str, list[Path]] = field(default_factory=dict)
    """Files of formats that are not read, by suffix."""

    @property
    def undecodable_names(self) -> list[str]:
        """Names that are not UTF-8, escaped."""
        return [os.fsencode(path).decode("utf-8", "backslashreplace") for path in self.strange]


def walk(source: Path) -> Tree:
    """Look at everything below a folder; links to folders are followed, each folder is entered once.

    Raises: PermissionError for a folder that may not be read: to pass over it would be silent.
    """
    tree, dead, again = Tree(), [], []
    entered = {os.path.realpath(source)}
    waiting = [source]
    linked: list[Path] = []
    while waiting or linked:
        # What lies here itself comes before what is only linked here.
        folder = waiting.pop() if waiting else linked.pop()
        if folder.is_symlink():
            if os.path.realpath(folder) in entered:
                again.append(folder)
                continue
            entered.add(os.path.realpath(folder))
            tree.notes.append(f"{folder} is a link to {os.path.realpath(folder)}: followed")
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir() and path.is_symlink():
                linked.append(path)
            elif path.is_dir() and _is_own_output(path):
                tree.notes.append(f"{path} is passed over: amsunet wrote it")
            elif path.is_dir():
                waiting += [path] if os.path.realpath(path) not in entered else []
                entered.add(os.path.realpath(path))
            elif path.is_symlink() and not path.exists():
                dead.append(path)
            else:
                _sort(path, tree)
    tree.pictures.sort()
    if again:
        tree.warnings.append(f"{_count(again, 'link')}: passed over, for the folder is read already")
    if dead:
        tree.warnings.append(f"{_count(dead, 'dead link')}: passed over, for nothing is there")
    return tree


def describe_other_files(tree: Tree) -> list[str]:
    """A sentence for each format that is not read: how many files, one of them, what to do."""
    return [
        f"{_count(paths, f'{suffix} file')}: {describe_other(paths[0])}"
        for suffix, paths in sorted(tree.others.items())
    ]


def _sort(path: Path, tree: Tree) -> None:
    if not _is_utf8(path):
        if is_image(path):
            tree.strange.append(path)
    elif is_image(path):
        tree.pictures.append(path)
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


def _is_own_output(folder: Path) -> bool:
    try:
        return any((folder / name).is_file() for name in _OWN_OUTPUT)
    except PermissionError:
        return False  # said when it is entered
