"""Running a study: every network with every seed, side by side where there is room, each in its own process."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from filelock import Timeout

from amsunet.choices import NO_PRETRAINED, EngineName
from amsunet.data.discovery.layout import Split
from amsunet.data.duplicates import keep_together
from amsunet.data.masks import MaskOptions
from amsunet.data.options import DataOptions
from amsunet.data.splits import assign_folds
from amsunet.device import Device, choose_device
from amsunet.errors import InputError
from amsunet.evaluation.comparison import Comparison, collect
from amsunet.evaluation.equal_time import with_paces
from amsunet.evaluation.ray_trials import RayTrials
from amsunet.evaluation.study import (
    PER_TRIAL,
    Study,
    StudyDesign,
    has_study,
    is_done,
    open_study,
    read_study,
)
from amsunet.evaluation.trial_queue import run_trials
from amsunet.evaluation.variant import Variant, as_variants
from amsunet.file_lock import file_lock
from amsunet.inference.model_file import build_network
from amsunet.memory import free_memory
from amsunet.models import code_checksum
from amsunet.process_state import random_state_kept
from amsunet.training.budget import epochs_in_budget, fill_budget
from amsunet.training.finetune import with_models_found
from amsunet.training.plan_schema import USER_SET, Manner, Plan, Settings, checked_settings, with_settings
from amsunet.training.prepare import Preparation, check_network, prepare
from amsunet.training.run_folder import absolute_source
from amsunet.training.step_cost import measure_cost
from amsunet.wording import setting

logger = logging.getLogger(__name__)

_THREADS_PER_TRIAL = 4
"""A network this small keeps no more cores busy."""
_MOST_ON_A_GPU = 8
_NEVER = 1_000_000


@random_state_kept()
def compare(
    data: str | Path,
    models: Sequence[str | Variant],
    settings: Mapping[str, Any] | Settings | None = None,
    *,
    out: str | Path,
    design: StudyDesign = StudyDesign(),  # noqa: B008 - frozen
    data_options: DataOptions | None = None,
    device: str | Device = "auto",
    engine: EngineName | RayTrials = "process",
) -> Comparison:
    """Train and evaluate networks on the same splits with the same augmentation, loss, optimizer and budget.

    Trials (a network, a seed, a fold) that are done are not done again; one that was stopped goes on. Settings of the
    plan are evaluated on validation images, never on test images; those that the data do not take are left out.

    Args:
        data: A folder, a CSV manifest, or ``sample:NAME``.
        models: The networks, by name or ``FILE.py:FUNCTION``, or changes of the plan; the others are tested against the
            first.
        settings: Settings of every training, as ``train`` takes them; the budget is that of each training.
        out: The study's folder.
        design: How often each network is trained, and on what it is evaluated.
        data_options: How the data set is read and split, where that is not to be found out.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; or what ``choose_device`` gives.
        engine: What runs the trainings: processes on this machine, or ``ray``; a ``RayTrials`` for a cluster.

    Returns:
        Scores, costs and tests of every network. A trial that failed is in the result.

    Raises:
        InputError: For data, networks or settings that cannot be used.

    Example:
        >>> import amsunet
        >>> once = amsunet.StudyDesign(seeds=1)
        >>> networks = ["amsunet_xs", "unext"]
        >>> comparison = amsunet.compare("sample:nuclei", networks, {"minutes": 2}, out="compared", design=once)
        >>> [row.variant.name for row in comparison.rows], comparison.failures
        (['amsunet_xs', 'unext'], {})
    """
    settings, data_options = checked_settings(settings), data_options or DataOptions()
    if unknown := settings.keys() & {*PER_TRIAL, *Manner.model_fields}:
        raise InputError(f"{', '.join(sorted(unknown))}: no setting of a whole study, leave it out")
    settings = with_models_found(_with_budget(settings, design)) | {"pretrained": NO_PRETRAINED}
    folder, folds = Path(out), design.folds
    chosen = choose_device(device)
    variants = _checked_variants(models)
    prepared = prepare(data, settings, device=chosen.type, data_options=data_options)
    classes = prepared.dataset.convention.num_classes
    plan = _fixed_plan(prepared, variants[0], chosen, folder)
    if design.equal_time:
        plan = plan.model_copy(update={"epochs": epochs_in_budget(plan), "minutes": None})
    prepared.dataset.masks.clear()  # each trial reads its own
    variants = _possible(plan, variants, classes)
    of_settings = any(variant.settings for variant in variants)
    split = design.split or ("val" if of_settings and folds is None else "test")
    trials = len(variants) * design.seeds * (folds or 1)
    ray = _ray_of(engine)
    here = None if ray and ray.address else design.jobs  # of a cluster, jobs are those of all machines
    jobs = here or _room(plan, variants, classes, chosen, trials)
    study = Study(
        title=design.title,
        source=absolute_source(data),
        **data_options.reading(),
        mask_options=None if data_options.masks == MaskOptions() else data_options.masks,
        checksums=_contents(prepared),
        splits=_splits(prepared, folds, split, spare_test=of_settings),
        folds=folds,
        split=split,
        plan={n: v for n, v in plan.model_dump(exclude=set(PER_TRIAL)).items() if v not in (None, ())},
        device=chosen.type,
        precision=chosen.precision,
        threads=max(1, torch.get_num_threads() // jobs),
        variants=tuple(variants),
        seeds=design.seeds,
        equal_time=design.equal_time,
    )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(folder / "study.lock"):
            study = open_study(folder, study)
            logger.info(f"on {chosen}")
            for level, line in prepared.lines():
                logger.log(level, line)
            logger.info("plan of every training:\n%s", plan.describe(without=PER_TRIAL))
            if design.equal_time:
                study = with_paces(folder, study, partial(_of, plan), classes, chosen)
            waiting = [trial for trial in study.trials() if not is_done(folder, trial)]
            if ray is None:
                failures = run_trials(folder, study, waiting, jobs)
            else:
                with ray.started(study, design.jobs if ray.address else jobs) as (start, jobs):
                    failures = run_trials(folder.absolute(), study, waiting, jobs, start)
            return collect(folder, study, chosen, failures, jobs)
    except Timeout:
        raise InputError(
            f"another amsunet is at work in {folder}: wait for it, or choose another {setting('out')}"
        ) from None


def _with_budget(settings: dict[str, Any], design: StudyDesign) -> dict[str, Any]:
    """The settings, with the minutes that equal time is of: the plan is the one for so many.

    Raises:
        InputError: For a design that cannot be, or goes with no such settings.
    """
    if design.split and design.folds:
        raise InputError(f"{setting('folds')} are evaluated, each on its own images: leave {setting('split')} out")
    if design.equal_time is None:
        return settings
    if not 0 < design.equal_time < math.inf:
        raise InputError(f"{setting('equal_time')} {design.equal_time:g}: give the minutes that each network gets")
    if others := [name for name in ("minutes", "epochs", "steps_per_epoch") if name in settings]:
        raise InputError(f"{setting('equal_time')} sets how long networks train: leave {setting(others[0])} out")
    return {**settings, "minutes": design.equal_time}


def _ray_of(engine: EngineName | RayTrials) -> RayTrials | None:
    """What hands trials out, if this process does not start them itself."""
    if isinstance(engine, str) and engine not in get_args(EngineName):
        raise InputError(f"{setting('engine')} {engine!r} is unknown: choose {' or '.join(get_args(EngineName))}")
    if isinstance(engine, RayTrials):
        return engine
    return RayTrials() if engine == "ray" else None


def _checked_variants(models: Sequence[str | Variant]) -> Sequence[Variant]:
    """The networks, each of which can be built; before the data are read."""
    variants = as_variants(models)
    if len({variant.name for variant in variants}) < len(variants):
        raise InputError("a network or setting is named twice: name each once")
    variants = [
        variant.model_copy(update={"code": _code(variant), "settings": with_models_found(variant.settings)})
        for variant in variants
    ]
    for variant in variants:
        build_network(variant.model, {"in_channels": 3, "num_classes": 2, **variant.options})
    return variants


def _code(variant: Variant) -> str | None:
    try:
        return code_checksum(variant.model)
    except ValueError as error:
        raise InputError(str(error)) from None


def _of(plan: Plan, variant: Variant) -> Plan:
    """The plan of one variant."""
    return with_settings(plan, {"model": variant.model, "model_options": variant.options, **variant.settings})


def _possible(plan: Plan, variants: Sequence[Variant], num_classes: int) -> Sequence[Variant]:
    """The networks, and the changes of the plan that change something and that the data take."""
    possible: list[Variant] = []
    for variant in variants:
        try:
            changed = _of(plan, variant)
            check_network(changed, num_classes)
        except InputError as error:
            if not variant.settings:
                raise
            logger.info(f"left out: {variant.name}: {error}")
            continue
        if variant.settings and changed == plan.model_copy(
            update={"model": variant.model, "model_options": variant.options}
        ):
            logger.info(f"left out: {variant.name}: the plan has it already")
        else:
            possible.append(variant)
    if len(possible) == 1 < len(variants):
        raise InputError("none of the settings to try is possible and new: try others")
    return possible


def _contents(prepared: Preparation) -> dict[str, str]:
    """What images and masks hold, by sample name."""
    contents = {}
    for scan in prepared.dataset.scans:
        counts = [sorted(mask.counts.items()) for mask in scan.masks.values()]
        contents[scan.sample.name] = f"{scan.checksum} {hashlib.sha256(repr(counts).encode()).hexdigest()[:16]}"
    return contents


def _splits(prepared: Preparation, folds: int | None, split: Split, *, spare_test: bool) -> list[dict[str, Split]]:
    """The split of every image by name, once or for each fold.

    Args:
        prepared: The data set with its splits.
        folds: How many, or None for the splits that there are.
        split: What trials are evaluated on.
        spare_test: Leave out of the folds what a training would hold out for test, named by the data set or not.
    """
    if folds is None:
        if split not in prepared.splits.values():
            raise InputError(f"{prepared.dataset.source} leaves no images to evaluate on: set {setting(folds=5)}")
        return [prepared.splits]
    dataset = prepared.dataset
    samples = [sample for sample in dataset.samples if not (spare_test and prepared.splits[sample.name] == "test")]
    try:
        splits = assign_folds(samples, dataset.foreground_share(), folds, copies=keep_together(dataset.scans))
    except ValueError as error:
        raise InputError(f"{error}: ask for fewer with {setting('folds')}") from None
    if any({"train", "val"} - set(fold.values()) for fold in splits):
        raise InputError(f"{dataset.source} leaves a fold without training or validation images: give it more patients")
    unused: dict[str, Split] = dict.fromkeys(prepared.splits, "unused")
    return [unused | fold for fold in splits]


def _fixed_plan(prepared: Preparation, reference: Variant, device: Device, out: Path) -> Plan:
    """The plan with everything decided that must not differ from network to network."""
    plan = prepared.plan
    if plan.reasons.get("patience") != USER_SET:
        # All get the whole budget.
        plan = plan.model_copy(update={"patience": plan.epochs or _NEVER})
    if plan.steps_per_epoch is not None:
        return plan
    if has_study(out) and plan.reasons.get("augmentation") != USER_SET:
        # A second measurement might decide otherwise.
        return plan.model_copy(update={"augmentation": read_study(out).plan["augmentation"]})
    cost = measure_cost(_of(plan, reference), prepared.dataset.convention.num_classes, device)
    filled = fill_budget(plan, cost.seconds_per_step, len(prepared.of("train")))
    # Every network cuts the minutes into steps of its own.
    return filled.model_copy(update={"steps_per_epoch": None})


def _room(plan: Plan, variants: Sequence[Variant], num_classes: int, device: Device, trials: int) -> int:
    """Trainings that the machine has room for at a time."""
    most = _MOST_ON_A_GPU if device.type == "cuda" else device.threads // _THREADS_PER_TRIAL
    if min(most, trials) < 2:
        return 1
    memory = max(measure_cost(_of(plan, variant), num_classes, device).memory for variant in variants)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info()
    else:
        free = free_memory()
    return int(max(1, min(most, trials, free // (2 * memory))))
