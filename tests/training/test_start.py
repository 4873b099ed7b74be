"""Where a light network begins to learn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner
from made_device import CPU
from made_fingerprint import made_fingerprint
from PIL import Image

from amsunet.cli import cli
from amsunet.data.builtin_samples import locate
from amsunet.data.options import DataOptions
from amsunet.evaluation.compare import compare
from amsunet.evaluation.study import StudyDesign
from amsunet.evaluation.variant import Variant
from amsunet.training.plan import make_plan
from amsunet.training.plan_schema import START, USER_SET
from amsunet.training.prepare import prepare
from amsunet.training.run_folder import read_run
from amsunet.training.smaller import smaller
from amsunet.training.start import with_start
from amsunet.training.train import train
from amsunet.zoo import read_card

ONCE = StudyDesign(seeds=1, jobs=1, split="val")


@pytest.fixture
def spots(tmp_path):
    """A data set that nobody has seen: bright spots on noise."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "spots" / folder).mkdir(parents=True)
    for index in range(12):
        mask = np.zeros((48, 48), np.uint8)
        top, left = rng.integers(0, 32, 2)
        mask[top : top + 12, left : left + 12] = 255
        image = (rng.integers(0, 90, mask.shape) + mask // 2).astype(np.uint8)
        for folder, pixels in (("images", image), ("masks", mask)):
            Image.fromarray(pixels).save(tmp_path / "spots" / folder / f"{index:02}.png")
    return tmp_path / "spots"


def test_the_light_network_starts_from_what_the_zoo_has_for_it(spots, tmp_path, said):
    settings = {"epochs": 1, "steps_per_epoch": 1, "crop": 32, "batch_size": 2}
    train(spots, settings, out=tmp_path / "run", device=CPU)
    config, record = read_run(tmp_path / "run")
    assert (config.plan.model, config.plan.pretrained) == ("amsunet_lite", START)
    assert "of fewer than 300 steps more is learnt from there" in str(config.plan)
    (line,) = [line for line in said if f"weights of {START} taken" in line]
    assert "normalized" not in line, "it has learnt with several"
    assert {*read_card("start").seen} <= record.seen()
    named = {**settings, "model": "amsunet_lite"}
    assert prepare(spots, named, device="cpu").plan.pretrained == START
    long = prepare(spots, {**named, "epochs": 300}, device="cpu").plan
    assert long.pretrained is None and long.reasons["pretrained"].startswith(
        "random weights, for there is time for 300"
    )


@pytest.mark.parametrize(
    ("settings", "device", "reason"),
    [
        ({}, "cuda", None),
        ({"model": "amsunet_lite"}, "cuda", f"{START} is measured on a CPU alone"),
        ({"model": "unet"}, "cpu", None),
        ({"model": "amsunet_lite_xs"}, "cpu", None),
        ({"recipe": "paper", "model": "amsunet_lite"}, "cpu", None),
        ({"pretrained": "none"}, "cpu", USER_SET),
        ({"base_channels": 32}, "cpu", f"options of the network are set, and {START} has others"),
        ({"model_options": {"gated": True}}, "cpu", f"options of the network are set, and {START} has others"),
    ],
)
def test_nothing_else_starts_there(settings, device, reason):
    plan = with_start(make_plan(made_fingerprint(), 100, settings, device=device), (), device=device)
    assert plan.pretrained is None and plan.reasons.get("pretrained") == reason
    assert (reason is None) == ("pretrained" not in str(plan)) and "pretrained" not in plan.describe({"pretrained"})


def test_of_images_that_the_start_has_seen_training_begins_at_random(spots):
    plan = prepare("sample:nuclei", {}, device="cpu").plan
    assert plan.pretrained is None
    assert re.search(
        r"^  pretrained +none +zoo:start has seen \d+ of the images that evaluate", str(plan), re.MULTILINE
    )
    seen = next((locate("sample:nuclei") / "train" / "images").iterdir())
    colours = Image.open(seen).convert("RGBA").resize((64, 64))  # a copy of other pixels
    colours.save(spots / "images" / "00.png")
    colours.convert("1").convert("L").save(spots / "masks" / "00.png")
    names = [f"{index:02}" for index in range(12)]
    for split, known in (("test", 1), ("val", 1), ("train", 0), ("unused", 0)):
        splits = {**dict.fromkeys(names, "train"), "01": "val", "02": "test", "00": split, "not there": "val"}
        plan = prepare(spots, {}, device="cpu", data_options=DataOptions(splits=splits)).plan
        assert (plan.pretrained is None) == bool(known), split
    splits = {**dict.fromkeys(names, "train"), "01": "val"}
    folds = prepare(spots, {}, device="cpu", data_options=DataOptions(splits=splits), folds=2)
    assert folds.plan.pretrained is None, "each fold is evaluated"


def test_networks_of_a_comparison_do_not_start_there(spots, tmp_path, trials_here):
    settings = {"epochs": 1, "steps_per_epoch": 1, "crop": 32, "batch_size": 2}
    named = Variant(name="scratch", model="amsunet_lite", settings={"pretrained": "none", "learning_rate": 0.001})
    with trials_here():
        found = compare(
            spots, ["unext", "amsunet_lite", named], settings, out=tmp_path / "out", design=ONCE, device=CPU
        )
    assert {row.variant.name for row in found.rows} == {"unext", "amsunet_lite", "scratch"}
    plans = [read_run(folder)[0].plan for folder in (tmp_path / "out" / "cells").iterdir() if folder.is_dir()]
    assert [plan.pretrained for plan in plans] == [None] * 3


def test_a_scale_gives_way_from_the_start_as_it_does_from_random_weights():
    plans = [
        make_plan(made_fingerprint(), 100, settings, device="cpu")
        for settings in ({"pretrained": START}, {"pretrained": "none"}, {"pretrained": "zoo:nuclei"})
    ]
    plans = [plan.model_copy(update={"crop": (96, 96), "batch_size": 4}) for plan in plans]
    given_up = [smaller(plan, made_fingerprint(), 100, "cpu", 0.2, few_steps=True) for plan in plans]
    assert [one and one.setting for one in given_up] == ["scale", "scale", None]


def test_the_command_takes_none_for_no_model(spots, tmp_path):
    words = ["check", str(spots), "--out", str(tmp_path / "out"), "--pretrained", "none", "--minutes", "1"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0 and re.search(r"pretrained +none +set by you", result.output)
