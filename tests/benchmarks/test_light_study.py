"""The light study: its networks, its queue on a small data set, and what it claims."""

from __future__ import annotations

import json
import shutil
import tarfile

import light_study
import light_table
import numpy as np
import pytest
import torch
from light_analysis import WORST, advantage, better_rates, seed_deviation
from light_gate import with_ratios
from light_networks import (
    CLAIMED,
    CONTROLS,
    LIGHT,
    NAMES,
    QUESTION,
    QUEUE,
    REFERENCE,
    STAGES,
    U_NETS,
    same_network,
    trainings,
    variant,
)
from light_record import compared, record_of

from amsunet.data.builtin_samples import locate
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


def test_the_queue_does_all_stages_and_the_most_decisive_first():
    entries = list(trainings())
    done = set.union(*(new for _, new in entries))
    wanted = {
        (name, data, seed, stage.minutes, "better")
        for stage in STAGES.values()
        for name in stage.networks
        for data in stage.data
        for seed in range(stage.seeds)
    }
    assert {one for one in done if one[4] == "better"} == wanted
    assert all(new for _, new in entries), "nothing is asked for twice"
    for index, entry in enumerate(QUEUE):
        rated = {name for one in QUEUE[:index] if one.stage == "rates" for name in one.networks}
        assert entry.stage == "rates" or {name for name in entry.networks if name[:5] != "lite_"} <= rated
    early = set.union(*(new for entry, new in entries[:2]))
    assert {(name, data) for name, data, *_ in early} == {(n, d) for n in QUESTION for d in STAGES["claim"].data}
    claims = [entry for entry in QUEUE if entry.stage == "claim" and set(entry.networks) == set(CLAIMED)]
    assert [entry.seeds for entry in claims] == [1, 2, 3, 4], "seed by seed"


def test_networks_that_are_built_alike_share_what_the_gate_measures():
    assert same_network("lite_distilled") == "amsunet_lite" and same_network("lite_gated") == "lite_gated"
    assert variant("lite_distilled", data="DRIVE").settings == {"teacher": "zoo:vessels"}
    assert variant("lite_distilled", data="set").settings == {}


def test_the_deviation_of_seeds_is_that_of_the_mean_over_data_sets():
    rng = np.random.default_rng(0)
    scores = {
        data: {name: 0.8 + rng.normal(0, 0.01, (400, 1)) + np.zeros((1, 3)) for name in ("a", "b")}
        for data in ("one", "two")
    }
    assert seed_deviation(scores) == pytest.approx(0.01 / np.sqrt(2), rel=0.1)
    assert seed_deviation({"one": {"a": np.ones((1, 3))}}) is None


def test_claims_are_over_the_latencies_of_the_gate(finished, tmp_path):
    """Of the runtimes that it has, the same for all data sets; and over the training step of each."""
    rows = [
        {"network": REFERENCE, "onnx_seconds": 1.0, "openvino_seconds": 2.0},
        {"network": "amsunet_lite_xs", "onnx_seconds": 0.5, "openvino_seconds": 0.5},
    ]
    gate = tmp_path / "gate.json"
    gate.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    record = record_of("claim", STAGES["claim"], {"set": finished}, {}, gate)
    axes = ["prediction in onnx", "prediction in openvino", "training step"]
    assert [claim["over"] for claim in record["claims"]] == axes
    assert [(one["network"], one["axes"]) for one in record["dominance"]] == [("amsunet_lite_xs", axes)]
    record = record_of("claim", STAGES["claim"], {"set": finished}, {}, tmp_path / "none.json")
    assert [claim["over"] for claim in record["claims"]] == ["prediction in torch", "training step"]


class _Queue:
    """Stages of two networks on one small data set, as the command has them."""

    def __init__(self, out, trials_here):
        self.out, self._trials_here = out, trials_here

    def run(self, *stages, minutes="0.002"):
        words = [*stages, "--root", str(locate("sample:nuclei").parent), "--data", "nuclei", "--networks", *TWO]
        words += ["--minutes", minutes, "--jobs", "1", "--seeds", "1"]
        words += ["--runs", str(self.out / "runs"), "--results", str(self.out / "results")]
        with self._trials_here():
            light_study.main(words, crop=(32, 32), batch_size=2)

    def told(self, name):
        return json.loads((self.out / "results" / f"{name}.json").read_text(encoding="utf-8"))

    def files(self, name):
        return sorted((self.out / "runs").glob(f"*/nuclei/cells/*/{name}"))


@pytest.fixture(scope="module")
def queue(tmp_path_factory, trials_here):
    queue = _Queue(tmp_path_factory.mktemp("light"), trials_here)
    with pytest.raises(SystemExit, match="run the stage rates first"):
        queue.run("claim")
    queue.run("rates")
    return queue


@pytest.fixture(scope="module")
def finished(queue):
    """What ``claim`` has, of the networks at their kept rates."""
    queue.run("claim")
    names = [row["network"] for row in queue.told("claim")["rows"]]
    return compared(queue.out / "runs" / "0.002min" / "nuclei", names, 1, "val", 1)


def test_both_rates_are_tried_and_the_better_one_is_kept(queue):
    rates = queue.told("rates")
    assert rates["kept_rates"].keys() == set(TWO)
    assert len(rates["rows"]) == 4 and all(row["steps"] >= 6 for row in rates["rows"])
    for name in TWO:
        steps = {row["steps"] for row in rates["rows"] if row["network"].partition(" ")[0] == name}
        assert len(steps) == 1, "both rates get as many steps"


def test_what_one_stage_has_trained_another_one_does_not_train_again(queue, finished, monkeypatch):
    assert len(queue.files("model.safetensors")) == 4
    told = queue.told("claim")
    [claim] = [one for one in told["claims"] if one["over"] == "training step"]
    ours, theirs = (
        next(np.mean(row["dice_by_seed"]) for row in told["rows"] if row["model"] == model)
        for model in ("amsunet_lite_xs", "unet")
    )
    assert claim["mean"]["difference"] == pytest.approx(ours - theirs)
    monkeypatch.setattr(light_study, "compare", lambda *_, **__: pytest.fail("opened the data again"))
    queue.run("claim")


def test_a_queue_goes_on_without_its_folders(queue, finished, tmp_path):
    """What lies with the results is enough, and holds no folder of this machine."""
    before = queue.told("claim")
    (kept,) = (queue.out / "results" / "studies").iterdir()
    with tarfile.open(kept) as packed:
        names = packed.getnames()
        assert not any(str(locate("sample:nuclei")).encode() in packed.extractfile(name).read() for name in names)
    assert kept.stat().st_size < 50_000
    (queue.out / "results" / "claim.json").rename(tmp_path / "claim.json")
    (queue.out / "runs").rename(tmp_path / "runs")
    try:
        queue.run("claim")
        assert len(queue.files("model.safetensors")) == 4 == len(queue.files("evaluation/test/summary.json"))
        after = queue.told("claim")
        for key in ("dice", "dice_by_seed", "steps", "step_seconds", "parameters", "macs"):
            assert [row[key] for row in after["rows"]] == [row[key] for row in before["rows"]]
    finally:
        shutil.rmtree(queue.out / "runs")
        (tmp_path / "runs").rename(queue.out / "runs")


def test_test_scores_are_read_when_all_is_trained(queue, finished):
    with pytest.raises(SystemExit, match=r"nuclei: unet@16.* of 3 minutes is not trained yet, and test images are"):
        queue.run("test", minutes="3")
    assert not (queue.out / "results" / "test_claim.json").exists()
    queue.run("test")
    told = queue.told("test_claim")
    assert told["split"] == "test" and {row["network"].partition(" ")[0] for row in told["rows"]} == set(TWO)
    assert all(row["dice"]["count"] == 4 for row in told["rows"]), "test images"


def test_the_table_has_a_row_for_each_network_and_a_line_for_each_claim(queue, finished, capsys):
    light_table.main(["--results", str(queue.out / "results")])
    found = capsys.readouterr().out
    rows = {row["network"].partition(" ")[0]: row for row in queue.told("claim")["rows"]}
    for name, row in rows.items():
        assert f"| `{name}` | {row['parameters'] / 1e6:.2f} |" in found
        assert f"{row['dice']['mean']:.4f} (1)" in found
    assert found.count("against unet@16, over") == 2, "prediction and training"
    with pytest.raises(SystemExit, match=r"run light_study\.py first"):
        light_table.main(["--results", str(queue.out)])


def test_the_queue_can_be_shown(capsys):
    light_study.main(["--show"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(QUEUE) and lines[0].split()[:3] == ["rates", "3", "networks,"]


def test_an_unknown_stage_names_the_known(capsys):
    with pytest.raises(SystemExit):
        light_study.main(["claims"])
    assert "choose of rates, ablation, claim, long, test" in capsys.readouterr().err
