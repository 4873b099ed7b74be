"""What came of a prediction over many files, and the lists it leaves: of failures, and of masks to be reviewed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.atomic_io import csv_line, write_csv, write_text
from amsunet.data.preprocessing import Size
from amsunet.errors import InputError
from amsunet.inference.prediction_record import PredictionRecord, append_line
from amsunet.inference.stores import is_url
from amsunet.inference.uncertainty import ReviewItem
from amsunet.regular_file import read_regular
from amsunet.safe_text import one_line
from amsunet.text_files import read_rows

REVIEW_LIST = "review.csv"
FAILURES = "failures.txt"
_FORMER_REVIEW_LIST = "please-check.csv"
"""What earlier versions wrote."""
_FIELDS = ("image", "uncertainty", "reason")


@dataclass
class Outcome:
    """What came of a prediction over many files."""

    written: int = 0
    """Images whose masks were made."""
    passed_over: int = 0
    """Images whose masks were there already, made of the same image by the same network."""
    failures: dict[str, str] = field(default_factory=dict)
    """What was wrong, by path, with images that have no mask."""
    review: list[ReviewItem] = field(default_factory=list)
    """The masks to be checked, the worst first."""
    sizes: Counter[Size] = field(default_factory=Counter)
    """How many images there were of each height and width, slides apart."""
    seconds: float = 0.0

    @property
    def images_per_second(self) -> float:
        return self.written / max(self.seconds, 1e-9)

    @property
    def pace(self) -> str:
        rate = self.images_per_second
        return f"{rate:.1f} images a second" if rate > 0.5 else f"{self.seconds:,.0f} seconds"


class Lists:
    """The lists beside the masks of a folder, to which several processes add at a time.

    A row is added as soon as it is known, so a kill leaves those of what was written. ``close`` puts this command's
    rows in order and in place of what earlier ones said of the same images; rows for other images stay.
    """

    def __init__(self, record: PredictionRecord) -> None:
        self._record, self._out = record, record.folder
        self._found: dict[str, tuple[str, ReviewItem | None, str]] = {}
        """By place: an image as it was named, its review item and its failure."""
        self._is_begun = False

    def add(self, image: str | Path, item: ReviewItem | None, failure: str = "") -> None:
        """Note that an image was handled: to be reviewed, without a mask, or neither.

        Args:
            image: Its path, or its address.
            item: Of a mask that is to be reviewed.
            failure: Why there is no mask.
        """
        self.pass_over(image, item, failure)
        if item is None and not failure:
            return
        with self._record.locked():
            if failure:
                append_line(self._out / FAILURES, _as_line(image, failure))
            if item is not None:
                self._begin_review_list()
                append_line(self._out / REVIEW_LIST, csv_line(_as_row(item).values()))

    def pass_over(self, image: str | Path, item: ReviewItem | None, failure: str = "") -> None:
        """Note what is known of an image, as ``add`` does, for ``close`` alone."""
        self._found[_place(image)] = str(image), item, failure

    def close(self) -> list[ReviewItem]:
        """Put the lists in order: this command's masks to be reviewed first, the worst of them at the top.

        Returns:
            These.
        """
        found = sorted(self._found.values(), key=lambda one: one[0])  # of workers, what ends first comes first
        review = sorted(
            (item for _, item, _ in found if item), key=lambda item: (item.warned_of, item.uncertainty), reverse=True
        )
        if not found:
            return review
        with self._record.locked():
            rows = [*map(_as_row, review), *self._other_rows()]
            lines = [_as_line(image, failure) for image, _, failure in found if failure] + self._other_failures()
            if rows:
                write_csv(self._out / REVIEW_LIST, rows)
            if lines:
                write_text(self._out / FAILURES, "".join(f"{line}\n" for line in lines))
            for name, is_empty in ((REVIEW_LIST, not rows), (FAILURES, not lines), (_FORMER_REVIEW_LIST, True)):
                if is_empty:
                    (self._out / name).unlink(missing_ok=True)
        return review

    def _begin_review_list(self) -> None:
        """Give the list its first line, and one that a person or another version wrote the columns of today."""
        path = self._out / REVIEW_LIST
        if path.exists() and (self._is_begun or _read_lines(path)[:1] == [csv_line(_FIELDS)]):
            self._is_begun = True
            return
        lines = [csv_line(row.values()) for row in _read_rows(path)]
        write_text(path, "".join(f"{line}\n" for line in (csv_line(_FIELDS), *lines)))
        self._is_begun = True

    def _other_rows(self) -> list[dict[str, str]]:
        """The rows of the lists that are there for other images; of one image the last."""
        rows = {}
        for name in (REVIEW_LIST, _FORMER_REVIEW_LIST):
            for row in _read_rows(self._out / name):
                rows[row["image"]] = row
        return [row for image, row in rows.items() if _place(image) not in self._found]

    def _other_failures(self) -> list[str]:
        """The lines for other images, but for those that were there when they failed and are not any more."""
        lines = {line.partition("\t")[0]: line for line in _read_lines(self._out / FAILURES)}
        others = {image: line for image, line in lines.items() if _place(image) not in self._found}
        gone = {image for image in others if not is_url(image) and not os.path.lexists(image)}
        if gone:
            last = {one.image: one for one in self._record.predictions() if one.image in gone}
            gone = {image for image, one in last.items() if one.file is not None}
        return [line for image, line in others.items() if image not in gone]


def _place(image: str | Path) -> str:
    """An image as the lists are searched for it, however it was named."""
    return os.path.abspath(one_line(str(image)))  # noqa: PTH100 - without following links


def _as_row(item: ReviewItem) -> dict[str, str]:
    values = (one_line(item.image), f"{item.uncertainty:.4f}", item.reason)
    return dict(zip(_FIELDS, values, strict=True))


def _as_line(image: str | Path, message: str) -> str:
    return f"{one_line(str(image))}\t{one_line(message)}"


def _read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a review list; none, if it is no such list."""
    try:
        rows = read_rows(path)
    except InputError:
        return
    for row in rows:
        if all(row.get(name) for name in _FIELDS):
            yield {name: row[name] for name in _FIELDS}


def _read_lines(path: Path) -> list[str]:
    try:
        return read_regular(path).decode("utf-8").splitlines()
    except (OSError, ValueError):  # not of UTF-8, or no regular file
        return []
