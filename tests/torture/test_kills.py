"""Commands killed before a change on disk, and at random: one goes on, and ends with what an unbroken one gives."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from commands import COMMANDS, go_on, most_faults, output_of
from tally import draws, spread

from amsunet.errors import InputError


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_before_a_change_on_disk(name, material, amsunet_in_fork, unbroken, tmp_path, tally):
    whole, command, problems = unbroken(name), COMMANDS[name], []
    places = spread(len(whole.changes), most_faults(name), name)
    for place in places:
        for at in range(place, -1, -1):  # how often lists are written depends on the time: there may be fewer changes
            out = tmp_path / f"{place}-{at}"
            fault = {"kind": "kill", "at": at, "below": str(out)}
            killed = amsunet_in_fork(command.split(material | {"out": out}), fault)
            if killed.code == -signal.SIGKILL:
                break
            assert killed.code in (0, 1) and len(killed.told) <= at, killed.err
        if problem := go_on(name, material, out, amsunet_in_fork, whole.result):
            problems.append((at, killed.told[-1], problem))
    tally("kills at a change on disk", name, tried=len(places), survived=len(places) - len(problems))
    assert problems == []


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_random(name, material, amsunet_in_fork, unbroken, tmp_path, tally):
    whole, command, problems = unbroken(name), COMMANDS[name], []
    count, rng = most_faults(name, 3), draws("random", name)
    for number in range(count):
        out, kills = tmp_path / str(number), []
        for _ in range(1 + number % 2):  # every other one twice
            after = rng.uniform(0.02, whole.processor_seconds)
            killed = amsunet_in_fork(command.split(material | {"out": out}), {"kind": "kill after", "seconds": after})
            kills.append(f"{after:.3f} s")
            if killed.code in (0, 1):
                break  # it was faster than before
        if problem := go_on(name, material, out, amsunet_in_fork, whole.result):
            problems.append((kills, problem))
    tally("kills at random", name, tried=count, survived=count - len(problems))
    assert problems == []


def test_a_trial_of_a_study_killed(material, amsunet_in_fork, unbroken, tmp_path, tally):
    """The study says which one failed, and the same command does that one again."""
    name = "compare"
    whole, command, problems = unbroken(name), COMMANDS[name], []
    count, rng = most_faults(name), draws("trial")
    for number in range(count):
        for at in range(int(rng.integers(20)), -1, -1):  # of which a short trial has fewer
            out = tmp_path / f"{number}-{at}"
            fault = {"kind": "kill", "at": at, "below": str(out), "process": "trial"}
            ended = amsunet_in_fork(command.split(material | {"out": out}), fault)
            if ended.code != 0:
                break
        assert ended.code == 1 and "Traceback" not in ended.err, (ended.code, ended.err)
        if problem := go_on(name, material, out, amsunet_in_fork, whole.result):
            problems.append((at, problem))
    tally("kills at a change on disk", "a trial of compare", tried=count, survived=count - len(problems))
    assert problems == []


def test_an_export_killed_while_it_replaces_another_is_the_old_one_the_new_one_or_refused(
    material, amsunet_in_fork, tmp_path, tally
):
    """Two files of an OpenVINO network are never of two exports without a word."""
    command, gives, before = COMMANDS["export openvino"], COMMANDS["export openvino"].result, tmp_path / "before"
    older = {**material, "net": material["run"], "out": before}
    assert amsunet_in_fork(command.split(older)).code == 0
    old, seen = gives(before)["gives"], []
    for at in range(100):
        out = Path(shutil.copytree(before, tmp_path / str(at)))
        words = [*command.split(material | {"out": out}), "--overwrite"]
        killed = amsunet_in_fork(words, {"kind": "kill", "at": at, "below": str(out)})
        if killed.code == 0:
            new = gives(out)["gives"]
            break
        try:
            seen.append(output_of(out / "net.xml"))
        except InputError:
            seen.append("refused")
    tally("kills at a change on disk", "export over another one", tried=len(seen),
          survived=sum(one in (old, new, "refused") for one in seen))  # fmt: skip
    assert old != new and set(seen) <= {old, new, "refused"} and len(seen) > 2
