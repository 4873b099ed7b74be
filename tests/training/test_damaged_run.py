"""Damage to every file of a run: one sentence, or nothing that matters."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
from damaged_json import damaged, places

from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.plots import training_curves
from amsunet.inference.predictor import load
from amsunet.training.run_folder import read_run
from amsunet.training.train import resume


@pytest.fixture(scope="module")
def sound(ensemble):
    """A finished run, to read from."""
    return ensemble / "fold0"


@pytest.fixture(scope="module")
def copy(sound, tmp_path_factory):
    """The same at another place."""
    return shutil.copytree(sound, tmp_path_factory.mktemp("damaged") / "run")


@pytest.mark.parametrize("name", ["config.json", "data.json"])
def test_any_wrong_value_in_a_record_is_read_or_refused_in_one_sentence(copy, name, tally):
    path, sound = copy / name, (copy / name).read_text(encoding="utf-8")
    forms, refused = list(damaged(path)), 0
    for what, text in forms:
        path.write_text(text, encoding="utf-8")
        try:
            read_run(copy)
        except InputError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error), what
        finally:
            path.write_text(sound, encoding="utf-8")
    tally("wrong values", name, tried=len(forms), read=len(forms) - refused, refused_in_one_sentence=refused)
    assert refused > 100


@pytest.mark.parametrize("seed", range(6))
def test_what_is_read_though_it_is_wrong_ends_in_one_sentence_or_well(copy, sound, tmp_path, seed):
    name = ("config.json", "data.json", "environment.json", "calibration.json")[seed % 4]
    forms = list(damaged(copy / name))
    run = shutil.copytree(sound, tmp_path / "run")
    for what, text in random.Random(seed).sample(forms, len(forms)):
        (run / name).write_text(text, encoding="utf-8")
        try:
            read_run(run)
        except InputError:
            continue
        for command in (resume, lambda run: evaluate(run, split="val"), load):
            try:
                command(run)
            except InputError as error:
                assert "\n" not in str(error), what
        break


def test_every_key_is_damaged(tmp_path):
    content = {"plan": {"crop": [1, 2, 3], "splits": {"a": 1, "b": 2, "c": 3}}}
    assert [".".join(map(str, place)) for place in places(content)] == [
        "plan", "plan.crop", "plan.crop.0", "plan.crop.1", "plan.splits", "plan.splits.a", "plan.splits.b",
    ]  # fmt: skip
    (tmp_path / "x.json").write_text('{"seed": 0}')
    texts = [text for _, text in damaged(tmp_path / "x.json")]
    assert '{"seed": 1e400}' in texts and len(texts) == 7


@pytest.mark.parametrize("content", [b"", b"epoch\n0\n", b"\xff\xfe", b"epoch,step\n1,2,3\n", b'epoch\n"\n'])
def test_figures_that_are_damaged_leave_the_curves_out_and_say_so(copy, said, content):
    path, sound = copy / "metrics.csv", (copy / "metrics.csv").read_bytes()
    assert training_curves(copy)
    path.write_bytes(content)
    assert training_curves(copy) == ""
    path.write_bytes(sound)
    (line,) = said
    assert line.startswith(f"warning: no training curves in the report: {path} is missing or damaged")


def test_a_flip_in_any_file_of_a_run_changes_no_mask_in_silence(copy, tmp_path, tally):
    image = np.random.default_rng(0).integers(0, 256, (40, 48), np.uint8)
    wanted = load(copy).predict(image).mask
    rng, flips, noticed = random.Random(0), 0, 0
    for path in sorted(path for path in copy.rglob("*") if path.is_file() and "tensorboard" not in path.parts):
        sound = path.read_bytes()
        for _ in range(4):
            flipped = bytearray(sound)
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            path.write_bytes(flipped)
            flips += 1
            try:
                assert np.array_equal(load(copy).predict(image).mask, wanted), path
            except InputError as error:
                noticed += 1
                assert "\n" not in str(error)
        path.write_bytes(sound)
    tally("bit flips", "any file of a run, four each", flips=flips, refused=noticed, changed_in_silence=0)
    assert noticed >= 4, "those of the model file at the least"


@pytest.mark.parametrize("checked", [True, False], ids=["with its checksum", "of an earlier version"])
def test_a_flip_in_a_record_is_read_or_refused_in_one_sentence(copy, checked):
    rng, wanted = random.Random(0), read_run(copy)
    for name in ("config.json", "data.json"):
        sound = before = (copy / name).read_bytes()
        if not checked:
            before = json.dumps({k: v for k, v in json.loads(sound).items() if k != "sha256"}, indent=2).encode()
        for _ in range(150):
            flipped = bytearray(before)
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            (copy / name).write_bytes(flipped)
            try:
                assert read_run(copy) == wanted or not checked, "no value is another in silence"
            except InputError as error:
                assert "\n" not in str(error)
        (copy / name).write_bytes(sound)
