"""Single bits flipped in every file of a run and of its exports: no mask is another one in silence."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from commands import assert_clean
from tally import REPEATS, draws

from amsunet.deployment.exporters import missing_package
from amsunet.training.checkpoint import LAST, PREVIOUS, _read

FORMATS = {"onnx": "float32.onnx", "openvino": "float32.xml", "pt2": "float32.pt2", "executorch": "float32.pte"}


def _flip(path: Path, rng) -> bytes:
    """Flip one bit of a file; its content before comes back."""
    before = path.read_bytes()
    changed = bytearray(before)
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    path.write_bytes(changed)
    return before


def _flip_exponent(path: Path, rng) -> bytes:
    """Flip the highest bit of the exponent of some weight: what a mask shows, where most other bits change none."""
    before = path.read_bytes()
    changed = bytearray(before)
    start = 8 + int.from_bytes(before[:8], "little")
    changed[start + 4 * rng.integers((len(before) - start) // 4) + 3] ^= 0x40
    path.write_bytes(changed)
    return before


def _flipped(files, model, run, rng, each, flip=_flip) -> dict[str, int]:
    """Figures of flips, so many in each of the files."""
    (whole,) = _gives(run, model)
    found = {"flips": 0, "refused": 0, "would_change_a_mask": 0, "of_these_noticed": 0, "changed_in_silence": 0}
    for path in files:
        for _ in range(each):
            before = flip(path, rng)
            checked, *unchecked = _gives(run, model, "unchecked")
            path.write_bytes(before)
            assert "failed" not in checked, checked
            changes = unchecked[:1] != [whole]  # another mask, no mask, or the end of the process
            found["flips"] += 1
            found["refused"] += "refused" in checked
            found["would_change_a_mask"] += changes
            found["of_these_noticed"] += changes and "refused" in checked
            found["changed_in_silence"] += checked != whole and "refused" not in checked
    return found


def _gives(run, model, *more) -> list[dict[str, str]]:
    done = run([str(model), *more], call="flips:main")
    lines = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    assert lines, done.err
    return lines


def test_flips_in_a_run(material, amsunet_in_fork, tmp_path, tally):
    run = Path(shutil.copytree(material["net"], tmp_path / "run"))
    files = sorted(path for path in run.rglob("*") if path.is_file() and "tensorboard" not in path.parts
                   and path.stat().st_size)  # fmt: skip
    found = _flipped(files, run, amsunet_in_fork, draws("run"), 1 + REPEATS // 3)
    tally("bit flips", "any file of a run", **found)
    assert found["changed_in_silence"] == 0


@pytest.mark.parametrize("flip", [_flip, _flip_exponent])
def test_flips_in_a_model(flip, material, amsunet_in_fork, tmp_path, tally):
    run = Path(shutil.copytree(material["net"], tmp_path / "run"))
    each, rng = 3 + 2 * REPEATS, draws("weights", flip.__name__)
    found = _flipped([run / "model.safetensors"], run, amsunet_in_fork, rng, each, flip)
    tally("bit flips", "model.safetensors", **found)
    assert found["changed_in_silence"] == 0 and found["of_these_noticed"] == found["would_change_a_mask"]
    assert found["would_change_a_mask"] or flip is _flip


@pytest.mark.parametrize("to", FORMATS)
def test_flips_in_an_export(to, material, amsunet_in_fork, tmp_path, tally):
    if missing_package(to) or (to == "executorch" and importlib.util.find_spec("executorch") is None):
        pytest.skip(f"cannot write {to} here")
    network = tmp_path / FORMATS[to]
    made = amsunet_in_fork(
        ["export", *map(str, (material["net"], material["data"])), "--to", to, "--out", str(network)]
    )
    assert made.code == 0, made.err
    files = sorted(path for path in tmp_path.iterdir() if path.suffix != ".json")
    found = _flipped(files, network, amsunet_in_fork, draws(to), 4 * REPEATS)
    tally("bit flips", f"export to {to}", **found)
    assert found["changed_in_silence"] == 0 and found["of_these_noticed"] == found["would_change_a_mask"]


@pytest.mark.parametrize("name", [LAST, PREVIOUS])
def test_flips_in_a_checkpoint(name, material, tmp_path, tally):
    path, rng = Path(shutil.copy(material["run"] / name, tmp_path)), draws(name)
    noticed, flips = 0, 100 * REPEATS
    for _ in range(flips):
        before = _flip(path, rng)
        noticed += _read(path) is None
        path.write_bytes(before)
    tally("bit flips", "checkpoint", flips=flips, refused=noticed, changed_in_silence=flips - noticed)
    assert noticed == flips


def test_flips_in_the_records_of_a_run_end_well_or_in_one_sentence(material, amsunet_in_fork, tmp_path, tally):
    """Whatever a command reads of it."""
    rng, flips = draws("records"), 3 * REPEATS
    for number in range(flips):
        run = Path(shutil.copytree(material["run"], tmp_path / str(number)))
        path = run / ("config.json", "data.json", "environment.json")[number % 3]
        _flip(path, rng)
        for words in (["evaluate", str(run), "--device", "cpu"], ["train", "--resume", str(run)]):
            assert_clean(amsunet_in_fork(words))
        shutil.rmtree(run)
    tally("bit flips", "records of a run, by a command", flips=flips, ended_well=flips)
