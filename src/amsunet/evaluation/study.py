"""A study: several networks trained alike, so that they can be compared. What it is made of, and its folder."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from amsunet.data.layout import Split
from amsunet.data.masks import MaskOptions
from amsunet.errors import InputError
from amsunet.files import write_json

_FILE = "study.json"


class Variant(BaseModel):
    """One network of a study."""

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    options: dict[str, Any] = {}
    """Arguments of the network."""


class Cell(BaseModel):
    """One training of a study."""

    model_config = ConfigDict(frozen=True)

    variant: Variant
    seed: int
    fold: int | None = None

    @property
    def name(self) -> str:
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.variant.name.replace('/', '_')}-seed{self.seed}{fold}"


class Study(BaseModel):
    """``study.json``: everything that is the same for all networks, and which networks and seeds there are.

    The first variant is the one that the others are tested against.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    source: str
    group: str | None
    skip_broken: bool
    mask_options: MaskOptions | None
    checksums: dict[str, str]
    splits: list[dict[str, Split]]
    """One, or one for each fold, by image name; ``test`` is what a cell is judged on."""
    folds: int | None
    plan: dict[str, Any]
    """Settings of every training, fields of ``Plan``."""
    device: str
    precision: str
    amsunet: str = version("amsunet")
    variants: tuple[Variant, ...]
    seeds: int

    @property
    def equal(self) -> str:
        """What every training had as much of as the others."""
        if self.plan.get("epochs"):
            epochs, steps = self.plan["epochs"], self.plan["steps_per_epoch"]
            return f"{epochs} epoch{'s' * (epochs > 1)} of {steps} steps"
        return f"{self.plan['minutes']:g} minutes, which favours fast networks"

    def cells(self) -> list[Cell]:
        """Every training, seed by seed, so that an early end leaves as many of each network as can be."""
        folds = [None] if self.folds is None else list(range(self.folds))
        return [
            Cell(variant=variant, seed=seed, fold=fold)
            for seed in range(self.seeds)
            for fold in folds
            for variant in self.variants
        ]

    def splits_of(self, cell: Cell) -> dict[str, Split]:
        return self.splits[cell.fold or 0]


def cell_folder(out: Path, cell: Cell) -> Path:
    """The run folder of a cell."""
    return out / "cells" / cell.name


def is_done(out: Path, cell: Cell) -> bool:
    """Whether a cell has been trained and judged."""
    return (cell_folder(out, cell) / "evaluation" / "test" / "summary.json").is_file()


def has_study(out: Path) -> bool:
    """Whether a folder holds a study already."""
    return (out / _FILE).exists()


def read_study(out: Path) -> Study:
    """Read a study's folder.

    Raises: InputError if it is none, is damaged, or was written by another version.
    """
    path = out / _FILE
    try:
        return Study.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{out} holds no study: name the folder that amsunet compare made") from None
    except (ValueError, ValidationError, OSError):
        raise InputError(f"{path} is damaged or of another version of amsunet: choose another --out") from None


def open_study(out: Path, study: Study) -> Study:
    """Begin a study in a folder, or go on with the one that is there: its networks and seeds are kept, new ones added.

    Raises: InputError if the folder holds a study of other data, settings or version, which must not be mixed.
    """
    study = Study.model_validate_json(study.model_dump_json())  # as it will be read again
    if has_study(out):
        old = read_study(out)
        for field in Study.model_fields.keys() - {"variants", "seeds", "source", "title"}:
            if getattr(old, field) != getattr(study, field):
                what = {"checksums": "images", "plan": "settings", "amsunet": "version"}.get(field, field)
                raise InputError(f"{out} holds a study with other {what}: choose another --out")
        known = {variant.name: variant for variant in old.variants}
        for variant in study.variants:
            if known.setdefault(variant.name, variant) != variant:
                raise InputError(f"{out} holds another network named {variant.name}: choose another --out")
        study = study.model_copy(update={"variants": tuple(known.values()), "seeds": max(old.seeds, study.seeds)})
    write_json(out / _FILE, study.model_dump(mode="json"))
    return study
