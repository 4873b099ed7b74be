"""One command from a raw folder to its table."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """The tool, with its results and runs in an empty folder."""
    loaded = runpy.run_path(str(ROOT / "tools" / "reproduce.py"))
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "record.py").write_text((ROOT / "tools" / "record.py").read_text(encoding="utf-8"))
    home = loaded["main"].__globals__
    monkeypatch.setitem(home, "ROOT", tmp_path)
    monkeypatch.setitem(home, "commit_of", lambda: "abc1234")
    return loaded, home


@pytest.fixture
def asked(tool, make_dataset, monkeypatch):
    """The command line for two seeds, and the settings of trainings of seconds."""
    data = make_dataset(12)
    monkeypatch.setitem(tool[1], "FOLDERS", {"drive": data.name})
    words = ["reproduce", "drive", "--minutes", "0.005", "--seeds", "2", "--root", str(data.parent)]
    monkeypatch.setattr("sys.argv", words)
    return {"base_channels": 4, "steps_per_epoch": 2, "crop": (32, 32), "batch_size": 2}


def test_seeds_are_trained_judged_and_recorded_once(tool, asked, monkeypatch, tmp_path, capfd):
    loaded, home = tool
    loaded["main"](**asked)
    told = capfd.readouterr().out
    folders = sorted((tmp_path / "results").iterdir())
    assert [folder.name.partition("_0.005min_")[2] for folder in folders] == ["seed0", "seed1"]
    for seed, folder in enumerate(folders):
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert {"plain", "with_flips", "with_flips_and_turns"} <= result.keys() and result["commit"] == "abc1234"
        assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["plan"]["seed"] == seed
        assert f"--seed {seed} --model amsunet --base-channels 4;" in result["command"]
        scores = {"images.csv", "images_flips.csv", "images_d4.csv"}
        assert {p.name for p in folder.iterdir()} >= scores | {"splits.json", "metrics.csv"}
        assert f"{result['plain']['mean_over_classes']['dice']['mean']:.4f}" in told
    assert "mean of 2 seeds, with_flips" in told
    for name in ("train", "resume"):
        monkeypatch.setitem(home, name, None)  # what is done is not done again
    loaded["main"](**asked)
    assert capfd.readouterr().out == told[told.index(" " * 44) :]


def test_a_stopped_training_is_not_recorded_and_goes_on(tool, asked, monkeypatch, tmp_path):
    loaded, home = tool
    train = home["train"]
    monkeypatch.setitem(home, "train", lambda *words, **more: replace(train(*words, **more), interrupted=True))
    monkeypatch.setattr("sys.argv", [word if word != "2" else "1" for word in sys.argv])
    with pytest.raises(SystemExit, match="the same command goes on"):
        loaded["main"](**asked)
    assert not (tmp_path / "results").exists()
    monkeypatch.setitem(home, "train", None)  # it goes on and does not begin again
    loaded["main"](**asked)
    assert len(list((tmp_path / "results").iterdir())) == 1


def test_results_of_before_have_fewer_ways(tool):
    loaded, _ = tool

    def scored(dice):
        scores = {"dice": {"mean": dice, "low": dice, "high": dice}, "iou": {"mean": dice}, "cldice": {"mean": None}}
        return {"mean_over_classes": scores, "pooled_over_pixels": {"dice": dice}}

    results = {"old": {"plain": scored(0.5)}, "new": {"plain": scored(0.7), "with_flips": scored(0.8)}}
    told = loaded["table"](results)
    assert "mean of 2 seeds, plain" in told and "0.6000" in told and "mean of 1" not in told


def test_missing_data_are_named(tool, monkeypatch, tmp_path):
    loaded, _ = tool
    monkeypatch.setattr("sys.argv", ["reproduce", "glas", "--root", str(tmp_path)])
    with pytest.raises(SystemExit, match="GlaS is missing: get GlaS from its owners"):
        loaded["main"]()
