"""Names that are taken in a folder, as its file system tells them apart."""

from __future__ import annotations

import tempfile
import unicodedata
from functools import cached_property
from pathlib import Path


class TakenNames:
    """Paths and the images they belong to, found as the file system of a folder takes names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exact: dict[Path, Path] = {}
        self._similar: dict[str, Path] = {}

    def add(self, path: Path, image: Path) -> None:
        self._exact[path] = self._similar[_without_case(path)] = image

    def find(self, path: Path) -> Path | None:
        """The image that a path, or one that is the same here, belongs to."""
        similar = self._similar.get(_without_case(path))
        if similar is None or path in self._exact:
            return self._exact.get(path)
        return similar if self._ignores_case else None

    @cached_property
    def _ignores_case(self) -> bool:
        return ignores_case(self._folder)


def ignores_case(folder: Path) -> bool:
    """Whether names that differ by case alone are one name in a folder, which need not exist."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    with tempfile.NamedTemporaryFile(dir=there, prefix=".case", suffix=".partial") as file:
        path = Path(file.name)
        return path.with_name(path.name.upper()).exists()


def _without_case(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
