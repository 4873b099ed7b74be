"""What came of a prediction over many files, and the lists it leaves: of failures, and of masks to be reviewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.atomic_io import write_csv, write_text
from amsunet.data.preprocessing import Size
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage
from amsunet.inference.uncertainty import ReviewItem
from amsunet.safe_text import one_line
from amsunet.text_files import read_rows

REVIEW_LIST = "review.csv"
_FORMER_REVIEW_LIST = "please-check.csv"
"""What earlier versions wrote."""


@dataclass
class Outcome:
    """What came of a prediction over many files."""

    written: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """What was wrong, by path."""
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


def write_lists(outcome: Outcome, inputs: Sequence[InputImage], out: Path) -> None:
    """Write the lists of failures and of masks to be checked, in place of those of the last prediction; but masks that
    stay in the folder from then are listed still, behind the others.
    """
    (out / "failures.txt").unlink(missing_ok=True)
    if outcome.failures:
        lines = "".join(f"{one_line(path)}\t{one_line(message)}\n" for path, message in outcome.failures.items())
        write_text(out / "failures.txt", lines)
    outcome.review.sort(key=lambda item: (item.warned_of, item.uncertainty), reverse=True)
    rows = [{"image": one.image, "uncertainty": f"{one.uncertainty:.4f}", "reason": one.reason}
            for one in outcome.review]  # fmt: skip
    made_anew = {one_line(str(one.image)) for one in inputs}
    for name in (REVIEW_LIST, _FORMER_REVIEW_LIST):
        rows += _still_to_review(out / name, made_anew)
        (out / name).unlink(missing_ok=True)
    if rows:
        write_csv(out / REVIEW_LIST, rows)


def _still_to_review(path: Path, made_anew: set[str]) -> list[dict[str, str]]:
    """The rows of a list for masks of other images than those; nothing, if it is not such a list."""
    try:
        rows = read_rows(path)
    except InputError:
        return []
    fields = ("image", "uncertainty", "reason")
    return [
        {name: row[name] for name in fields}
        for row in rows
        if all(row.get(name) for name in fields) and row["image"] not in made_anew
    ]
