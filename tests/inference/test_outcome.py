"""The lists that a prediction leaves beside its masks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from amsunet.inference.outcome import FAILURES, REVIEW_LIST, Lists
from amsunet.inference.prediction_record import PredictionRecord
from amsunet.inference.uncertainty import ReviewItem


def _item(image: str, uncertainty: float) -> ReviewItem:
    return ReviewItem(image, uncertainty, "less sure", "")


def _rows(out: Path) -> list[tuple[str, str]]:
    with (out / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        return [(row["image"], row["uncertainty"]) for row in csv.DictReader(lines)]


def test_a_review_list_of_an_earlier_version_is_carried_on(tmp_path):
    former = "image,uncertainty,reason\nkept.png,0.5000,less sure\nanew.png,0.4000,less sure\n"
    (tmp_path / "please-check.csv").write_text(former, encoding="utf-8")
    lists = Lists(PredictionRecord(tmp_path))
    lists.add(Path("anew.png"), _item("anew.png", 0.3))
    assert lists.close() == [_item("anew.png", 0.3)]
    assert _rows(tmp_path) == [("anew.png", "0.3000"), ("kept.png", "0.5000")]
    assert not (tmp_path / "please-check.csv").exists()


def test_rows_stand_there_before_the_end(tmp_path):
    """A kill leaves them."""
    lists = Lists(PredictionRecord(tmp_path / "out"))
    lists.add(Path("a.png"), _item("a.png", 0.1))
    lists.add(Path("b.png"), None)
    lists.add(Path("c.png"), None, "c.png is damaged")
    lists.add(Path("d.png"), _item("d.png", 0.2))
    assert _rows(tmp_path / "out") == [("a.png", "0.1000"), ("d.png", "0.2000")]
    assert (tmp_path / "out" / FAILURES).read_text() == "c.png\tc.png is damaged\n"


@pytest.mark.parametrize(
    "there",
    ["uncertainty,image,reason,seen\n0.5,old.png,less sure,yes\n", "image,uncertainty,reason\nold.png,0.5,less sure"],
)
def test_a_list_that_a_person_saved_is_gone_on_with(tmp_path, there):
    """With other columns, or without an end of the last line."""
    (tmp_path / REVIEW_LIST).write_text(there, encoding="utf-8")
    lists = Lists(PredictionRecord(tmp_path))
    for number in range(2):
        lists.add(Path(f"{number}.png"), _item(f"{number}.png", 0.1))
    assert _rows(tmp_path) == [("old.png", "0.5"), ("0.png", "0.1000"), ("1.png", "0.1000")]


def test_two_commands_keep_each_others_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = (Lists(PredictionRecord(tmp_path / "out")) for _ in range(2))
    one.add(Path("a.png"), _item("a.png", 0.3))
    two.add(Path("b.png"), None, "b.png is damaged")
    two.add(Path("c.png"), _item("c.png", 0.2))
    one.add(Path("d.png"), None, "d.png is damaged")
    one.close()
    two.close()
    assert _rows(tmp_path / "out") == [("c.png", "0.2000"), ("a.png", "0.3000")]
    lines = (tmp_path / "out" / FAILURES).read_text().splitlines()
    assert lines == ["b.png\tb.png is damaged", "d.png\td.png is damaged"]
    # A success takes a failure and a doubt away, however the image is named.
    three = Lists(PredictionRecord(tmp_path / "out"))
    for name in "abcd":
        three.add(tmp_path / f"{name}.png", None)
    three.close()
    assert not (tmp_path / "out" / FAILURES).exists() and not (tmp_path / "out" / REVIEW_LIST).exists()


def test_what_was_not_reached_keeps_its_rows(tmp_path):
    (tmp_path / FAILURES).write_text("far.png\tfar.png is damaged\n", encoding="utf-8")
    lists = Lists(PredictionRecord(tmp_path))
    lists.close()
    lists.add(Path("near.png"), None)
    lists.close()
    assert (tmp_path / FAILURES).read_text(encoding="utf-8") == "far.png\tfar.png is damaged\n"
