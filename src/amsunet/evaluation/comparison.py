"""The results of a study: a row for each network, tests between networks, tables."""

from __future__ import annotations

import math
import statistics as stats
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from amsunet.atomic_io import remove_abandoned, write_csv, write_json
from amsunet.device import Device, environment
from amsunet.errors import InputError
from amsunet.evaluation.evaluation import name_of
from amsunet.evaluation.findings import KINDS, PixelCounts
from amsunet.evaluation.statistics import Interval, PairedTest, holm, mean_of_known, mean_with_interval, paired_test
from amsunet.evaluation.study import COMPARISON, Study, Trial, is_done, trial_folder
from amsunet.evaluation.trial_scores import SCORES, image_scores, means_by_seed, rows_of, training_cost
from amsunet.evaluation.variant import Variant
from amsunet.inference.model_file import for_inference, load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.models.cost import count_macs, count_parameters
from amsunet.text_table import aligned
from amsunet.training.step_cost import measure_latency

_MANY = 3
"""Most networks that a title names."""
_NAMED = 3
"""Most trainings that a finding names."""
_PARTS = (("", "mean"), ("_low", "low"), ("_high", "high"))


@dataclass(frozen=True)
class ComparisonRow:
    """One network of a study. Scores are means over the study's images, each image's over seeds and classes first."""

    variant: Variant
    seeds: int
    """Trainings that finished."""
    scores: dict[str, Interval]
    seed_deviation: float
    """Standard deviation over seeds of the mean Dice; NaN with one seed."""
    parameters: int
    macs: int
    """Multiply-accumulate operations of one 256 x 256 image."""
    latency: float
    """Median seconds for one 256 x 256 image, in the faster precision where networks choose."""
    minutes: float
    """Minutes of training, mean over trainings."""
    steps: float
    """Steps of training, mean over trainings."""
    precision: str
    """In which it was trained and evaluated."""
    seconds_per_step: float | None
    """Of training, as timed before; None where time was not equal."""
    test: PairedTest | None
    """Dice against the first network, over patients where known; None for the first itself. ``p`` is corrected over
    the family."""


@dataclass(frozen=True)
class Comparison:
    """The results of a study. ``failures`` holds the reason by trial name; ``jobs`` trainings ran at a time."""

    folder: Path
    study: Study
    rows: tuple[ComparisonRow, ...]
    failures: dict[str, str]
    environment: dict[str, Any]
    jobs: int
    findings: tuple[str, ...] = ()
    """Findings to read before the scores."""

    @property
    def title(self) -> str:
        """Networks, or what was changed, and data."""
        names = [row.variant.name for row in self.rows]
        summed_up = self.study.title != COMPARISON or len(names) > _MANY
        networks = (
            self.study.title if summed_up else " and ".join([", ".join(names[:-1])] * (len(names) > 1) + names[-1:])
        )
        return f"{networks} on {name_of(self.study.source)}"

    @property
    def all_hold_all(self) -> bool:
        """Whether every image holds every class: then there is but one mean Dice."""
        pairs = [(row.scores["dice"], row.scores["dice_with_object"]) for row in self.rows]
        return all(every.count == some.count and str(every) == str(some) for every, some in pairs)

    def table(self) -> str:
        """The comparison as text."""
        against = f"against {self.study.variants[0].name}: difference"
        dice = ["Dice [95 % interval]"] if self.all_hold_all else ["Dice, all images", "Dice, images with an object"]
        timed = ["ms a step", "precision"] * (self.study.equal_time is not None)
        head = ["", *dice, "sd of seeds", "parameters", "GMACs", "ms", "minutes", "steps", *timed]
        cells = [[*head, against, "effect", "p (Holm)"]]
        for row in self.rows:
            test = row.test
            of_test = (
                ["", "", ""]
                if test is None
                else [_known(test.difference, "+.4f"), _known(test.effect, "+.2f"), _known(test.p, ".2g")]
            )
            deviation = "" if math.isnan(row.seed_deviation) else f"{row.seed_deviation:.4f}"
            costs = [f"{row.parameters / 1e6:.2f}", f"{row.macs / 1e9:.2f}", f"{row.latency * 1e3:.0f}"]
            means = [str(row.scores[score]) for score in ("dice", "dice_with_object")][: len(dice)]
            training = [f"{row.minutes:.1f}", f"{row.steps:.0f}"]
            if row.seconds_per_step is not None:
                training += [f"{row.seconds_per_step * 1e3:.0f}", row.precision]
            cells.append([row.variant.name, *means, deviation, *costs, *training, *of_test])
        lines = [f"warning: {finding}" for finding in self.findings]
        lines.append(f"{self.study.source}, {self.study.evaluated}; equal for all: {self.study.equal}; {_count(self)}")
        lines += aligned(cells, wide=200)
        lines += [f"failed: {name}: {reason}" for name, reason in self.failures.items()]
        return "\n".join(lines)


def _known(value: float, form: str) -> str:
    return "none" if math.isnan(value) else format(value, form)


def _count(comparison: Comparison) -> str:
    seeds = {row.seeds for row in comparison.rows}
    return f"{min(seeds)} to {max(seeds)} trainings a network" if len(seeds) > 1 else f"{seeds.pop()} a network"


def collect(folder: Path, study: Study, device: Device, failures: dict[str, str], jobs: int) -> Comparison:
    """Read the trials that are done, measure the networks, and write the results.

    Args:
        folder: The study's folder; ``comparison.json``, ``networks.csv`` and ``images.csv`` are written into it.
        study: The study.
        device: Where the networks are timed.
        failures: The reason of each trial that failed, by its name.
        jobs: Trainings that ran at a time.

    Returns:
        The results.

    Raises:
        InputError: If no trial is done.
    """
    done = {
        variant.name: [trial for trial in study.trials() if trial.variant == variant and is_done(folder, trial)]
        for variant in study.variants
    }
    done = {name: trials for name, trials in done.items() if trials}
    if not done:
        reason = next(iter(failures.values()), "all were stopped")
        raise InputError(f"no training in {folder} finished: {reason}")
    images = {name: image_scores(folder, trials) for name, trials in done.items()}
    common = set.intersection(*(set(of_network) for of_network in images.values()))
    images = {name: {key: v for key, v in scores.items() if key in common} for name, scores in images.items()}
    networks = {
        name: load_model(trial_folder(folder, trials[0]) / FILE_NAME, trials[0].variant.model_file)[0]
        for name, trials in done.items()
    }
    channels = int(study.plan["in_channels"])
    fused = {name: for_inference(network) for name, network in networks.items()}  # as predict runs them
    timed = [measure_latency(fused, device.computing_in(one), in_channels=channels) for one in study.precisions]
    latency = {name: min(of_precision[name] for of_precision in timed) for name in fused}
    tests = _tests(images, study.variants[0].name)
    rows = []
    for name, trials in done.items():
        groups = [group for _, group in images[name]]
        by_seed = means_by_seed(folder, trials)
        costs = [training_cost(folder, trial) for trial in trials]
        rows.append(
            ComparisonRow(
                variant=trials[0].variant,
                seeds=len(trials),
                scores={
                    metric: mean_with_interval([values[metric] for values in images[name].values()], groups)
                    for metric in SCORES
                },
                seed_deviation=stats.stdev(by_seed) if len(by_seed) > 1 else math.nan,
                parameters=count_parameters(networks[name]),
                macs=count_macs(networks[name].cpu().float(), 256, 256, in_channels=channels),
                latency=latency[name],
                minutes=stats.mean(minutes for minutes, _ in costs),
                steps=stats.mean(steps for _, steps in costs),
                precision=study.precision_of(trials[0].variant),
                seconds_per_step=study.seconds_per_step(trials[0].variant),
                test=tests[name],
            )
        )
    findings = tuple(_findings(folder, done))
    comparison = Comparison(folder, study, tuple(rows), failures, environment(device), jobs, findings)
    _write(comparison, done)
    return comparison


def _findings(folder: Path, done: Mapping[str, list[Trial]]) -> Iterator[str]:
    """Findings about the evaluated images, once, and about each training."""
    of_data: dict[str, None] = {}
    of_networks: dict[str, list[str]] = defaultdict(list)
    for trials in done.values():
        for trial in trials:
            counts = _pixel_counts(folder, trial)
            of_data |= dict.fromkeys(counts.describe_data())
            for finding in counts.describe_network():
                of_networks[finding].append(trial.name)
    yield from of_data
    for finding, names in of_networks.items():
        yield f"{finding} ({', '.join(names[:_NAMED])}{', ...' * (len(names) > _NAMED)})"


def _pixel_counts(folder: Path, trial: Trial) -> PixelCounts:
    """Pixels of each class and image, from the table of images of one training."""
    counts: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for row in rows_of(folder, trial):
        counts[row["image"]][row["class"]] = [int(row[kind]) for kind in KINDS]
    names = tuple(next(iter(counts.values())))
    return PixelCounts.from_counts({image: list(of_image.values()) for image, of_image in counts.items()}, names)


def _tests(
    images: dict[str, dict[tuple[str, str | None], dict[str, float]]], first: str
) -> dict[str, PairedTest | None]:
    """Test each network against the first, corrected over the family; None where the first has not finished."""
    others = [name for name in images if name != first]
    if first not in images:
        return dict.fromkeys(others)
    dice = {name: _by_patient(of_network) for name, of_network in images.items()}
    tests = [paired_test(dice[first], dice[name]) for name in others]
    corrected = holm([test.p for test in tests])
    found = {name: replace(test, p=p) for name, test, p in zip(others, tests, corrected, strict=True)}
    return {first: None, **found}


def _by_patient(scores: dict[tuple[str, str | None], dict[str, float]]) -> list[float]:
    """Mean Dice of each patient, or of each image where patients are unknown: values that count as independent."""
    found: dict[str, list[float]] = defaultdict(list)
    for (image, group), values in scores.items():
        found[f"patient {group}" if group else f"image {image}"].append(values["dice"])
    return [mean_of_known(values) for values in found.values()]


def _write(comparison: Comparison, done: dict[str, list[Trial]]) -> None:
    folder = comparison.folder
    record = {
        **comparison.study.model_dump(mode="json", exclude={"checksums", "splits", "variants", "paces"}),
        "rows": [asdict(row) | {"variant": row.variant.model_dump()} for row in comparison.rows],
        "failures": comparison.failures,
        "findings": comparison.findings,
        "jobs": comparison.jobs,
        "environment": comparison.environment,
    }
    remove_abandoned(folder)
    write_json(folder / "comparison.json", record)
    networks = []
    for row in comparison.rows:
        scores = {f"{m}{end}": getattr(i, part) for m, i in row.scores.items() for end, part in _PARTS}
        test = asdict(row.test) if row.test else dict.fromkeys(PairedTest.__dataclass_fields__, "")
        plain = {k: v for k, v in vars(row).items() if k not in ("variant", "scores", "test")}
        networks.append({"network": row.variant.name, **scores, **plain, **test})
    write_csv(folder / "networks.csv", networks)
    images = [
        {"network": name, "seed": trial.seed, "fold": "" if trial.fold is None else trial.fold, **row}
        for name, trials in done.items()
        for trial in trials
        for row in rows_of(folder, trial)
    ]
    write_csv(folder / "images.csv", images)
