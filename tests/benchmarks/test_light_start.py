"""Starts are judged on data that they have not seen, beside the same network from scratch with as many steps."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import light_pretrain
import light_start
import pytest
from light_start import targets_of

from amsunet.data.builtin_samples import locate
from amsunet.training.run_folder import images_seen, read_run

NETWORK = {"base_channels": 4}


def test_what_is_judged_is_left_out_and_so_is_what_it_is_made_of():
    assert targets_of("all", "DRIVE") == ["GlaS", "DSB2018", "ISIC2017-256", "sample:nuclei", "sample:brain"]
    assert targets_of("all", "DSB2018") == ["DRIVE", "GlaS", "ISIC2017-256", "sample:brain"]
    assert targets_of("free", "DSB2018") == ["sample:brain"]
    free = targets_of("free", "GlaS")
    assert free == targets_of("free", "DRIVE") == ["DSB2018", "sample:nuclei", "sample:brain"], "one start for all"


def _pretrained_here(words, log):
    light_pretrain.main([*words[2:], "--crop", "32"], **NETWORK)
    return SimpleNamespace(returncode=0, poll=lambda: 0)


@pytest.fixture(scope="module")
def queue(tmp_path_factory, trials_here):
    """One data set to judge a start on that has learnt the other one; and a call of the command."""
    folder = tmp_path_factory.mktemp("start")
    for name in ("nuclei", "brain"):
        shutil.copytree(locate(f"sample:{name}"), folder / "data" / name)
    words = ["--root", str(folder / "data"), "--data", "nuclei", "--ways", "scratch", "all", "--steps", "2", "--jobs"]
    words += ["1", "--minutes", "0.002", "--images", "3", "--runs", str(folder / "runs"), "--out", str(folder / "out")]

    def run(*more):
        with trials_here(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(light_start, "SETS", ("nuclei", "brain"))
            patch.setattr(light_start, "SAMPLES", ())
            patch.setattr(light_start, "_started", _pretrained_here)
            light_start.main([*words, *more], options=NETWORK, crop=(32, 32), batch_size=2)
        return json.loads((folder / "out").read_text(encoding="utf-8"))

    return SimpleNamespace(folder=folder, run=run, first=run("--seeds", "1"))


def test_both_ways_get_as_many_steps_and_the_start_has_not_seen_the_data(queue):
    rows = queue.first["rows"]
    parts = ["0.002 minutes", "0.002 minutes, 3 images"]
    assert [(row["part"], row["way"]) for row in rows] == [(part, way) for part in parts for way in ("scratch", "all")]
    for part in parts:
        assert len({row["steps"] for row in rows if row["part"] == part}) == 1
    run = queue.folder / "runs" / "nuclei" / "0.002-minutes-3-images-choice-0" / "cells" / "all-seed0"
    config, data = read_run(run)
    assert config.plan.pretrained == str(queue.folder / "runs" / "joint" / "brain")
    assert list(data.splits.values()).count("train") == 3
    assert not images_seen(config.plan.pretrained) & set(data.checksums.values())
    for against in queue.first["against_scratch"]:
        of_way = {row["way"]: row["dice_by_seed"][0] for row in rows if row["part"] == against["part"]}
        assert against["mean"]["difference"] == pytest.approx(of_way["all"] - of_way["scratch"])


def test_the_queue_goes_on_with_what_is_missing(queue, monkeypatch):
    monkeypatch.setattr(light_start, "compare", lambda *_, **__: pytest.fail("trained again"))
    again = queue.run("--seeds", "1")
    assert again["rows"] == queue.first["rows"]


def test_the_first_seed_of_everything_comes_first(capsys):
    light_start.main(["--show"])
    lines = capsys.readouterr().out.splitlines()
    seeds = [int(line.split()[1].rstrip(",")) for line in lines]
    assert seeds == sorted(seeds) and len(lines) == 3 * 4 * 7
    assert lines[0] == "seed 0, DRIVE: 2 minutes, scratch, all, free"
