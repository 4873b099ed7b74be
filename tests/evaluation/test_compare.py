"""A comparison from beginning to end, on tiny networks: what is done once, what fails alone, what is written."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock
from made_device import CPU
from made_networks import FAILING

from amsunet.errors import InputError
from amsunet.evaluation import trial_queue
from amsunet.evaluation.compare import _checked_variants, _splits, compare
from amsunet.evaluation.comparison_page import write_page
from amsunet.evaluation.study import StudyDesign
from amsunet.evaluation.variant import Variant
from amsunet.training.prepare import prepare

SETTINGS = {"crop": (32, 32), "batch_size": 2, "steps_per_epoch": 2}
TWO = [
    Variant(name="unet", model="unet", options={"base_channels": 4}),
    Variant(name="amsunet", model="amsunet", options={"base_channels": 4}),
]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory, trials_here, logged):
    """A network, and one that fails in a process of its own; then two networks and a second seed."""
    folder = tmp_path_factory.mktemp("study")
    elsewhere = trial_queue._start

    def start(out, trial, threads):
        return (elsewhere if trial.name.startswith("failing") else here)(out, trial, threads)

    (folder / "failing.py").write_text(FAILING)
    failing = Variant(name="failing", model=f"{folder / 'failing.py'}:build")
    out = folder / "out"
    one, settings = [TWO[0], failing], {"epochs": 1, **SETTINGS}
    with logged() as said, trials_here():
        here = trial_queue._start
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trial_queue, "_start", start)
            first = compare("sample:nuclei", one, settings, out=out, design=StudyDesign(seeds=1, jobs=2), device=CPU)
        stamps = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/model.safetensors")}
        second = compare("sample:nuclei", TWO, settings, out=out, design=StudyDesign(seeds=2, jobs=1), device=CPU)
    return first, second, stamps, "\n".join(said)


def test_a_trial_that_fails_is_told_and_the_others_go_on(comparison):
    first, second, _, said = comparison
    assert [row.variant.name for row in first.rows] == ["unet"]
    assert list(first.failures) == ["failing-seed0"]
    assert "memory ran out in this trial" in first.failures["failing-seed0"]
    assert "failing-seed0: failed" in said
    assert not second.failures, "it was not asked for again"


def test_what_is_done_is_not_done_again(comparison):
    _, second, stamps, said = comparison
    assert len(stamps) == 1
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert "4 trainings, 1 done already, 1 at a time, each of 1 epoch of 2 steps" in said
    assert [row.seeds for row in second.rows] == [2, 2]


def test_all_networks_saw_the_same(comparison):
    _, second, _, _ = comparison
    plans, splits = [], []
    for trial in ("unet-seed0", "amsunet-seed0", "amsunet-seed1"):
        plan = json.loads((second.folder / "cells" / trial / "config.json").read_text())["plan"]
        plans.append({k: v for k, v in plan.items() if k not in ("model", "model_options", "seed", "reasons")})
        splits.append(json.loads((second.folder / "cells" / trial / "data.json").read_text())["splits"])
    assert plans[0] == plans[1] == plans[2]
    assert splits[0] == splits[1] == splits[2]


def test_tables_hold_every_network_and_image(comparison):
    _, second, _, _ = comparison
    with (second.folder / "images.csv").open(newline="") as file:
        images = list(csv.DictReader(file))
    assert len(images) == 2 * 2 * 4
    with (second.folder / "networks.csv").open(newline="") as file:
        networks = list(csv.DictReader(file))
    assert [row["network"] for row in networks] == ["unet", "amsunet"]
    for row in networks:
        dice = [float(image["dice"]) for image in images if image["network"] == row["network"]]
        assert float(row["dice"]) == pytest.approx(sum(dice) / len(dice))
        assert int(row["parameters"]) > 1000 and float(row["latency"]) > 0 and float(row["steps"]) == 2
    text = second.table()
    assert "against unet" in text and "1 epoch of 2 steps" in text
    assert second.title == "unet and amsunet on nuclei"
    assert all(f"warning: {finding}" in text for finding in second.findings)


def test_the_page_needs_nothing_beside_it(comparison):
    first, second, _, _ = comparison
    html = write_page(second).read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert html.count("data:image/jpeg") == 4 * (2 + 2)  # every test image: itself, the truth, two networks
    for text in ("Accuracy against cost", "Against unet", "Holm", "<h1>unet and amsunet on nuclei</h1>"):
        assert text in html
    assert "failing-seed0" in write_page(first).read_text(encoding="utf-8")


def test_a_study_of_other_settings_is_not_mixed_in(comparison):
    _, second, _, _ = comparison
    with pytest.raises(InputError, match="with epochs 1, not 2: choose another out"):
        compare(
            "sample:nuclei", TWO, {"epochs": 2, **SETTINGS}, out=second.folder, design=StudyDesign(seeds=1), device=CPU
        )
    with pytest.raises(InputError, match="another images or masks: choose another out"):
        compare(
            "sample:brain", TWO, {"epochs": 1, **SETTINGS}, out=second.folder, design=StudyDesign(seeds=1), device=CPU
        )


def test_networks_are_checked_before_anything_is_trained(tmp_path):
    for variants, message in (
        ([Variant(name="a", model="amsnet")], "did you mean 'amsunet'"),
        ([Variant(name="a", model="amsunet", options={"mixer": "pooling", "strips": False})], "leave one out"),
        ([TWO[0], TWO[0]], "named twice"),
        ([Variant(name="a", model="absent.py:build")], r"absent\.py cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            compare("sample:nuclei", variants, {"epochs": 1, **SETTINGS}, out=tmp_path / "out", device=CPU)
    with pytest.raises(InputError, match="seed: no setting of a whole study"):
        compare("sample:nuclei", TWO, {"epochs": 1, **SETTINGS, "seed": 3}, out=tmp_path / "out", device=CPU)
    assert not (tmp_path / "out").exists()


def _changed(**settings):
    """The plan, but for some settings."""
    name = " ".join(f"{name}={value}" for name, value in settings.items()) or "the plan"
    return Variant(name=name, model="unet", options={"base_channels": 4}, settings=settings)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, trials_here, logged):
    """The plan, two changes, one that grey images do not take and one that the plan has."""
    out = tmp_path_factory.mktemp("recipe") / "out"
    changes = [
        {"loss": "ce_dice_cldice"},
        {"inversion": True, "normalization": "gamma"},
        {"extra_augmentation": "stain"},
        {"loss": "ce_dice"},
    ]
    variants = [_changed(), *(_changed(**settings) for settings in changes)]
    with logged() as said, trials_here():
        comparison = compare(
            "sample:nuclei",
            variants,
            {"epochs": 1, **SETTINGS},
            out=out,
            design=StudyDesign(seeds=1, jobs=1),
            device=CPU,
        )
    return comparison, "\n".join(said)


def test_changes_of_the_plan_are_evaluated_on_validation_images_alone(recipe):
    comparison, said = recipe
    names = ["the plan", "loss=ce_dice_cldice", "inversion=True normalization=gamma"]
    assert [row.variant.name for row in comparison.rows] == names
    assert not comparison.failures
    assert "left out: extra_augmentation=stain: extra_augmentation: only colour images have a stain" in said
    assert "left out: loss=ce_dice: the plan has it already" in said
    splits = json.loads((comparison.folder / "study.json").read_text())["splits"][0]
    with (comparison.folder / "images.csv").open(newline="") as file:
        assert {splits[row["image"]] for row in csv.DictReader(file)} == {"val"}
    assert not list(comparison.folder.glob("cells/*/evaluation/test"))
    assert "validation images, which chose the weights too" in comparison.table()


def test_models_that_a_study_names_are_found_from_every_folder(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    taught, alone = _checked_variants([_changed(teacher=run.name), _changed(teacher=None)])
    assert taught.settings == {"teacher": str(run)} and alone.settings == {"teacher": None}
    with pytest.raises(InputError, match="no network nuclie"):
        _checked_variants([_changed(teacher="zoo:nuclie")])


def test_a_change_is_the_only_thing_that_differs(recipe):
    comparison, _ = recipe
    plans = {}
    for row in comparison.rows:
        config = json.loads((comparison.folder / "cells" / f"{row.variant.name}-seed0" / "config.json").read_text())
        plans[row.variant.name] = {key: value for key, value in config["plan"].items() if key != "reasons"}
    base = plans.pop("the plan")
    differ = {name: {key for key in base if plan[key] != base[key]} for name, plan in plans.items()}
    assert list(differ.values()) == [{"loss"}, {"inversion", "normalization"}]
    assert len({row.parameters for row in comparison.rows}) == 1


def test_the_page_of_a_recipe_says_what_was_evaluated(recipe):
    html = write_page(recipe[0]).read_text(encoding="utf-8")
    assert "validation images, which chose the weights too" in html and "Accuracy against cost" not in html
    assert "but for what a name says" in html


@pytest.mark.parametrize("named", [True, False])
def test_folds_for_settings_leave_out_every_test_image(named, make_dataset):
    prepared = prepare("sample:nuclei" if named else make_dataset(15), device="cpu")
    test = {name for name, split in prepared.splits.items() if split == "test"}
    assert len(test) == (4 if named else 3)
    for spare in (True, False):
        folds = _splits(prepared, 3, "test", spare_test=spare)
        assert all(fold.keys() == prepared.splits.keys() for fold in folds)
        used = {name for fold in folds for name, split in fold.items() if split != "unused"}
        assert used.isdisjoint(test) == (spare or named)
        evaluated = [name for fold in folds for name, split in fold.items() if split == "test"]
        assert sorted(evaluated) == sorted(used), "each image once"


def test_nothing_to_try_is_said(tmp_path):
    variants = [_changed(), _changed(extra_augmentation="stain")]
    with pytest.raises(InputError, match="none of the settings to try is possible and new"):
        compare("sample:nuclei", variants, {"epochs": 1, **SETTINGS}, out=tmp_path / "out", device=CPU)
    assert not (tmp_path / "out").exists()


def test_two_do_not_work_in_one_folder(tmp_path):
    with FileLock(tmp_path / "study.lock"), pytest.raises(InputError, match="another amsunet is at work"):
        compare("sample:nuclei", TWO, {"epochs": 1, **SETTINGS}, out=tmp_path, device=CPU)


@pytest.mark.torture
def test_a_killed_comparison_stops_its_trials(make_dataset, tmp_path, tally):
    words = "--models amsunet_xs --seeds 1 --steps-per-epoch 2 --crop 32 --batch-size 2 --device cpu --out"
    data = make_dataset(8)
    (data / "split.json").write_text('{"test": ["06", "07"]}')
    command = [sys.executable, "-m", "amsunet", "compare", str(data), *words.split(), str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--epochs", "500"], stdout=subprocess.DEVNULL)
    log = tmp_path / "out" / "cells" / "amsunet_xs-seed0.log"
    checkpoint = tmp_path / "out" / "cells" / "amsunet_xs-seed0" / "last.ckpt"
    _wait_for(lambda: checkpoint.exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _wait_for(lambda: "stopping after this step" in log.read_text())
    with FileLock(log.with_suffix(".lock"), timeout=600):
        pass  # the trial has let go of its folder
    tally("kills at random", "compare, whose trials stop", tried=1, survived=int(checkpoint.exists()))
    assert checkpoint.exists()
    assert not (tmp_path / "out" / "comparison.json").exists()


def _wait_for(condition, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
