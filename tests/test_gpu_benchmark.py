"""The GPU's benchmark, tried without one: that every case gets its figure and its ratios."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOL = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


def test_every_case_is_measured_and_compared(tmp_path):
    words = [
        "--device",
        "cpu",
        "--sides",
        "32",
        "--batches",
        "1",
        "2",
        "--seconds",
        "0",
        "--forms",
        "plain",
        "ours",
        "--out",
    ]
    subprocess.run([sys.executable, TOOL, *words, tmp_path / "gpu.json"], check=True)
    rows = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["rows"]
    cases = [(row["task"], row["network"], row["form"], row["batch"]) for row in rows]
    assert sorted(cases) == sorted(
        itertools.product(("prediction", "training"), ("amsunet", "unet"), ("plain", "ours"), (1, 2))
    )
    speeds = dict(zip(cases, (row["images_per_second"] for row in rows), strict=True))
    for case, row in zip(cases, rows, strict=True):
        task, network, form, batch = case
        assert row["to_plain"] == speeds[case] / speeds[task, network, "plain", batch]
        assert row["to_unet"] == speeds[case] / speeds[task, "unet", form, batch]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_no_gpu_is_said(tmp_path):
    done = subprocess.run([sys.executable, TOOL, "--out", tmp_path / "gpu.json"], capture_output=True, text=True)
    assert done.returncode == 1 and "no CUDA device is here" in done.stderr
    assert not (tmp_path / "gpu.json").exists()
