"""Tiles of several sizes are compared with whole images."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def _call(monkeypatch, name, *words):
    monkeypatch.setattr("sys.argv", [name, *map(str, words)])
    runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")


def test_tilings_are_evaluated_on_the_images_that_they_cut(whole, monkeypatch, tmp_path):
    _call(monkeypatch, "tiles", whole.run, "--images", 3, "--tiles", "64,96", "--out", tmp_path / "tiles.json")
    result = json.loads((tmp_path / "tiles.json").read_text(encoding="utf-8"))
    assert result["split"] == "val" and 0 < result["images"] <= 3
    assert min(result["working_pixels"]) > 96 * 96
    assert [(row["tile"], row["overlap"]) for row in result["tilings"]] == [
        (64, 0), (64, 8), (64, 16), (64, 32), (96, 0), (96, 12), (96, 24), (96, 48)
    ]  # fmt: skip
    for row in result["tilings"]:
        assert row["dice"] - result["whole"] == pytest.approx(row["minus_whole"])
        assert row["worst_image_minus_whole"] <= row["minus_whole"] + 1e-9
    assert any(row["labels_that_differ"] for row in result["tilings"])
    assert result["overlap_that_covers_it"] >= result["receptive_field"]


def test_images_that_no_tile_cuts_are_told(whole, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="no image of sample:nuclei is larger than a tile of 4096"):
        _call(monkeypatch, "tiles", whole.run, "--tiles", "4096", "--out", tmp_path / "tiles.json")
    assert not (tmp_path / "tiles.json").exists()


def test_a_huge_image_is_made_and_its_memory_measured(monkeypatch, tmp_path):
    _call(monkeypatch, "slide", "--side", 300, "--precision", "float32", "--out", tmp_path / "slide.json")
    result = json.loads((tmp_path / "slide.json").read_text(encoding="utf-8"))
    assert result["side"] == 300 and 0.1 < result["peak_gb"] < 10 and result["mask_mb"] > 0
