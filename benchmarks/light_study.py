"""The protocol of docs/light.md as a queue of trainings, which takes days and survives restarts.

    python benchmarks/light_study.py [STAGE ...] [--root ../shared/data] [--jobs 2]
    timeout --foreground --signal=INT 170m python benchmarks/light_study.py    # while there is time; the same goes on

With no stage named, the queue of ``light_networks.py`` is gone through, the most decisive first, seed by seed: wherever
it stops, results/light/STAGE.json tell what there is. A training is a process on one thread, at the lowest priority;
what is done is not done again. ``--show`` prints the queue with what is left of it, and trains nothing. ``test`` looks
at the test images, once, of what the stages ``claim`` and ``long`` have trained, and does so only when all of it is.

A study folder holds all of one data set and one number of minutes: networks are timed there once, in turn, and those
that join later are timed beside one that was there. Start it where nothing else runs. ``--minutes``, ``--seeds``,
``--data`` and ``--networks`` change every stage, to try it.

What is trained is kept in results/light/studies too, but for the weights: where no study folder lies, the queue goes on
from there. Since weights go with their machine, a training is evaluated on test images as soon as it has ended, and
these scores stay unread until ``test``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from light_archive import archive, restore
from light_networks import CONTROLLED, QUEUE, STAGES, Entry, Stage, trainings, variant
from light_record import DEFAULT_RATE, compared, record_of

from amsunet.atomic_io import write_json
from amsunet.console import shown
from amsunet.device import choose_device
from amsunet.errors import InputError
from amsunet.evaluation.compare import compare
from amsunet.evaluation.comparison_page import write_page
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.study import StudyDesign, has_study, is_done, read_study, trial_folder
from amsunet.evaluation.variant import Variant
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.memory import keep_freed_memory

ROOT = Path(__file__).parents[1]
RATES = (0.001, 0.002)
_BASE = "amsunet_lite"
"""What the changes of the ablation are changes of: they train at its learning rate."""
_TESTED = ("rates", "claim", "long")
"""Stages whose trainings ``test`` reads."""


class Study:
    """Where data sets lie, and studies and results go.

    Args:
        root: The folder of the data sets.
        runs: The folder of the studies.
        results: The folder of the results.
        jobs: Trainings at a time.
        settings: Of the plan.
    """

    def __init__(self, root: Path, runs: Path, results: Path, jobs: int, **settings: Any) -> None:
        self.root, self.runs, self.results, self.jobs, self.settings = root, runs, results, jobs, settings

    def folder(self, minutes: float, data: str) -> Path:
        """Of one data set and one number of minutes."""
        return self.runs / f"{minutes:g}min" / data

    def archive(self, minutes: float, data: str) -> Path:
        """Where the same is kept without weights."""
        return self.results / "studies" / f"{minutes:g}min_{data}.tar.xz"

    def run(self, name: str, part: Stage) -> int:
        """Train what is asked for of a stage and not done, and write what is there of the stage.

        Args:
            name: Of the stage.
            part: What is asked for.

        Returns:
            How many trainings failed; the others are in the result, and the same part tries these again.

        Raises:
            InputError: If learning rates are needed that no stage has tried.
        """
        wanted = {data: list(self._variants(part, data)) for data in part.data}
        if self._is_told(name, part, wanted):
            print("done", flush=True)
            return 0
        failures: dict[str, str] = {}
        for data, chosen in wanted.items():
            design = StudyDesign(
                seeds=part.seeds,
                jobs=self.jobs,
                title=f"Light networks: {name}",
                equal_time=part.minutes,
                split="val",
            )
            out, kept = self.folder(part.minutes, data), self.archive(part.minutes, data)
            if kept.is_file() and not has_study(out):
                restore(kept, out, self.root / data)
            comparison = compare(self.root / data, chosen, self.settings, out=out, design=design, device="cpu")
            failures |= {f"{data}: {trial}": why for trial, why in comparison.failures.items()}
            if name in _TESTED:
                self._evaluate(part, data, [one.name for one in chosen])
            archive(out, kept)
        self._tell(name, part, failures)
        return len(failures)

    def test(self, parts: dict[str, Stage]) -> None:
        """Read how what stages have trained does on test images, and write results/light/test_STAGE.json.

        Args:
            parts: What must be trained of each stage, by its name, for no choice may follow what test images show.

        Raises:
            InputError: If something of it is not trained yet; before a score is read.
        """
        wanted = [
            (part, data, [chosen.name for chosen in self._variants(part, data)])
            for part in parts.values()
            for data in part.data
        ]
        for one in wanted:
            self._refuse_unfinished(*one)
        for name, part in parts.items():
            self._tell(name, part, {}, "test")

    def _refuse_unfinished(self, part: Stage, data: str, names: Sequence[str]) -> None:
        folder = self.folder(part.minutes, data)
        trials = read_study(folder).trials() if has_study(folder) else []
        done = {trial.name for trial in trials if is_done(folder, trial)}
        for trial in (f"{name}-seed{seed}" for seed in range(part.seeds) for name in names):
            if trial not in done:
                raise InputError(
                    f"{data}: {trial} of {part.minutes:g} minutes is not trained yet, and test images are looked at "
                    "once, when all is: go on with the queue first"
                )

    def _evaluate(self, part: Stage, data: str, names: Sequence[str]) -> None:
        """Write down how trainings do on test images, which nothing reads yet."""
        folder = self.folder(part.minutes, data)
        study = read_study(folder)
        for trial in study.trials():
            is_new = not is_done(folder, trial.model_copy(update={"split": "test"}))
            if trial.variant.name in names and is_done(folder, trial) and is_new:
                device = choose_device("cpu", study.precision_of(trial.variant))
                evaluate(trial_folder(folder, trial), split="test", options=RuntimeOptions.on(device))

    def _variants(self, part: Stage, data: str) -> Iterator[Variant]:
        """The networks of a stage, at every rate or at the one that was kept."""
        kept = {} if part.both_rates else self._kept()
        known = {name: kept.get(name, kept.get(_BASE) if name.startswith("lite_") else None) for name in part.networks}
        if not part.both_rates and (missing := [name for name, rate in known.items() if rate is None]):
            raise InputError(f"no learning rate was tried for {', '.join(missing)}: run the stage rates first")
        for name, rate in known.items():
            for one in RATES if part.both_rates else [rate]:
                yield variant(name, None if one == DEFAULT_RATE else one, data)

    def _kept(self) -> dict[str, float]:
        with suppress(FileNotFoundError):
            kept: dict[str, float] = self._told("rates")["kept_rates"]
            return kept
        return {}

    def _told(self, name: str) -> Any:
        return json.loads((self.results / f"{name}.json").read_text(encoding="utf-8"))

    def _is_told(self, name: str, part: Stage, wanted: dict[str, list[Variant]]) -> bool:
        """Whether the result of a stage has all trainings of a part, so that no data set needs to be opened."""
        with suppress(FileNotFoundError):
            told = self._told(name)
            seeds = {(row["data"], row["network"]): len(row["dice_by_seed"]) for row in told["rows"]}
            asked = [(data, one.name) for data, chosen in wanted.items() for one in chosen]
            return told["stage"]["minutes"] == part.minutes and all(seeds.get(one, 0) >= part.seeds for one in asked)
        return False

    def _tell(self, name: str, part: Stage, failures: dict[str, str], split: str = "val") -> None:
        """Write all that is there of a stage, whichever part of the queue it was trained for."""
        stage = replace(part, networks=tuple(dict.fromkeys([*part.networks, *STAGES[name].networks])))
        rated = stage.networks if stage.both_rates else [one for one in stage.networks if one in self._rated(stage)]
        of_data = {}
        for data in part.data:
            folder = self.folder(part.minutes, data)
            if has_study(folder):
                names = [one.name for one in self._variants(replace(stage, networks=rated), data)]
                seeds = max(part.seeds, STAGES[name].seeds)
                of_data[data] = compared(folder, names, seeds, split, self.jobs)
                write_page(of_data[data])
        record = record_of(name, stage, of_data, failures, self.results / "gate.json")
        write_json(self.results / f"{'test_' * (split == 'test')}{name}.json", record)

    def _rated(self, stage: Stage) -> set[str]:
        """The networks of a stage whose learning rate is known."""
        kept = self._kept()
        return {name for name in stage.networks if name in kept or (name.startswith("lite_") and _BASE in kept)}


def show(queue: Sequence[Entry]) -> str:
    """A line for each entry of the queue: what it trains that those before it have not, and hours of a core so far."""
    lines, minutes = [], 0.0
    for entry, new in trainings(queue):
        minutes += sum(training[3] for training in new)
        seeds = f"{entry.seeds} seed{'s' * (entry.seeds > 1)}"
        what = f"{len(entry.networks)} networks, {seeds}: {len(new)} trainings"
        lines.append(f"{entry.stage:<9} {what:<42} {minutes / 60:5.1f} hours of a core")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, **settings: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join([*STAGES, "test"]))
    parser.add_argument("--show", action="store_true", help="print the queue, and train nothing")
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the data sets lie")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time, a thread each")
    parser.add_argument("--minutes", type=float, help="of every stage, to try it")
    parser.add_argument("--seeds", type=int, help="of every stage, to try it")
    parser.add_argument("--data", nargs="+", help="of every stage, to try it")
    parser.add_argument("--networks", nargs="+", help="of every stage, to try it")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "light")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "light")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.stages) - {*STAGES, "test"}:
        parser.error(f"there is no stage {min(unknown)!r}: choose of {', '.join([*STAGES, 'test'])}")
    if asked.show:
        print(show(QUEUE))
        return
    torch.set_num_threads(asked.jobs)  # which the trainings share
    keep_freed_memory()  # as the command line does
    changes = {key: getattr(asked, key) for key in ("minutes", "seeds", "data", "networks") if getattr(asked, key)}
    study = Study(asked.root, asked.runs, asked.results, asked.jobs, **settings)
    queue = [Entry(name, STAGES[name].networks, STAGES[name].seeds) for name in asked.stages if name != "test"]
    failed = 0
    try:
        for entry in queue if asked.stages else QUEUE:
            print(f"stage {entry.stage}, {len(entry.networks)} networks, seeds up to {entry.seeds}", flush=True)
            with shown():
                failed += study.run(entry.stage, replace(entry.part, **changes))
        if "test" in asked.stages:
            parts = {"claim": replace(STAGES["claim"], networks=CONTROLLED), "long": STAGES["long"]}
            with shown():
                study.test({name: replace(part, **changes) for name, part in parts.items()})
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on")
    if failed:
        sys.exit(f"{failed} trainings failed, as the results say: the same command tries them again")


if __name__ == "__main__":
    with suppress(AttributeError):  # not on Windows
        os.nice(19)
    main()
