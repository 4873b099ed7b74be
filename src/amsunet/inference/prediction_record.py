"""What was predicted into a folder, a line for each image: what ``resume`` goes on from.

The file only grows. A line needs no other one, so files that several machines wrote are joined by writing one behind
the other; of one name the last line holds. A line that a kill tore is passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import Any

from pydantic import Field, ValidationError

from amsunet.atomic_io import as_input_error, printable
from amsunet.data.containers import files_of
from amsunet.file_lock import file_lock
from amsunet.inference.uncertainty import ReviewItem
from amsunet.records import Record
from amsunet.text_files import parse_json

RECORD = "predictions.jsonl"
_LOCK = ".predictions.lock"
_BEGUN = "begun"

FileStamp = tuple[int, int, int]
"""Bytes, and when the content and the entry of a file were last changed, in nanoseconds."""


def stamp(path: Path) -> FileStamp | None:
    """The stamp of a regular file; None of anything else. Whoever sets the former time changes the latter. Of channels
    in a file each it is the bytes of all and the last change of any.
    """
    try:
        found = [file.stat() for file in files_of(path)]
    except OSError:
        return None
    if not all(S_ISREG(one.st_mode) for one in found):
        return None
    changed, entered = (
        max(times) for times in zip(*((one.st_mtime_ns, one.st_ctime_ns) for one in found), strict=True)
    )
    return sum(one.st_size for one in found), changed, entered


def checksum(path: Path) -> str:
    """SHA-256 of a file, or of those of the files of its channels; empty if one cannot be read."""
    try:
        of_files = [_checksum(file, stamp(file)) for file in files_of(path)]
    except OSError:
        return ""
    return of_files[0] if len(of_files) == 1 else hashlib.sha256("".join(of_files).encode()).hexdigest()


@lru_cache(16)  # of a file of several images all of them ask
def _checksum(file: Path, stamp: FileStamp | None) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Prediction(Record):
    """What came of one image."""

    name: str
    """Of its mask, relative to the folder and without suffix."""
    image: str
    """As it was named."""
    file: FileStamp | None = None
    """None if there was no such file."""
    checksum: str = ""
    """SHA-256 of the image; empty of slides, which are too large to be read once more, and of failures."""
    network: str
    """``Predictor.checksum``, with what else the mask depends on."""
    outputs: dict[str, int] = Field(default_factory=dict)
    """Bytes of each file that was written, by its path relative to the folder."""
    uncertainty: float | None = None
    reason: str = ""
    """Why the mask is to be checked, if it is."""
    out_of_distribution: str = ""
    polarity: str = ""
    failure: str = ""
    """What was wrong, if there is no mask."""

    @property
    def review(self) -> ReviewItem | None:
        """The mask's place in the review list, if it is to be checked."""
        if not self.reason or self.uncertainty is None:
            return None
        return ReviewItem(self.image, self.uncertainty, self.reason, self.out_of_distribution, self.polarity)

    def is_of(self, image: Path) -> bool:
        """Whether an image is the one that was predicted. Where its path and its stamp are the same it is not read."""
        now = stamp(image)
        if now is None or self.file is None or now[0] != self.file[0]:
            return False
        if self.image == printable(str(image)) and now == self.file:
            return True
        if not self.checksum:
            return now[:2] == self.file[:2]
        return self.checksum == checksum(image)

    def is_from(self, image: Path) -> bool:
        """Whether it was predicted from this place, whatever lies there now."""
        return os.path.abspath(self.image) == os.path.abspath(printable(str(image)))  # noqa: PTH100 - without links


class PredictionRecord:
    """The record of one folder. Lines are added by several threads and processes at a time.

    Args:
        folder: Made when the first line is added.
        file_name: Of the record; workers that share no locks have one each.
    """

    def __init__(self, folder: Path, file_name: str = RECORD) -> None:
        self.folder, self.path = folder, folder / file_name
        self._threads, self._has_locks = Lock(), True
        self._places: dict[str, int | None] = {}
        """Where the last line of each name begins, as ``read`` found it; None of one that was begun and not ended."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold what several processes write in the folder, this record and the lists beside it."""
        with as_input_error(self.path), self._threads, ExitStack() as held:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._has_locks:
                self._has_locks = held.enter_context(file_lock(self.folder / _LOCK, timeout=-1))
            yield

    def begin(self, names: Sequence[str]) -> None:
        """Take note that files of these names are about to be written: what a kill leaves is known to be ours."""
        self._append({_BEGUN: [printable(name) for name in names]})

    def add(self, prediction: Prediction) -> None:
        """Take note of what came of an image, once its files are there."""
        self._append(prediction.model_dump(exclude_defaults=True))

    def read(self) -> None:
        """Find what is known by now: ``find`` and ``is_begun`` answer from it."""
        self._places.clear()
        for place, content in self._lines():
            if isinstance(begun := content.get(_BEGUN), list):
                self._places.update((name, None) for name in begun if isinstance(name, str))
            elif isinstance(name := content.get("name"), str):
                self._places[name] = place

    def find(self, name: str) -> Prediction | None:
        """What came of the image of this name at last, if it came to an end."""
        place = self._places.get(printable(name))
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place)
            return _as_prediction(_parse(file.readline()))

    def is_begun(self, name: str) -> bool:
        """Whether writing began and no end is known."""
        return self._places.get(printable(name), 0) is None

    def predictions(self) -> Iterator[Prediction]:
        """All that is whole, the oldest first, also of one name."""
        for _, content in self._lines():
            if (prediction := _as_prediction(content)) is not None:
                yield prediction

    def _append(self, content: dict[str, Any]) -> None:
        with self.locked():
            append_line(self.path, json.dumps(content, ensure_ascii=False))

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            place = 0
            for line in file:
                if content := _parse(line):
                    yield place, content
                place += len(line)


def append_line(path: Path, text: str) -> None:
    """Add a line to a file, on a line of its own whatever a kill left at the end. The caller holds the lock."""
    with path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
        torn = end and file.read(1) != b"\n"
        file.write(b"\n" * bool(torn) + printable(text).encode() + b"\n")


def _parse(line: bytes) -> dict[str, Any]:
    """The object of a line; empty if it is torn or damaged."""
    try:
        content = parse_json(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _as_prediction(content: dict[str, Any]) -> Prediction | None:
    try:
        return Prediction.model_validate(content)
    except ValidationError:
        return None
