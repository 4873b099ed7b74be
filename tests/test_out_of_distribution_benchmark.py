"""Hits and false alarms are counted, with what the model file holds and without."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest

from amsunet.inference.description import FILE_NAME
from amsunet.inference.model_file import load_model, save_model

TOOL = Path(__file__).parents[1] / "benchmarks" / "out_of_distribution.py"


@pytest.fixture
def measure(monkeypatch, tmp_path):
    def call(run: Path) -> dict:
        words = ["out_of_distribution", str(run), "sample:brain", "--out", str(tmp_path / "result.json")]
        monkeypatch.setattr("sys.argv", words)
        runpy.run_path(str(TOOL), run_name="__main__")
        return json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))

    return call


def test_foreign_images_are_told_and_a_run_of_an_earlier_version_is_measured_alike(whole, measure, tmp_path):
    found = measure(whole.run)
    assert found["hits"]["sample:brain"] == {"images": 32, "told": 32, "share": 1.0}
    assert found["hits"]["photographs of scikit-image"]["images"] == 17
    assert {split: counted["images"] for split, counted in found["false_alarms"].items()} == {"val": 2, "test": 4}
    assert found["training_images_remembered"] == 10
    earlier = shutil.copytree(whole.run, tmp_path / "earlier")
    network, description = load_model(earlier / FILE_NAME)
    save_model(earlier / FILE_NAME, network, description.model_copy(update={"appearance": None}))
    assert measure(earlier) == found
