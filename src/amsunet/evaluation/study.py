"""A study: several networks, or settings, trained alike, so that they can be compared. Its parts and folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from amsunet.atomic_io import write_json
from amsunet.choices import NO_PRETRAINED, TorchPrecision
from amsunet.data.discovery.layout import Split
from amsunet.data.options import DataOptions, MaskOptions, ReadingOptions
from amsunet.errors import InputError
from amsunet.evaluation.variant import Variant
from amsunet.records import removed_in, without_removed
from amsunet.text_files import MISSING, read_json
from amsunet.training.plan_schema import Plan
from amsunet.training.precision import fastest
from amsunet.wording import command, setting

PER_TRIAL = ("reasons", "precision", "model", "model_options", "base_channels", "pretrained", "seed")
"""Settings of a plan that a study does not share."""
COMPARISON = "Comparison of networks"
"""Title of a study that is nothing more."""


@dataclass(frozen=True)
class StudyDesign:
    """How often each network of a study is trained, and on what it is evaluated.

    Example:
        >>> import amsunet
        >>> amsunet.StudyDesign(seeds=5, folds=4).seeds
        5
    """

    seeds: int = 3
    """Trainings of each network; the splits are the same for all."""
    folds: int | None = None
    """Evaluate on each of so many folds in turn, in place of the test images, which then stay unused."""
    jobs: int | None = None
    """Trainings at a time; what the machine has room for when left out."""
    title: str = COMPARISON
    """Of the page."""
    equal_time: float | None = None
    """Minutes of training steps that each network gets, as a number of steps. A step of each is timed beforehand, in
    turn with the others. Each trains in its faster precision."""
    split: Literal["test", "val"] | None = None
    """Evaluate on these images; on test images when left out, or validation images where settings are compared."""


class Trial(BaseModel):
    """One training of a study."""

    model_config = ConfigDict(frozen=True)

    variant: Variant
    seed: int
    fold: int | None = None
    split: Literal["test", "val"] = "test"
    """The images it is evaluated on."""

    @property
    def name(self) -> str:
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.variant.name.replace('/', '_')}-seed{self.seed}{fold}"


class Study(ReadingOptions):
    """``study.json``: everything that is the same for all networks, and which networks and seeds there are.

    The first variant is the one that the others are tested against.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    source: str
    mask_options: MaskOptions | None
    checksums: dict[str, str]
    splits: list[dict[str, Split]]
    """One, or one for each fold, by image name."""
    folds: int | None
    split: Literal["test", "val"] = "test"
    """The images that trials are evaluated on."""
    plan: Annotated[dict[str, Any], BeforeValidator(without_removed)]
    """Settings of every training, fields of ``Plan``."""
    device: str
    precision: str
    amsunet: str = version("amsunet")
    threads: int
    """Of each training."""
    variants: tuple[Variant, ...]
    seeds: int
    equal_time: float | None = None
    """Minutes of training steps of each network; the plan has the epochs, and ``paces`` how many steps they are."""
    paces: dict[str, dict[TorchPrecision, float]] = Field(default_factory=dict)
    """Seconds of a step by precision, by the name of the network, where time is equal."""

    @property
    def minutes(self) -> float | None:
        """About how many a training takes, where that is known."""
        return self.equal_time or self.plan.get("minutes")

    @property
    def precisions(self) -> tuple[str, ...]:
        """Those that networks choose from."""
        return tuple(sorted({name for pace in self.paces.values() for name in pace})) or (self.precision,)

    def precision_of(self, variant: Variant) -> str:
        """The precision in which a network is trained and evaluated."""
        pace = self.paces.get(variant.name)
        return fastest(pace) if pace else self.precision

    def seconds_per_step(self, variant: Variant) -> float | None:
        """In that precision, as timed beforehand."""
        pace = self.paces.get(variant.name)
        return pace[fastest(pace)] if pace else None

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        """The settings of one training, as ``train`` takes them."""
        settings = {**self.plan, **trial.variant.settings, "seed": trial.seed}
        # From random weights, all of them, unless a variant is a start.
        settings["pretrained"] = settings.get("pretrained") or NO_PRETRAINED
        settings |= {"model": trial.variant.model, "model_options": trial.variant.options}
        if self.equal_time and (seconds := self.seconds_per_step(trial.variant)):
            settings["steps_per_epoch"] = max(1, round(60 * self.equal_time / seconds / self.plan["epochs"]))
        return settings

    @property
    def data_options(self) -> DataOptions:
        """How the data set is read."""
        return DataOptions(
            masks=self.mask_options or MaskOptions(),
            **self.reading(),
        )

    @property
    def equal(self) -> str:
        """What every training had as much of as the others."""
        if self.equal_time:
            return f"{self.equal_time:g} minutes of training steps, as timed beforehand"
        if self.plan.get("epochs"):
            epochs, steps = self.plan["epochs"], self.plan["steps_per_epoch"]
            return f"{epochs} epoch{'s' * (epochs > 1)} of {steps} steps"
        return f"{self.plan['minutes']:g} minutes, which favours fast networks"

    @property
    def evaluated(self) -> str:
        """The images that scores are means over."""
        if self.folds:
            return f"images in {self.folds} held-out folds"
        return "test images" if self.split == "test" else "validation images, which chose the weights too"

    def trials(self) -> list[Trial]:
        """Every training, seed by seed, so that an early end leaves as many of each network as can be."""
        folds = [None] if self.folds is None else list(range(self.folds))
        return [
            Trial(variant=variant, seed=seed, fold=fold, split=self.split)
            for seed in range(self.seeds)
            for fold in folds
            for variant in self.variants
        ]

    def splits_of(self, trial: Trial) -> dict[str, Split]:
        """The split of every image, by name, in one training."""
        return self.splits[trial.fold or 0]


def trial_folder(out: Path, trial: Trial) -> Path:
    """The run folder of a trial."""
    return out / "cells" / trial.name  # what trials were called when the first studies were written, which go on


def is_done(out: Path, trial: Trial) -> bool:
    """Whether a trial has been trained and evaluated."""
    return (trial_folder(out, trial) / "evaluation" / trial.split / "summary.json").is_file()


def study_file(out: Path) -> Path:
    """The file that makes a folder one of a study."""
    return out / "study.json"


def has_study(out: Path) -> bool:
    """Whether a folder holds a study already."""
    return study_file(out).exists()


def read_study(out: Path) -> Study:
    """Read a study's folder.

    Raises:
        InputError: If it is none, is damaged, or was written by another version.
    """
    path = study_file(out)
    try:
        return Study.model_validate(read_json(path))
    except ValueError as error:
        if isinstance(error, InputError) and error.code == MISSING:
            raise InputError(f"{out} holds no study: name the folder that {command('compare')} made") from None
        if isinstance(error, ValidationError) and (gone := removed_in(error)):
            raise InputError(f"{path}: {gone}; choose another {setting('out')}") from None
        raise InputError(
            f"{path} is damaged or of another version of amsunet: choose another {setting('out')}"
        ) from None


def open_study(out: Path, study: Study) -> Study:
    """Begin a study in a folder, or go on with the one that is there.

    Returns:
        The study as asked for; the file knows the networks and seeds of both.

    Raises:
        InputError: If the folder holds a study of other data, settings or version, which must not be mixed.
    """
    asked = Study.model_validate_json(study.model_dump_json())  # as it will be read again
    known = asked
    if has_study(out):
        old = read_study(out)
        _refuse_another(out, old, asked)
        variants = {variant.name: variant for variant in old.variants}
        for variant in asked.variants:
            if variants.setdefault(variant.name, variant) != variant:
                what = "code" if variants[variant.name].code != variant.code else "settings"
                raise InputError(
                    f"{out} holds a network {variant.name} with other {what}: choose another {setting('out')}"
                )
        asked = asked.model_copy(update={"paces": old.paces})
        known = asked.model_copy(update={"variants": tuple(variants.values()), "seeds": max(old.seeds, asked.seeds)})
    _write(out, known)
    return asked


def keep_paces(out: Path, paces: Mapping[str, Mapping[TorchPrecision, float]]) -> None:
    """Write down how fast networks are, so that a study that goes on trains them for as many steps."""
    _write(out, read_study(out).model_copy(update={"paces": paces}))


def _write(out: Path, study: Study) -> None:
    write_json(study_file(out), study.model_dump(mode="json"))


def _refuse_another(out: Path, old: Study, asked: Study) -> None:
    """Raise InputError for the first thing in which two studies differ."""
    words = {
        "amsunet": "version of amsunet",
        "checksums": "images or masks",
        "folds": f"number of {setting('folds')}",
        "equal_time": f"number of minutes for {setting('equal_time')}",
        "split": "part of the images to evaluate on",
    }
    for field in (
        "amsunet",
        "checksums",
        "folds",
        "splits",
        "split",
        *ReadingOptions.model_fields,
        "mask_options",
        "device",
        "precision",
        "equal_time",
    ):
        if getattr(old, field) != getattr(asked, field):
            raise InputError(
                f"{out} holds a study with another {words.get(field, field)}: choose another {setting('out')}"
            )
    if asked.minutes and old.threads != asked.threads:
        raise InputError(
            f"{out} holds a study with {old.threads} threads a training: choose {setting('jobs')} for as many, or "
            f"another {setting('out')}"
        )
    for name in sorted(old.plan.keys() | asked.plan.keys()):
        # A setting that was not there yet when the study began has had its default.
        default = Plan.model_fields[name].default if name in Plan.model_fields else None
        there, here = (plan.get(name, default) for plan in (old.plan, asked.plan))
        if there != here:
            raise InputError(f"{out} holds a study with {name} {there}, not {here}: choose another {setting('out')}")
