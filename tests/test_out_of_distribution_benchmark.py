"""Hits and false alarms are counted, of a network that ships and of a run."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

TOOL = Path(__file__).parents[1] / "benchmarks" / "out_of_distribution.py"


def test_foreign_images_are_told_and_seen_ones_are_no_false_alarms(whole, monkeypatch, tmp_path, make_dataset):
    out, other = tmp_path / "result.json", make_dataset(10)
    command = ["out_of_distribution", f"{whole.run}=sample:nuclei", f"vessels={other}", "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    runpy.run_path(str(TOOL), run_name="__main__")
    networks = json.loads(out.read_text(encoding="utf-8"))["networks"]
    run, vessels = networks[str(whole.run)], networks["vessels"]
    assert run["false_alarms"]["images"] == 4, "those of the test split"
    assert run["training_images_remembered"] == 10
    assert run["hits"][other.name] == {"images": 10, "told": 10, "share": 1.0}
    assert vessels["hits"]["sample:nuclei"] == {"images": 16, "told": 16, "share": 1.0}
    assert vessels["hits"]["photographs of scikit-image"]["images"] == 17
