"""The lists that a prediction leaves beside its masks."""

from __future__ import annotations

import csv
from pathlib import Path

from amsunet.inference.inputs import InputImage
from amsunet.inference.outcome import REVIEW_LIST, Outcome, write_lists
from amsunet.inference.uncertainty import ReviewItem


def test_a_review_list_of_an_earlier_version_is_carried_on(tmp_path):
    former = "image,uncertainty,reason\nkept.png,0.5000,less sure\nanew.png,0.4000,less sure\n"
    (tmp_path / "please-check.csv").write_text(former, encoding="utf-8")
    outcome = Outcome(written=1, review=[ReviewItem("anew.png", 0.3, "less sure", "")])
    write_lists(outcome, [InputImage(Path("anew.png"), "anew")], tmp_path)
    with (tmp_path / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        assert [(row["image"], row["uncertainty"]) for row in csv.DictReader(lines)] == [
            ("anew.png", "0.3000"), ("kept.png", "0.5000"),
        ]  # fmt: skip
    assert not (tmp_path / "please-check.csv").exists()
