"""Steps of every network and form are timed and set against the plain form and U-Net."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import training_step

TOOL = Path(training_step.__file__)


def test_every_case_is_measured_and_compared(tmp_path, monkeypatch, capsys):
    """The process of each case is this one, or each would import torch anew."""

    def call(*words: object) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [str(word) for word in words])
            training_step.main()
        return capsys.readouterr().out

    monkeypatch.setattr(training_step, "measured", lambda *words: json.loads(call(*words).splitlines()[-1]))
    words = ["--batches", "2", "--sides", "32", "--rounds", "1", "--steps", "1"]
    call(TOOL, *words, "--out", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["rows"]
    seconds = {(row["network"], row["batch"], row["form"]): row["median_seconds"] for row in rows}
    assert set(seconds) == set(itertools.product(("amsunet", "unet"), (2,), ("plain", "ours")))
    for row in rows:
        mine = row["median_seconds"]
        plain, unet = (
            seconds[row["network"], row["batch"], "plain"],
            seconds["unet", row["batch"], row["form"]],
        )
        assert row["times_as_fast_as_plain"] == plain / mine and row["time_against_unet"] == mine / unet


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_no_gpu_is_said(tmp_path):
    words = ["--device", "cuda", "--out", tmp_path / "out.json"]
    done = subprocess.run([sys.executable, TOOL, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "error: device 'cuda' is not found" in done.stderr
    assert not (tmp_path / "out.json").exists()
