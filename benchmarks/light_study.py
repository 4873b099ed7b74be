"""The protocol of docs/light.md as a queue of trainings, which takes days and survives restarts.

    python benchmarks/light_study.py [STAGE ...] [--root ../shared/data] [--jobs 2]

A stage trains its networks on its data sets with its seeds, one thread each, at the lowest priority, and writes
results/light/STAGE.json; what is done is not done again, by whichever stage it was. Stages are ``rates``, ``screen``,
``ablation``, ``claim`` and ``end``, all of them one after the other when none is named. Stop it with Ctrl-C, or kill
it; the same command goes on.

A study folder holds all of one data set and one number of minutes: networks are timed there once, in turn, and those
that join later are timed beside one that was there. Start it where nothing else runs. ``--minutes``, ``--seeds``,
``--data`` and ``--networks`` make every stage shorter, to try it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from light_analysis import advantage, better_rates
from light_networks import CONTROL, CONTROLS, LIGHT, REFERENCE, STAGES, U_NETS, Stage, variant

from amsunet.atomic_io import write_json
from amsunet.console import shown
from amsunet.errors import InputError
from amsunet.evaluation.compare import compare
from amsunet.evaluation.comparison import Comparison
from amsunet.evaluation.comparison_page import write_page
from amsunet.evaluation.study import StudyDesign, is_done
from amsunet.evaluation.trial_scores import image_scores
from amsunet.evaluation.variant import Variant
from amsunet.memory import keep_freed_memory

ROOT = Path(__file__).parents[1]
RATES = (0.001, 0.002)
DEFAULT_RATE = 0.002
"""The plan's, which is set for nobody."""


def run_stage(name: str, stage: Stage, root: Path, runs: Path, results: Path, jobs: int, **settings: Any) -> int:
    """Train what the stage asks for, and write what came of it.

    Args:
        name: Of the stage.
        stage: What it is.
        root: Where the data sets lie.
        runs: Where studies go.
        results: Where the result goes.
        jobs: Trainings at a time.
        settings: Of the plan.

    Returns:
        How many trials failed; the others are in the result, and the same stage tries these again.

    Raises:
        InputError: If learning rates are needed that no stage has tried.
    """
    chosen = list(_variants(stage, results))
    compared = {}
    for data in stage.data:
        comparison = compare(
            root / data,
            chosen,
            settings,
            out=runs / f"{stage.minutes:g}min-{stage.split}" / data,
            design=StudyDesign(
                seeds=stage.seeds,
                jobs=jobs,
                title=f"Light networks: {name}",
                equal_time=stage.minutes,
                split=stage.split,  # type: ignore[arg-type]
            ),
            device="cpu",
        )
        write_page(comparison)
        compared[data] = comparison
    record = {
        "what": f"stage {name!r} of docs/light.md: Dice on {stage.split} images after equal time",
        "command": f"python benchmarks/light_study.py {name}",
        "stage": asdict(stage),
        "rows": [row for data, comparison in compared.items() for row in _rows(data, comparison)],
        "failures": {f"{data}: {trial}": why for data, one in compared.items() for trial, why in one.failures.items()},
        "environment": next(iter(compared.values())).environment,
    }
    if stage.both_rates:
        record["kept_rates"] = _kept(compared)
    else:
        record["claims"] = _claims(compared)
    write_json(results / f"{name}.json", record)
    return len(record["failures"])


def _variants(stage: Stage, results: Path) -> Iterator[Variant]:
    """The networks of a stage, at every rate or at the one that was kept."""
    kept: dict[str, float] = {}
    with suppress(FileNotFoundError):
        kept = json.loads((results / "rates.json").read_text(encoding="utf-8"))["kept_rates"]
    if not stage.both_rates and (missing := [name for name in stage.networks if name not in kept]):
        raise InputError(f"no learning rate was tried for {', '.join(missing)}: run the stage rates first")
    for name in stage.networks:
        for rate in RATES if stage.both_rates else [kept[name]]:
            yield variant(name, None if rate == DEFAULT_RATE else rate)


def _rows(data: str, comparison: Comparison) -> Iterator[dict[str, Any]]:
    for row in comparison.rows:
        dice = _dice(comparison, row.variant)
        yield {
            "data": data,
            "network": row.variant.name,
            "model": row.variant.model,
            "options": row.variant.options,
            "settings": row.variant.settings,
            "parameters": row.parameters,
            "macs": row.macs,
            "torch_seconds": row.latency,
            "step_seconds": row.seconds_per_step,
            "precision": row.precision,
            "steps": row.steps,
            "dice": asdict(row.scores["dice"]),
            "dice_by_seed": dice.mean(axis=1).tolist(),
        }


def _dice(comparison: Comparison, chosen: Variant) -> Any:
    """(seeds, images), the images sorted by name."""
    trials = [
        trial
        for trial in comparison.study.trials()
        if trial.variant.name == chosen.name and is_done(comparison.folder, trial)
    ]
    scores = [image_scores(comparison.folder, [trial]) for trial in trials]
    return np.array([[values["dice"] for values in of_trial.values()] for of_trial in scores])


def _plain(name: str) -> str:
    """The name of a network without its rate."""
    return name.partition(" rate ")[0]


def _kept(compared: dict[str, Comparison]) -> dict[str, float]:
    dice: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for comparison in compared.values():
        for row in comparison.rows:
            rate = row.variant.settings.get("learning_rate", DEFAULT_RATE)
            dice[_plain(row.variant.name)][rate].append(row.scores["dice"].mean)
    return better_rates(dice)


def _claims(compared: dict[str, Comparison]) -> list[Any]:
    """Every light network against U-Net 16, the control, and the curves of both, by prediction and by training."""
    scores = {
        data: {_plain(row.variant.name): _dice(comparison, row.variant) for row in comparison.rows}
        for data, comparison in compared.items()
    }
    times: dict[str, dict[str, dict[str, float]]] = {
        "prediction in torch": {
            data: {_plain(row.variant.name): row.latency for row in one.rows} for data, one in compared.items()
        },
        "training step": {
            data: {_plain(row.variant.name): row.seconds_per_step or 0.0 for row in one.rows}
            for data, one in compared.items()
        },
    }
    there = set.intersection(*(set(of_data) for of_data in scores.values()))
    ours = [name for name in there if name in LIGHT or name.startswith("lite_")]
    curves = [one for one in ((REFERENCE,), (CONTROL,), U_NETS, CONTROLS) if there >= set(one)]
    return [
        {"over": axis, **advantage(scores, name, curve, seconds)}
        for axis, seconds in times.items()
        for name in sorted(ours)
        for curve in curves
    ]


def main(arguments: Sequence[str] | None = None, **settings: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the data sets lie")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time, a thread each")
    parser.add_argument("--minutes", type=float, help="of every stage, to try it")
    parser.add_argument("--seeds", type=int, help="of every stage, to try it")
    parser.add_argument("--data", nargs="+", help="of every stage, to try it")
    parser.add_argument("--networks", nargs="+", help="of every stage, to try it")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "light")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "light")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.stages) - set(STAGES):
        parser.error(f"there is no stage {min(unknown)!r}: choose of {', '.join(STAGES)}")
    torch.set_num_threads(asked.jobs)  # which the trainings share
    keep_freed_memory()  # as the command line does
    changes = {key: getattr(asked, key) for key in ("minutes", "seeds", "data", "networks") if getattr(asked, key)}
    failed = 0
    try:
        for name in asked.stages or STAGES:
            print(f"stage {name}", flush=True)
            with shown():
                stage = replace(STAGES[name], **changes)
                failed += run_stage(name, stage, asked.root, asked.runs, asked.results, asked.jobs, **settings)
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
