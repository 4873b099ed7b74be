"""The light study: its networks, its queue on a small data set, and what it claims."""

from __future__ import annotations

import json

import light_study
import numpy as np
import pytest
import torch
from light_analysis import WORST, advantage, better_rates
from light_gate import with_ratios
from light_networks import CONTROLS, LIGHT, NAMES, REFERENCE, STAGES, U_NETS, variant

from amsunet.inference.model_file import build_network
from amsunet.models.cost import count_parameters

TWO = (REFERENCE, "amsunet_lite_xs")
_MILLIONS = {
    "unet@8": 0.27,
    "unet@16": 1.08,
    "unet@24": 2.43,
    "unet@32": 4.32,
    "amsunet@16": 0.69,
    "amsunet@32": 2.62,
    "resunet_lite_xs": 0.26,
    "resunet_lite": 1.02,
    "resunet_lite@32": 4.07,
    "amsunet_lite_xs": 0.21,
    "amsunet_lite": 0.81,
    "amsunet_lite_m": 2.26,
    "lite_gated": 0.67,
    "lite_dense": 0.94,
    "lite_fast": 0.81,
}
"""Parameters, as docs/light.md and the note that it came from have them."""


def test_networks_are_those_of_the_protocol():
    for name in NAMES:
        chosen = variant(name)
        with torch.device("meta"):
            network = build_network(chosen.model, {"in_channels": 3, "num_classes": 2, **chosen.options})
        if name in _MILLIONS:
            assert round(count_parameters(network) / 1e6, 2) == _MILLIONS[name], name
    assert {name for stage in STAGES.values() for name in stage.networks} == set(NAMES)
    assert [name for name, stage in STAGES.items() if stage.split == "test"] == ["end"], "test images once"


def test_curves_join_one_family_each():
    for members in (U_NETS, CONTROLS[1:], LIGHT):
        assert len({variant(name).family for name in members}) == 1
    assert variant("unet@8", 0.001).family == variant("unet@16").family


def _scores(**dice):
    """Two seeds of fifty images, all alike."""
    return {"one": {name: np.full((2, 50), value) for name, value in dice.items()}}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, 0.05), (10, 0.05 - 0.04 / 2), (100, 0.01), (1000, 0.01), (0.1, 0.05)],
)
def test_a_curve_is_straight_over_the_logarithm_and_level_beyond_its_ends(seconds, expected):
    scores = _scores(ours=0.90, small=0.85, large=0.89)
    times = {"one": {"ours": seconds, "small": 1, "large": 100}}
    found = advantage(scores, "ours", ["large", "small"], times)
    assert found["mean"] == pytest.approx(dict.fromkeys(("difference", "low", "high"), expected))
    assert found["dominates"]


def test_what_is_worse_on_one_data_set_does_not_dominate():
    times = {name: {"ours": 1, "theirs": 1} for name in ("one", "two")}
    scores = {
        "one": {"ours": np.full((1, 9), 0.9), "theirs": np.full((1, 9), 0.8)},
        "two": {"ours": np.full((1, 9), 0.8), "theirs": np.full((1, 9), 0.8 + 2 * WORST)},
    }
    found = advantage(scores, "ours", ["theirs"], times)
    assert found["mean"]["low"] > 0 and not found["dominates"]


def test_intervals_hold_the_noise_of_images_and_seeds():
    rng = np.random.default_rng(0)
    images = rng.normal(0.8, 0.1, 40)
    noisy = {name: images + rng.normal(0, 0.01, (4, 1)) + rng.normal(0, 0.02, (4, 40)) for name in ("ours", "theirs")}
    found = advantage({"one": noisy}, "ours", ["theirs"], {"one": {"ours": 1, "theirs": 1}})["mean"]
    assert found["low"] < 0 < found["high"] and 0.005 < found["high"] - found["low"] < 0.06


def test_the_better_rate_is_kept_and_a_tie_goes_to_the_smaller_one():
    dice = {"a": {0.001: [0.8, 0.6], 0.002: [0.7, 0.8]}, "b": {0.002: [0.5], 0.001: [0.5]}}
    assert better_rates(dice) == {"a": 0.002, "b": 0.001}


def test_a_network_passes_the_gate_that_is_as_fast_as_the_narrow_u_net():
    made = {"unet@32": (1.0, 1.0), "unet@16": (0.3, 0.3), "fast": (0.2, 0.3), "slow": (0.2, 0.4)}
    rows = [{"network": name, "onnx_seconds": one, "step_seconds": two} for name, (one, two) in made.items()]
    found = {row["network"]: row for row in with_ratios(rows)}
    assert [name for name, row in found.items() if row["passes"]] == ["unet@16", "fast"]
    assert (found["slow"]["onnx_ratio"], found["slow"]["step_ratio"]) == (0.2, 0.4)


@pytest.fixture
def study(make_dataset, tmp_path, trials_here):
    """Stages of two networks and two images, as the command has them."""
    root = make_dataset().parent

    def run(*stages):
        words = [*stages, "--root", str(root), "--data", "set", "--networks", *TWO, "--minutes", "0.002", "--jobs", "1"]
        words += ["--seeds", "1", "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
        with trials_here():
            light_study.main(words, crop=(32, 32), batch_size=2)

    return run


def test_a_stage_needs_the_rates_and_trains_what_is_not_trained_yet(study, tmp_path, capsys):
    with pytest.raises(SystemExit, match="run the stage rates first"):
        study("screen")
    study("rates")
    rates = json.loads((tmp_path / "results" / "rates.json").read_text())
    assert rates["kept_rates"].keys() == set(TWO)
    assert len(rates["rows"]) == 4 and all(row["steps"] >= 6 for row in rates["rows"])
    trained = sorted((tmp_path / "runs").glob("*/set/cells/*/model.safetensors"))
    study("screen")
    assert sorted((tmp_path / "runs").glob("*/set/cells/*/model.safetensors")) == trained, "all were there"
    screen = json.loads((tmp_path / "results" / "screen.json").read_text())
    [claim] = [one for one in screen["claims"] if one["over"] == "training step"]
    ours, theirs = (
        next(np.mean(row["dice_by_seed"]) for row in screen["rows"] if row["model"] == model)
        for model in ("amsunet_lite_xs", "unet")
    )
    assert claim["mean"]["difference"] == pytest.approx(ours - theirs)
    assert (tmp_path / "runs" / "0.002min-val" / "set" / "comparison.html").is_file()


def test_an_unknown_stage_names_the_known(capsys):
    with pytest.raises(SystemExit):
        light_study.main(["claims"])
    assert "choose of rates, screen, ablation, claim, end" in capsys.readouterr().err
