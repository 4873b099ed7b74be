"""What a stage of the light study came to, from all trainings that are done by now: scores, costs and claims."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from light_analysis import advantage, better_rates, seed_deviation
from light_gate import RUNTIMES
from light_networks import CONTROL, CONTROLS, LIGHT, REFERENCE, U_NETS, Stage, same_network

from amsunet.data.images import Array
from amsunet.device import choose_device
from amsunet.evaluation.comparison import Comparison, collect
from amsunet.evaluation.study import is_done, read_study
from amsunet.evaluation.trial_scores import image_scores

DEFAULT_RATE = 0.002
"""The plan's, which is set for nobody."""
Scores = dict[str, dict[str, Array]]
"""By data set and network: Dice (seeds, images)."""


def compared(folder: Path, names: Sequence[str], seeds: int, split: str, jobs: int) -> Comparison:
    """Everything of a study that is trained: of these networks, of so many seeds at most.

    Args:
        folder: Of the study.
        names: Of its variants.
        seeds: The most that count.
        split: The images that scores are of.
        jobs: Trainings that ran at a time.
    """
    study = read_study(folder)
    chosen = tuple(one for one in study.variants if one.name in names)
    changes: dict[str, Any] = {"variants": chosen, "seeds": min(seeds, study.seeds), "split": split}
    return collect(folder, study.model_copy(update=changes), choose_device("cpu"), {}, jobs)


def record_of(
    name: str, stage: Stage, of_data: Mapping[str, Comparison], failures: Mapping[str, str], gate: Path
) -> dict[str, Any]:
    """What is written of a stage.

    Args:
        name: Of the stage.
        stage: What it is.
        of_data: What is there of it.
        failures: Why trainings failed, by their name.
        gate: The file of ``light_gate.py``, where it is.
    """
    split = next(iter(of_data.values())).study.split
    record: dict[str, Any] = {
        "what": f"stage {name!r} of docs/light.md: Dice on {split} images after equal time, of what is trained by now",
        "command": "python benchmarks/light_study.py" + " test" * (split == "test"),
        "split": split,
        "stage": asdict(stage),
        "rows": [row for data, comparison in of_data.items() for row in _rows(data, comparison)],
        "failures": dict(failures),
        "environment": next(iter(of_data.values())).environment,
    }
    scores = {
        data: {plain(row.variant.name): dice_of(comparison, row.variant.name) for row in comparison.rows}
        for data, comparison in of_data.items()
    }
    if stage.both_rates:
        record["kept_rates"] = _kept(of_data)
    elif name == "ablation":
        record |= _changes(scores)
    else:
        claims = list(_claims(scores, of_data, gate))
        record |= {"claims": claims, "dominance": _dominance(claims)}
    return record


def plain(name: str) -> str:
    """The name of a network without its rate."""
    return name.partition(" rate ")[0]


def _rows(data: str, comparison: Comparison) -> Iterator[dict[str, Any]]:
    for row in comparison.rows:
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
            "minutes": row.minutes,
            "dice": asdict(row.scores["dice"]),
            "dice_by_seed": dice_of(comparison, row.variant.name).mean(axis=1).tolist(),
            "against_the_first": None if row.test is None else asdict(row.test),
        }


def dice_of(comparison: Comparison, name: str) -> Array:
    """(seeds, images) of a network, the images sorted by name."""
    trials = [
        trial for trial in comparison.study.trials() if trial.variant.name == name and is_done(comparison.folder, trial)
    ]
    scores = [image_scores(comparison.folder, [trial]) for trial in trials]
    return np.array([[values["dice"] for values in of_trial.values()] for of_trial in scores])


def _kept(of_data: Mapping[str, Comparison]) -> dict[str, float]:
    """The better rate of every network that has been trained at both on all data sets that there are."""
    dice: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for comparison in of_data.values():
        for row in comparison.rows:
            rate = row.variant.settings.get("learning_rate", DEFAULT_RATE)
            dice[plain(row.variant.name)][rate].append(row.scores["dice"].mean)
    whole = {
        name: rates
        for name, rates in dice.items()
        if len(rates) > 1 and all(len(of_rate) == len(of_data) for of_rate in rates.values())
    }
    return better_rates(whole)


def _changes(scores: Scores) -> dict[str, Any]:
    """Every change of the ablation against what it changes, and the standard deviation of seeds that it must gain."""
    there = set.intersection(*(set(of_data) for of_data in scores.values())) - {"amsunet_lite"}
    deviation = seed_deviation(scores)
    level = {data: dict.fromkeys(of_data, 1.0) for data, of_data in scores.items()}
    changes = []
    for name in sorted(there):
        found = advantage(scores, name, ["amsunet_lite"], level)
        gains = None if deviation is None else found["mean"]["difference"] > deviation
        changes.append({"network": name, "mean": found["mean"], "data": found["data"], "gains_more_than_a_seed": gains})
    return {"seed_deviation": deviation, "changes": changes}


def _claims(scores: Scores, of_data: Mapping[str, Comparison], gate: Path) -> Iterator[dict[str, Any]]:
    """Every light network against U-Net 16, the control, and the curves of both, by prediction and by training."""
    there = set.intersection(*(set(of_network) for of_network in scores.values()))
    ours = sorted(name for name in there if name in LIGHT or name.startswith("lite_"))
    curves = [one for one in ((REFERENCE,), (CONTROL,), U_NETS, CONTROLS) if there >= set(one)]
    steps = {
        data: {plain(row.variant.name): row.seconds_per_step or 0.0 for row in one.rows}
        for data, one in of_data.items()
    }
    axes = {**_predictions(there, of_data, gate), "training step": steps}
    for axis, seconds in axes.items():
        for name in ours:
            for curve in curves:
                if all({name, *curve} <= known.keys() for known in seconds.values()):
                    yield {"over": axis, **advantage(scores, name, curve, seconds)}


def _predictions(
    names: set[str], of_data: Mapping[str, Comparison], gate: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds for an image by runtime, data set and network: as the gate has them, else in torch as timed just now."""
    rows: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        rows = {row["network"]: row for row in json.loads(gate.read_text(encoding="utf-8"))["rows"]}
    found = {}
    for runtime in RUNTIMES:
        built = {name: rows.get(same_network(name), {}) for name in names}
        if known := {name: row[f"{runtime}_seconds"] for name, row in built.items() if f"{runtime}_seconds" in row}:
            found[f"prediction in {runtime}"] = dict.fromkeys(of_data, known)
    return found or {
        "prediction in torch": {
            data: {plain(row.variant.name): row.latency for row in one.rows} for data, one in of_data.items()
        }
    }


def _dominance(claims: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whether a network dominates a curve on every axis."""
    found: dict[tuple[str, tuple[str, ...]], list[Mapping[str, Any]]] = defaultdict(list)
    for claim in claims:
        found[claim["network"], tuple(claim["curve"])].append(claim)
    return [
        {
            "network": name,
            "curve": list(curve),
            "axes": [claim["over"] for claim in of_pair],
            "dominates": all(claim["dominates"] for claim in of_pair),
            "cannot": any(claim["mean"]["high"] < 0 for claim in of_pair),
        }
        for (name, curve), of_pair in found.items()
    ]
