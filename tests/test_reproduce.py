"""One command from a raw folder to its table."""

from __future__ import annotations

import json
import runpy
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


def test_a_seed_is_trained_judged_and_recorded_once(tool, make_dataset, monkeypatch, tmp_path, capfd):
    loaded, home = tool
    data = make_dataset(12)
    monkeypatch.setitem(home, "FOLDERS", {"drive": data.name})
    small = ["--base-channels", "4", "--steps-per-epoch", "2", "--crop", "32", "--batch-size", "2", "--device", "cpu"]
    words = ["reproduce", "drive", "--minutes", "0.02", "--root", str(data.parent), *small]
    monkeypatch.setattr("sys.argv", words)
    loaded["main"]()
    (folder,) = (tmp_path / "results").iterdir()
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert folder.name == "drive_0.02min_seed0"
    assert {"plain", "with_flips"} <= result.keys() and result["commit"] == "abc1234"
    assert {path.name for path in folder.iterdir()} >= {"images.csv", "images_flips.csv", "splits.json", "metrics.csv"}
    capfd.readouterr()
    loaded["main"]()
    assert "is there already" in capfd.readouterr().out


def test_missing_data_are_named(tool, monkeypatch, tmp_path):
    loaded, _ = tool
    monkeypatch.setattr("sys.argv", ["reproduce", "glas", "--root", str(tmp_path)])
    with pytest.raises(SystemExit, match="GlaS is missing: get GlaS from its owners"):
        loaded["main"]()
