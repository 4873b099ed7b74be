"""What a long prediction has reached, in a hidden folder beside its result: it goes on from there after a kill."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import Timeout

from amsunet.checked_json import read_checked, write_checked
from amsunet.data.images import Array
from amsunet.errors import InputError
from amsunet.file_lock import file_lock
from amsunet.regular_file import refuse_irregular

_STATE = "state.json"


class FileArray:
    """Numbers (planes, rows, columns) in a file, written and read in parts, of which no more is in memory."""

    def __init__(self, path: Path, planes: int, rows: int, columns: int, dtype: npt.DTypeLike) -> None:
        self._path, self.shape, self._dtype = path, (planes, rows, columns), np.dtype(dtype)
        self.is_new = _size_of(path) != self.nbytes
        if self.is_new:
            with path.open("wb") as file:
                file.truncate(self.nbytes)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self._dtype.itemsize

    def write(self, rows: slice, columns: slice, part: Array) -> None:
        """Write (planes, h, w) or, of one plane, (h, w)."""
        part = np.ascontiguousarray(part, self._dtype).reshape(-1, columns.stop - columns.start)
        with self._path.open("r+b") as file:
            for place, line in zip(self._places(rows, columns), part, strict=True):
                file.seek(place)
                file.write(line.data)

    def read(self, rows: slice, columns: slice) -> Array:
        """Read (planes, h, w)."""
        part = np.empty((self.shape[0], rows.stop - rows.start, columns.stop - columns.start), self._dtype)
        lines = part.reshape(-1, part.shape[-1])
        with self._path.open("rb", buffering=0) as file:
            for place, line in zip(self._places(rows, columns), lines, strict=True):
                file.seek(place)
                file.readinto(line.data)
        return part

    def _places(self, rows: slice, columns: slice) -> Iterator[int]:
        """Where the lines of a part begin in the file."""
        for plane in range(self.shape[0]):
            for row in range(rows.start, rows.stop):
                line = plane * self.shape[1] + row
                yield (line * self.shape[2] + columns.start) * self._dtype.itemsize


class Scratch:
    """The labels so far, and the sums of logits that the next row of tiles needs. Open it in a ``with`` block.

    Args:
        folder: Made if it does not exist; begun anew if what it holds is of another job.
        job: What the result depends on, as JSON can hold it.
        labels: Height and width of the result.
        carries: For each row of tiles (planes, rows, columns) of the sums that it takes over from the one above.

    Raises:
        InputError: If another process is at it.
    """

    def __init__(
        self, folder: Path, job: dict[str, Any], labels: tuple[int, int], carries: list[tuple[int, int, int]]
    ) -> None:
        self.folder, self._job, self._carries = folder, job, carries
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = ExitStack()
        try:
            self._lock.enter_context(file_lock(folder / "lock"))
        except Timeout:
            raise InputError(f"{folder} is being worked on by another command: wait for it or end it") from None
        self.labels = FileArray(folder / "labels", 1, *labels, np.uint8)
        state = _state_of(folder, job)
        self.rows_done: int = 0
        self.sums: Any = None
        if state is not None and not self.labels.is_new:
            self.rows_done, self.sums = state["rows_done"], state["sums"]

    @staticmethod
    def is_of(folder: Path, job: dict[str, Any]) -> bool:
        """Whether a folder holds what was reached of a job."""
        return _state_of(folder, job) is not None

    @staticmethod
    def largest_size(labels: tuple[int, int], carries: list[tuple[int, int, int]]) -> int:
        """Bytes that its files take at the most."""
        return math.prod(labels) + 2 * 4 * max(math.prod(shape) for shape in carries)

    def carry(self, row: int) -> FileArray:
        """The sums that a row of tiles takes over."""
        # Two files in turn: the one that a row began with stays as it was until the row is finished.
        return FileArray(self.folder / f"carry{row % 2}", *self._carries[row], np.float32)

    def finish_row(self, row: int, sums: Any) -> None:
        """Take note that a row of tiles is done.

        Args:
            row: Its number, from 0.
            sums: What was counted up to here, as JSON can hold it.
        """
        self.rows_done, self.sums = row + 1, sums
        write_checked(self.folder / _STATE, {"job": self._job, "rows_done": self.rows_done, "sums": sums})

    def remove(self) -> None:
        """Leave nothing."""
        (self.folder / _STATE).unlink(missing_ok=True)  # first: without labels it would name rows that do not exist
        self._lock.close()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()


def _size_of(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return refuse_irregular(path).st_size
    except FileNotFoundError:
        return -1


def _state_of(folder: Path, job: dict[str, Any]) -> dict[str, Any] | None:
    """What was reached of a job, if that is what the folder holds."""
    try:
        state: dict[str, Any] = read_checked(folder / _STATE)
        return state if state["job"] == job and isinstance(state["rows_done"], int) and "sums" in state else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
