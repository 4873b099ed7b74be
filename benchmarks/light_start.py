"""Is a start that has seen other targets better than a random one? Leave one data set out, and train on it.

    python benchmarks/light_start.py [--root ../shared/data] [--jobs 2] [--model amsunet_lite] [--steps 10000]
    timeout --foreground --signal=INT 170m python benchmarks/light_start.py    # while there is time; the same goes on

For each of four data sets a network is pretrained on the three others and the samples (``all``), and once on those of
them alone that are freely licensed (``free``), by ``light_pretrain.py``. It then trains on the data set that it has not
seen: for 2, 5 and 15 minutes on all its training images, and for 2 minutes on 5, 10, 20 and 50 of them, beside the same
network from ``scratch``, with as many steps. Scores are of validation images. The first seed of everything comes first;
results/light/start.json has what is there, wherever the queue stops. ``--show`` prints it, and trains nothing.

Of few images, each seed is another choice of them. ``--data``, ``--seeds``, ``--minutes`` and ``--images`` make it
shorter, to try it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from light_analysis import advantage
from light_record import compared, dice_of
from transfer import reduced

from amsunet.atomic_io import write_json
from amsunet.console import shown
from amsunet.data.images import Array
from amsunet.data.options import DataOptions
from amsunet.device import choose_device, environment
from amsunet.errors import InputError, reason_of_end
from amsunet.evaluation.compare import compare
from amsunet.evaluation.study import StudyDesign, has_study, is_done, read_study
from amsunet.evaluation.variant import Variant
from amsunet.memory import keep_freed_memory
from amsunet.training.prepare import prepare

ROOT = Path(__file__).parents[1]
SETS = ("DRIVE", "GlaS", "DSB2018", "ISIC2017-256")
SAMPLES = ("sample:nuclei", "sample:brain")
FREE = ("DSB2018", *SAMPLES)
"""Data sets whose terms allow any use; those of the others are for research."""
ALIKE = {"DSB2018": ("sample:nuclei",)}
"""Samples from the very source of a data set, which has not been left out while they are learnt."""
WAYS = ("scratch", "all", "free")
_FEW_MINUTES = 2.0
"""Of a training on few images."""


def targets_of(way: str, left_out: str) -> list[str]:
    """What a start learns that is judged on a data set.

    Args:
        way: ``all`` or ``free``.
        left_out: The data set.
    """
    every = [*SETS, *SAMPLES] if way == "all" else FREE
    return [name for name in every if name != left_out and name not in ALIKE.get(left_out, ())]


@dataclass(frozen=True)
class Part:
    """What is trained on a data set: for so many minutes, on all training images or on some."""

    minutes: float
    images: int | None = None

    @property
    def name(self) -> str:
        """Of its folder, and in the results."""
        return f"{self.minutes:g} minutes" + ("" if self.images is None else f", {self.images} images")


class Start:
    """The queue.

    Args:
        asked: What the command line says.
        options: Arguments of the network.
        settings: Of every training.
    """

    def __init__(self, asked: argparse.Namespace, options: dict[str, Any], settings: dict[str, Any]) -> None:
        self.asked, self.options, self.settings = asked, options, settings
        short, *longer = sorted(asked.minutes)
        few = [Part(min(short, _FEW_MINUTES), count) for count in asked.images]
        self.parts = [Part(short), *few, *map(Part, longer)]

    def queue(self) -> Iterator[tuple[int, Part, str]]:
        """Seed, part and data set, in their order."""
        for seed in range(self.asked.seeds):
            for part in self.parts:
                for data in self.asked.data:
                    yield seed, part, data

    def joint(self, way: str, data: str) -> Path:
        """The run folder of a start; one serves all data sets that it may be judged on."""
        return self.asked.runs / "joint" / "+".join(name.removeprefix("sample:") for name in targets_of(way, data))

    def folder(self, part: Part, data: str, seed: int) -> Path:
        """Of a study: of few images there is one for each choice of them."""
        name = part.name if part.images is None else f"{part.name}, choice {seed}"
        return self.asked.runs / data / name.replace(", ", "-").replace(" ", "-")

    def pretrain(self) -> None:
        """Train the starts that are not trained yet, so many at a time, a thread each.

        Raises:
            InputError: With its last line, if one fails.
        """
        script = Path(__file__).with_name("light_pretrain.py")
        wanted = [(way, data) for data in self.asked.data for way in self.asked.ways[1:]]
        waiting = []
        for out, names in {self.joint(*one): targets_of(*one) for one in wanted}.items():
            if not (out / "joint.json").is_file():
                sources = [name if name.startswith("sample:") else str(self.asked.root / name) for name in names]
                words = [script, *sources, "--out", out, "--model", self.asked.model, "--steps", self.asked.steps]
                waiting.append((out, [sys.executable, *map(str, words)]))
        running: dict[Path, subprocess.Popen[bytes]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.asked.jobs:
                    out, words = waiting.pop(0)
                    print(f"pretraining {out.name}, {self.asked.steps} steps", flush=True)
                    running[out] = _started(words, out.with_suffix(".log"))
                time.sleep(0.2)
                for out, process in list(running.items()):
                    if process.poll() is not None:
                        del running[out]
                        if process.returncode:
                            log = out.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
                            raise InputError(f"{out.name}: {reason_of_end(process.returncode, log, 'fewer --jobs')}")
        finally:
            for process in running.values():
                process.send_signal(signal.SIGINT)  # it keeps what it has reached now and then
            for process in running.values():
                process.wait()

    def train(self, seed: int, part: Part, data: str) -> None:
        """Train every way on a data set, unless that is done."""
        out, source = self.folder(part, data, seed), self.asked.root / data
        seeds = 1 if part.images else seed + 1
        if _is_done(out, self.asked.ways, seeds):
            return
        options = DataOptions()
        if part.images is not None:
            splits = prepare(source, self.settings, device="cpu").splits
            if part.images > sum(split == "train" for split in splits.values()):
                print(f"{data} has fewer than {part.images} training images", flush=True)
                return
            options = DataOptions(splits=reduced(splits, part.images, seed))
        design = StudyDesign(
            seeds=seeds, jobs=self.asked.jobs, title=f"Starts: {part.name}", equal_time=part.minutes, split="val"
        )
        ways = [self._variant(way, data) for way in self.asked.ways]
        compare(source, ways, self.settings, out=out, design=design, data_options=options, device="cpu")

    def _variant(self, way: str, data: str) -> Variant:
        changes = {} if way == "scratch" else {"pretrained": str(self.joint(way, data).absolute())}
        return Variant(name=way, model=self.asked.model, options=self.options, settings=changes)

    def tell(self) -> dict[str, Any]:
        """All that is there: a row for each part, data set and way, and each way against scratch over all data sets."""
        rows, scores = [], defaultdict[str, dict[str, dict[str, Array]]](dict)
        for part in self.parts:
            for data in self.asked.data:
                of_way = self._scores(part, data)
                for way, (dice, steps) in of_way.items():
                    means = dice.mean(axis=1).tolist()
                    rows.append({"part": part.name, "data": data, "way": way, "steps": steps, "dice_by_seed": means})
                if of_way:
                    scores[part.name][data] = {way: dice for way, (dice, _) in of_way.items()}
        against = [
            {"part": name, "way": way, **_against_scratch(of_part, way)}
            for name, of_part in scores.items()
            for way in self.asked.ways[1:]
        ]
        return {
            "what": "validation Dice of a network from scratch and from two starts that have not seen the data set, "
            "after as many steps; differences with 95 % intervals, bootstrap over images and seeds",
            "command": f"python benchmarks/light_start.py --model {self.asked.model} --steps {self.asked.steps}",
            "starts": {data: {way: targets_of(way, data) for way in self.asked.ways[1:]} for data in self.asked.data},
            "rows": rows,
            "against_scratch": against,
            "environment": environment(choose_device("cpu")),
        }

    def _scores(self, part: Part, data: str) -> dict[str, tuple[Array, float]]:
        """Dice (seeds, images) and steps by way; of few images a seed is a choice."""
        found: dict[str, list[Array]] = defaultdict(list)
        steps: dict[str, float] = {}
        for seed in range(self.asked.seeds if part.images else 1):
            folder = self.folder(part, data, seed)
            if not has_study(folder):
                continue
            with suppress(InputError):  # that nothing is done yet
                comparison = compared(folder, self.asked.ways, self.asked.seeds, "val", self.asked.jobs)
                for row in comparison.rows:
                    found[row.variant.name].append(dice_of(comparison, row.variant.name))
                    steps[row.variant.name] = row.steps
        return {way: (np.concatenate(dice), steps[way]) for way, dice in found.items()}


def _is_done(out: Path, ways: Sequence[str], seeds: int) -> bool:
    """Whether a study has everything that is asked for, so that its data need not be opened."""
    if not has_study(out):
        return False
    done = {(trial.variant.name, trial.seed) for trial in read_study(out).trials() if is_done(out, trial)}
    return done >= {(way, seed) for way in ways for seed in range(seeds)}


def _against_scratch(scores: dict[str, dict[str, Array]], way: str) -> dict[str, Any]:
    """Dice of a way less that from scratch, in the mean over data sets that have both and on each."""
    both = {data: of_data for data, of_data in scores.items() if {way, "scratch"} <= of_data.keys()}
    if not both:
        return {}
    found = advantage(both, way, ["scratch"], {data: dict.fromkeys(of_data, 1.0) for data, of_data in both.items()})
    return {"mean": found["mean"], "data": found["data"]}


def _started(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        threads = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=threads)


def main(arguments: Sequence[str] | None = None, *, options: dict[str, Any] | None = None, **settings: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the queue, and train nothing")
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the data sets lie")
    parser.add_argument("--model", default="amsunet_lite")
    parser.add_argument("--steps", type=int, default=10_000, help="of each start")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time, a thread each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=list(SETS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="scratch first")
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 5, 15])
    parser.add_argument("--images", type=int, nargs="*", default=[5, 10, 20, 50])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "start")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "light" / "start.json")
    asked = parser.parse_args(arguments)
    if asked.ways[0] != "scratch":
        parser.error("--ways begins with scratch, which the others are set against")
    start = Start(asked, options or {}, settings)
    if asked.show:
        for seed, part, data in start.queue():
            print(f"seed {seed}, {data}: {part.name}, {', '.join(asked.ways)}")
        return
    torch.set_num_threads(asked.jobs)  # which the trainings share
    keep_freed_memory()  # as the command line does
    try:
        start.pretrain()
        for seed, part, data in start.queue():
            print(f"seed {seed}, {data}: {part.name}", flush=True)
            with shown():
                start.train(seed, part, data)
            if data == asked.data[-1]:
                write_json(asked.out, start.tell())
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on")


if __name__ == "__main__":
    with suppress(AttributeError):  # not on Windows
        os.nice(19)
    main()
