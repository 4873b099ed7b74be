"""The benchmark: rows in processes of their own, set against each other, kept when it is stopped.

What is not about these processes does their jobs in this one: each of them imports torch anew.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import re
import runpy
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import child
import networks as module
import pytest
import stopwatch
import torch
from networks import measure, runtimes_of
from PIL import Image
from stopwatch import Job, run, timed

from amsunet.cli import main
from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.models import list_models
from amsunet.optional import install_command

_HAS_EXTRA = all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime"))
_QUICK = {"sizes": [32], "device": "cpu", "threads": 1, "seconds": 0.0, "precisions": ["float32"]}
_PEAKS = {"operations": 1e11, "bytes": 1e10}
_BROKEN = """
import torch

class Broken(torch.nn.Module):
    def forward(self, x):
        raise ValueError("wings are missing")

def build(in_channels, num_classes):
    return Broken()
"""


def _here(job: Job) -> dict[str, float]:
    """Do a job in this process; what the machine can do at best is not measured, which takes seconds."""
    return _PEAKS if job.task == "peaks" else run(job)


@pytest.fixture(scope="module")
def measured(tmp_path_factory, logged):
    """Two networks under two runtimes, one of them twice: in two commands, the second goes on with the first."""
    out = tmp_path_factory.mktemp("benchmark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_run", _here)
        first = measure(["amsunet_xs", "unet"], runtimes=["eager"], batches=[2], out=out, **_QUICK)
        rows = dict(first.rows)
        with logged() as said:
            both = measure(["amsunet_xs", "unet"], runtimes=["eager", "fused"], batches=[2], out=out, **_QUICK)
    return SimpleNamespace(out=out, before=rows, speeds=both, said=said)


def test_what_is_measured_is_not_measured_again(measured):
    assert "4 rows, 2 measured already" in measured.said[0]
    assert len(measured.said) == 3 and measured.said[-1].startswith("2 of 2: unet fused float32, 32 x 32, batch 2: ")
    assert len(measured.before) == 2
    for key, row in measured.before.items():
        assert measured.speeds.rows[key] == row


def test_every_row_is_set_against_eager_unet_and_the_machine(measured):
    speeds = measured.speeds
    for row in speeds.rows.values():
        figures = speeds.figures(row)
        eager = speeds.rows[row.network, "eager", "float32", row.size, row.batch]
        unet = speeds.rows["unet", row.runtime, row.precision, row.size, row.batch]
        assert figures["times_as_fast_as_eager"] == pytest.approx(eager.seconds / row.seconds)
        assert figures["time_against_unet"] == pytest.approx(row.seconds / unet.seconds)
        assert figures["images_per_second"] == pytest.approx(row.batch / row.seconds)
        assert 0 < row.low <= row.seconds <= row.high and row.memory > 50 << 20
        macs, peak = speeds.work[row.network, 32].macs, speeds.peaks["float32"]["operations"]
        assert figures["share_of_arithmetic"] * peak * row.seconds == pytest.approx(2 * macs * row.batch)
        assert figures["share_of_bandwidth"] > 0


def test_table_and_plot_are_written(measured):
    content = json.loads((measured.out / "result.json").read_text())
    assert len(content["rows"]) == 4 and content["conditions"]["packages"]["torch"] and not content["failures"]
    assert content["command"].startswith(
        "python benchmarks/networks.py --models amsunet_xs,unet --runtimes eager,fused "
    )
    with (measured.out / "rows.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["runtime"] for row in rows].count("fused") == 2
    with Image.open(measured.out / "speeds.png") as picture:
        assert picture.width > 500
    table = measured.speeds.table()
    assert "GFLOP/s" in table and table.count("amsunet_xs") == 2


def test_other_conditions_are_not_mixed_in(measured):
    before = (measured.out / "result.json").read_bytes()
    with pytest.raises(InputError, match="another machine, device, version or threads or seconds"):
        measure(["unet"], runtimes=["eager"], out=measured.out, **{**_QUICK, "seconds": 1.0})
    assert (measured.out / "result.json").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match=r"result\.json is no benchmark or is damaged"):
        measure(["unet"], runtimes=["eager"], out=tmp_path, **_QUICK)
    assert (tmp_path / "result.json").read_text() == "{}"


def test_a_network_that_fails_is_told_and_costs_no_other_row(tmp_path, monkeypatch):
    """In a process of its own, from which there is the end of what it printed alone."""
    elsewhere = module._run
    own = {"peaks": _here, "work": elsewhere, "time": elsewhere}
    monkeypatch.setattr(module, "_run", lambda job: (_here if job.network == "unext" else own[job.task])(job))
    (tmp_path / "broken.py").write_text(_BROKEN)
    speeds = measure([f"{tmp_path}/broken.py:build", "unext"], runtimes=["eager"], out=tmp_path / "out", **_QUICK)
    assert [row.network for row in speeds.rows.values()] == ["unext"]
    assert list(speeds.failures.values()) == ["ValueError: wings are missing"]
    assert "failed: " in speeds.table()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"models": ["amsunnet"]}, "did you mean 'amsunet'"),
        ({"models": ["unet", "unet"]}, "a network is named twice"),
        ({"runtimes": ["opnvino"]}, "cpu has no runtime 'opnvino'; did you mean 'openvino'"),
        ({"runtimes": ["tensorrt"]}, "cpu has no runtime 'tensorrt'; known are: eager, channels_last, fused, compiled"),
        ({"precisions": ["bfloat"]}, "cpu has no precision 'bfloat'; did you mean 'bfloat16'"),
        ({"runtimes": ["eager"], "precisions": ["int8"]}, "eager has no int8: choose of float32"),
        ({"sizes": [16]}, "sizes start at 32"),
        ({"batches": [0]}, "batches at 1"),
        ({"seconds": math.inf}, "seconds inf"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        measure(**{"out": tmp_path / "out", **_QUICK, **settings})
    assert not (tmp_path / "out").exists()


def test_a_runtime_that_is_missing_is_named_when_asked_for_and_left_out_when_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=re.escape(f"onnxruntime is not installed: {install_command()}")):
        measure(runtimes=["onnx"], out=tmp_path, **_QUICK)
    assert "onnx" not in [runtime for runtime, _ in module._settings("cpu", (), ["float32"])]


@pytest.mark.skipif(not _HAS_EXTRA, reason='needs pip install "amsunet[export]"')
def test_exported_files_are_timed_without_torch(tmp_path):
    job = Job("write", "unet", "onnx", "float32", 32, 2, seconds=0.0, file=str(tmp_path / "model.onnx"))
    run(job)
    code = (
        f"import json, sys\nsys.path.insert(0, {str(Path(module.__file__).parent)!r})\nfrom stopwatch import Job, run\n"
        "print(run(Job(**json.loads(sys.argv[1]))))\nprint('torch' in sys.modules, end='')"
    )
    said = json.dumps({**asdict(job), "task": "time"})
    out = subprocess.run([sys.executable, "-c", code, said], check=True, capture_output=True, text=True).stdout
    assert "'seconds'" in out and out.splitlines()[-1] == "False"


def test_what_cannot_be_compiled_is_not_measured_under_that_name(monkeypatch):
    def compile_nothing(network):
        def forward(x):
            raise RuntimeError("no compiler")

        return forward

    monkeypatch.setattr(torch, "compile", compile_nothing)
    with pytest.raises(InputError, match=r"^torch\.compile does not work here \(no compiler\)$"):
        run(Job("time", "amsunet_xs", "compiled", "float32", 32, 1, seconds=0.0))


def test_calls_that_warm_up_do_not_count():
    calls = []
    assert len(timed(lambda: calls.append(0), 0.0)) == 5
    assert len(calls) == 8


def test_what_the_machine_does_at_best_is_measured(monkeypatch):
    """A call each, which is not the best of any."""
    monkeypatch.setattr(stopwatch, "_WARM_UP", 0)
    monkeypatch.setattr(stopwatch, "_FEWEST_CALLS", 1)
    found = run(Job("peaks", "", "", "float32", 0, 0, seconds=0.0))
    assert 1e8 < found["operations"] < 1e16 and 1e7 < found["bytes"] < 1e14


def test_a_gpu_gets_its_own_rows(tmp_path, monkeypatch):
    """As far as this goes without one: which rows there are, and that each is a job for the GPU."""
    jobs: list[Job] = []

    def answer(job: Job) -> dict[str, float]:
        jobs.append(job)
        if job.task == "peaks":
            return {"operations": 1e12, "bytes": 1e11}
        if job.task == "work":
            return {"macs": 1, "traffic": 1}
        return {"seconds": 0.1 * job.batch, "low": 0.1, "high": 0.2, "calls": 5, "memory": 1}

    monkeypatch.setattr(module, "choose_device", lambda device: Device("cuda", "bfloat16", 2))
    monkeypatch.setattr(module, "environment", lambda machine: {"device_name": "", "precision": "", "packages": {}})
    monkeypatch.setattr(module, "_run", answer)
    speeds = measure(["all"], device="cuda", sizes=[256], batches=[8], out=tmp_path, threads=2)
    rows = {(row.runtime, row.precision) for row in speeds.rows.values()}
    fast = {(name, p) for name in ("channels_last", "fused", "compiled") for p in ("float32", "bfloat16")}
    assert rows == {("eager", "float32"), *fast}
    assert len(speeds.rows) == len(list_models()) * 7 and {job.device for job in jobs} == {"cuda"}
    assert set(speeds.peaks) == {"float32", "bfloat16"}
    assert not {"onnx", "openvino", "pt2"} & set(runtimes_of("cuda"))


def test_products_in_an_emulated_precision_are_no_peak(tmp_path, monkeypatch):
    tasks = []

    def answer(job: Job) -> dict[str, float]:
        tasks.append(job.task)
        if job.task == "work":
            return {"macs": 1, "traffic": 1}
        return {"seconds": 0.1, "low": 0.1, "high": 0.2, "calls": 5, "memory": 1}

    monkeypatch.setattr(module, "choose_device", lambda device: Device("cpu", "float32", 2))
    monkeypatch.setattr(module, "_run", answer)
    settings = _QUICK | {"precisions": ["bfloat16"]}
    measure(["unet"], runtimes=["channels_last"], out=tmp_path, **settings)
    assert tasks == ["work", "time"]


_WORDS = ("--runtimes", "eager", "--precisions", "float32")


def test_the_script_prints_a_table_and_says_where_it_lies(tmp_path, monkeypatch, capsys):
    """The network is timed in a process of its own, by what the script itself says to it."""
    words = ["--models", "unet", "--size", "32", "--seconds", "0", "--device", "cpu", "--threads", "1"]
    elsewhere = child.measured

    def measured(script, job, **more):
        given = Job(**json.loads(job))
        return elsewhere(script, job, **more) if given.task == "time" else _here(given)

    monkeypatch.setattr(child, "measured", measured)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module.__file__, *_WORDS, *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(module.__file__, run_name="__main__")
    told = capsys.readouterr()
    assert not ended.value.code, told.err
    assert re.search(r"^unet +eager +float32 +32 +1 +\d+\.\d +\d+\.\d +1\.00 +1\.00 ", told.out, re.MULTILINE)
    assert (tmp_path / "benchmark" / "rows.csv").is_file() and (tmp_path / "benchmark" / "speeds.png").is_file()


def test_the_script_ends_in_one_sentence_where_a_network_is_unknown(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module.__file__, *_WORDS, "--models", "unett"])
    with pytest.raises(SystemExit) as ended:
        main(module.networks)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2 and "did you mean 'unet'" in line
