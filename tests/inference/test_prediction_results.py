"""Predictions into one folder that are killed, stopped, or run beside each other."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amsunet import atomic_io
from amsunet.data.images import write_image
from amsunet.inference.inputs import find_inputs
from amsunet.inference.outcome import FAILURES, REVIEW_LIST
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.process_state import TERMINATED, terminated_like_interrupted

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are copies of this one")


def _in_process(do: Callable[[], object]) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=do)
    process.start()
    return process


def _listed(out: Path) -> tuple[set[str], set[str]]:
    """Names of images that failed, and of those to be reviewed."""
    lines = (out / FAILURES).read_text().splitlines() if (out / FAILURES).exists() else []
    failed = {Path(line.partition("\t")[0]).name for line in lines}
    if not (out / REVIEW_LIST).exists():
        return failed, set()
    with (out / REVIEW_LIST).open(newline="", encoding="utf-8") as file:
        return failed, {Path(row["image"]).name for row in csv.DictReader(file)}


@pytest.fixture
def many(tmp_path, picture) -> Path:
    """24 images, of which every sixth is damaged."""
    for number in range(24):
        write_image(tmp_path / "in" / f"{number:02}.png", picture(24, 32, seed=number))
        if number % 6 == 5:
            (tmp_path / "in" / f"{number:02}.png").write_bytes(b"damaged")
    return tmp_path / "in"


def test_eight_at_once_list_all_failures_and_all_doubts(many, tmp_path, make_light_predictor):
    predictor, out, every = make_light_predictor(uncertainty_limit=0.0), tmp_path / "out", sorted(many.iterdir())
    (many / "24.png").write_bytes(b"")
    shares = [find_inputs([str(path) for path in [*every, many / "24.png"][part::8]]) for part in range(8)]
    processes = [_in_process(lambda share=share: predict_files(predictor, share, out)) for share in shares]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 8
    failed = {"05.png", "11.png", "17.png", "23.png", "24.png"}
    assert _listed(out) == (failed, {path.name for path in every} - failed)
    outcome = predict_files(predictor, find_inputs([str(many)]), out, PredictionOptions(resume=True))
    assert (outcome.passed_over, len(outcome.failures)) == (20, 5)


def _kill_at(call: int) -> Callable[..., object]:
    """``Path.replace``, by which a file gets its name, whose n-th call kills the process: before it, or after it."""
    real, calls = Path.replace, iter(range(1, 10_000))

    def replace(self, target):
        number = next(calls)
        if number == call // 2 and call % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(self, target)
        if number == call // 2 and call % 2 == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return replace


@pytest.mark.parametrize("call", [2, 3, 4, 7, 12, 17, 24, 41, 60, 81, 84, 85, 86, 87])
def test_after_a_kill_it_goes_on_and_everything_is_as_without_it(
    many, tmp_path, make_light_predictor, call, monkeypatch
):
    predictor, jobs = make_light_predictor(uncertainty_limit=0.0), find_inputs([str(many)])
    predict_files(predictor, jobs, tmp_path / "unbroken", PredictionOptions(overlay=True))

    def killed():
        monkeypatch.setattr(Path, "replace", _kill_at(call))
        predict_files(predictor, jobs, tmp_path / "out", PredictionOptions(overlay=True))

    process = _in_process(killed)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    out = tmp_path / "out"
    there = {path.name for path in out.glob("*.png") if (out / "overlays" / path.name).exists()}
    assert len(there - _listed(out)[1]) <= 2, "what is written is listed, but for what was in two hands"
    outcome = predict_files(predictor, jobs, out, PredictionOptions(overlay=True, resume=True))
    assert outcome.written + outcome.passed_over == 20 and outcome.passed_over >= len(there) - 2
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    expected = {path.relative_to(tmp_path / "unbroken"): path.read_bytes()
                for path in (tmp_path / "unbroken").rglob("*") if path.is_file()}  # fmt: skip
    record = Path("predictions.jsonl")
    assert files.keys() == expected.keys()
    assert {name for name in files if files[name] != expected[name]} <= {record}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_everything_listed(many, tmp_path, make_light_predictor, number):
    (begun, begin), out = multiprocessing.get_context("fork").Pipe(duplex=False), tmp_path / "out"

    def slow(logits: np.ndarray) -> np.ndarray:
        begin.send(1)
        signal.sigtimedwait([], 0.3)
        return logits

    predictor = make_light_predictor(uncertainty_limit=0.0, change=slow)
    jobs = find_inputs([str(many)])

    def run():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with pytest.MonkeyPatch.context() as patch, terminated_like_interrupted():
            patch.setattr("amsunet.inference.process_engine._BATCH_PIXELS", 1)
            try:
                predict_files(predictor, jobs, out)
            except KeyboardInterrupt:
                raise SystemExit(130) from None

    process = _in_process(run)
    for _ in range(4):
        assert begun.poll(60) and begun.recv()
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == (TERMINATED if number == signal.SIGTERM else 130)
    masks = {path.name for path in out.glob("*.png")}
    assert 0 < len(masks) < 20
    assert _listed(out)[1] == masks
    assert not list(out.glob(".*.partial*"))


def test_what_a_living_process_writes_is_not_taken_for_abandoned(tmp_path):
    (held, hold), (ended, end) = (multiprocessing.get_context("fork").Pipe(duplex=False) for _ in range(2))

    def write():
        with atomic_io.atomic_write(tmp_path / "a.png") as temporary:
            hold.send(str(temporary))
            ended.poll(60)

    for kill in (True, False):
        process = _in_process(write)
        temporary = Path(held.recv())
        assert atomic_io.remove_abandoned(tmp_path) == 0 and temporary.exists()
        if kill:
            process.kill()
        else:
            end.send(1)
        process.join(60)
        assert temporary.exists() == kill
        assert atomic_io.remove_abandoned(tmp_path) == kill and not temporary.exists()
    assert (tmp_path / "a.png").exists()
    assert atomic_io.remove_abandoned(tmp_path / "missing") == 0
