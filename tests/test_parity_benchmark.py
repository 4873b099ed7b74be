"""Every exported form of a run gets its line: what it loses, or why it was refused."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from amsunet.training.run_folder import read_run

TOOL = Path(__file__).parents[1] / "benchmarks" / "parity.py"


def test_every_form_has_a_line(run, captured_once, monkeypatch, tmp_path):
    pytest.importorskip("onnxscript", reason='needs pip install "amsunet[export]"')
    loaded = runpy.run_path(str(TOOL))
    monkeypatch.setitem(loaded["main"].__globals__, "RESULT", tmp_path / "parity.json")
    monkeypatch.setitem(loaded["main"].__globals__, "PRECISIONS", {"onnx": ("float32",), "openvino": ("bfloat16",)})
    monkeypatch.setattr("sys.argv", ["parity", str(run)])
    with captured_once():
        loaded["main"]()
    rows = json.loads((tmp_path / "parity.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["format"], row["precision"]) for row in rows] == [("onnx", "float32"), ("openvino", "bfloat16")]
    assert rows[0]["largest_difference"] < 1e-3 and rows[0]["dice_lost"] == pytest.approx(0, abs=1e-4)
    assert rows[0]["megabytes"] > 0


def test_what_is_refused_says_why(run, monkeypatch, tmp_path):
    loaded = runpy.run_path(str(TOOL))
    monkeypatch.setitem(loaded["measure"].__globals__, "PRECISIONS", {"onnx": ("float99",)})
    [row] = loaded["measure"](str(run), read_run(run)[1].source, tmp_path)
    assert "float99" in row["refused"] and set(row) == {"format", "precision", "refused"}
