"""Fine-tuning against training from scratch: the same images and steps for both."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from PIL import Image

from amsunet.errors import InputError

TOOL = Path(__file__).parents[1] / "benchmarks" / "transfer.py"


@pytest.fixture
def tool(monkeypatch, tmp_path):
    loaded = runpy.run_path(str(TOOL))
    monkeypatch.setitem(loaded["main"].__globals__, "ROOT", tmp_path)
    return loaded


def test_both_ways_see_the_same_images_for_as_many_steps(tool, ensemble, quick, monkeypatch, tmp_path):
    run = ensemble / "fold0"  # a run like any other
    words = ["transfer", "sample:nuclei", "--start", str(run), "--images", "2", "4", "--steps", "6", "--seeds", "1"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setitem(tool["main"].__globals__, "EPOCHS", 2)
    tool["main"](**{name: value for name, value in quick.items() if name != "steps_per_epoch"})
    result = json.loads((tmp_path / "results" / "transfer_nuclei" / "result.json").read_text(encoding="utf-8"))
    assert [(row["images"], row["way"]) for row in result["rows"]] == [
        (count, way) for count in (2, 4) for way in ("scratch", "transfer")
    ]
    assert result["steps"] == 6 and result["start"] == run.name
    runs = sorted((tmp_path / "runs" / "transfer_nuclei").iterdir())
    plans, splits = [], []
    for folder in runs:
        plans.append(json.loads((folder / "config.json").read_text(encoding="utf-8"))["plan"])
        splits.append(json.loads((folder / "data.json").read_text(encoding="utf-8"))["splits"])
    for scratch, transfer in ((0, 2), (1, 3)):
        assert splits[scratch] == splits[transfer]
        assert plans[scratch]["pretrained"] is None and plans[scratch]["reasons"]["pretrained"] == "set by you"
        assert {**plans[scratch], "pretrained": str(run), "reasons": {}} == {**plans[transfer], "reasons": {}}
    seen = [{name for name, split in cut.items() if split == "train"} for cut in splits[:2]]
    assert seen[0] < seen[1] and [len(names) for names in seen] == [2, 4]
    assert Image.open(tmp_path / "results" / "transfer_nuclei" / "curve.png").width > 100


def test_more_images_than_there_are_is_told(tool):
    splits = {"a": "train", "b": "train", "c": "val"}
    with pytest.raises(InputError, match="2 training images, not 5: name fewer with --images"):
        tool["reduced"](splits, 5, seed=0)
