"""A run folder: the whole truth of one training, at home on any machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from filelock import Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from amsunet.atomic_io import as_input_error, atomic_write, write_json
from amsunet.checked_json import read_checked, write_checked
from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Split
from amsunet.data.fingerprint import Fingerprint
from amsunet.data.masks import MaskConvention
from amsunet.data.options import DataOptions, ReadingOptions
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.file_lock import file_lock
from amsunet.inference.ensemble import Folds, fold_folder, write_folds
from amsunet.inference.model_metadata import seen_as_then
from amsunet.inference.model_ref import FILE_NAME, FOLDS_NAME, ModelRef
from amsunet.models import code_files, is_custom
from amsunet.records import Record, removed_in
from amsunet.text_files import read_json, read_rows
from amsunet.training.checkpoint import LAST, PREVIOUS
from amsunet.training.plan_schema import Plan
from amsunet.wording import command, setting

Content = TypeVar("Content", bound=BaseModel)

METRICS_NAME = "metrics.csv"
_WRITTEN = (".json", ".csv", ".ckpt", ".safetensors", ".py")
"""Suffixes of what a training alone writes into its run folder."""


class RunConfig(BaseModel):
    """``config.json``: what was set for the training and what was derived."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Plan
    preprocessing: Preprocessing
    convention: MaskConvention
    device: str
    precision: str
    deterministic: bool
    code: str | None = None
    """Checksum of the file that builds the network, where it is not one of amsunet's."""
    processes: int = Field(1, ge=1)
    """It was begun in; each of them sees ``batch_size`` crops in a step."""

    @model_validator(mode="after")
    def _has_all_that_is_trained_by(self) -> Self:
        if self.plan.steps_per_epoch is None:
            raise ValueError("steps_per_epoch, which a plan may leave open, is known when training begins")
        return self


class RunData(Record, ReadingOptions):
    """``data.json``: what the training saw."""

    former_names: ClassVar[Mapping[str, str]] = {"seen_before": "seen_in_pretraining"}

    source: str
    fingerprint: Fingerprint
    splits: dict[str, Split]
    """By sample name."""
    checksums: dict[str, str]
    """Of the decoded images, by sample name."""
    mask_checksums: dict[str, str] = Field(default_factory=dict)
    """Of the decoded masks, by sample name; empty in runs of earlier versions."""
    thumbnails: dict[str, str] = Field(default_factory=dict)
    """Of the images that were trained or chosen on, by sample name: to know copies of them in other data sets."""
    seen_in_pretraining: tuple[str, ...] = ()
    """Checksums of images that the weights were trained or chosen on before this training began."""

    @model_validator(mode="after")
    def _has_a_split_for_each_image(self) -> Self:
        if not self.checksums.keys() <= self.splits.keys():
            raise ValueError("an image has no split")
        return self

    @property
    def data_options(self) -> DataOptions:
        """How its data set is read."""
        return DataOptions(**self.reading())

    def seen(self) -> set[str]:
        """Checksums of all images that the weights were trained or chosen on."""
        used = {checksum for name, checksum in self.checksums.items() if self.splits[name] in ("train", "val")}
        return used | {*self.seen_in_pretraining}

    def holds(self, dataset: Dataset) -> bool:
        """Whether ``dataset`` holds the very images of this training, wherever it lies."""
        return self.checksums == dataset.checksums()

    def check(self, dataset: Dataset) -> None:
        """Raise InputError unless ``dataset`` holds the very images of this training."""
        if not self.holds(dataset):
            now = dataset.checksums()
            changed = sorted(
                name for name in now.keys() | self.checksums.keys() if now.get(name) != self.checksums.get(name)
            )
            raise InputError(
                f"{dataset.source} is no longer what the run was trained on ({len(changed)} images differ, "
                f"as {changed[0]}): restore it, or start a new run"
            )

    def changed_masks(self, dataset: Dataset) -> list[str]:
        """Names of the samples whose masks are not those of this training."""
        now = dataset.mask_checksums()
        return [name for name, then in self.mask_checksums.items() if now.get(name, then) != then]


def describe_changed_masks(masks: Sequence[str]) -> str:
    """How many masks have changed since the training, with the name of one."""
    return f"{len(masks)} {'mask differs' if len(masks) == 1 else 'masks differ'} from those trained on, as {masks[0]}"


def write_run(
    folder: Path, config: RunConfig, data: RunData, environment: dict[str, Any], folds: Folds | None = None
) -> None:
    """Begin a run folder; a network from a file of the user's is kept in it, with what it imports, for the record.

    ``config.json`` comes last: a folder without it has not begun, whatever else a kill left there, and the same command
    takes it again.

    Args:
        folder: The run folder.
        config: What was set and derived.
        data: What is trained on.
        environment: Where it is trained.
        folds: Which images each network of an ensemble is not trained on.
    """
    if is_custom(config.plan.model):
        for place, file in code_files(config.plan.model).items():
            with atomic_write(folder / place) as temporary:
                shutil.copyfile(file, temporary)
    write_json(folder / "environment.json", environment)
    write_data(folder, data)
    if folds is not None:
        write_folds(folder, folds)
    else:
        (folder / FOLDS_NAME).unlink(missing_ok=True)  # of an ensemble that was killed before it had begun
    write_checked(folder / "config.json", config.model_dump(mode="json"))


def holds_run(folder: Path) -> bool:
    """Whether a training has begun in a folder, or something that one made is left there."""
    made = (folder / name for name in ("config.json", FILE_NAME, LAST, PREVIOUS))
    return any(path.exists() for path in made) or fold_folder(folder, 0).exists()


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run folder for one training; what a killed one had not written to its end is removed.

    Raises:
        InputError: If another one is at work there.
    """
    # What has begun goes on where it is; no other folder can be named for it.
    elsewhere = "copy the run folder to a place that you may write to" if holds_run(folder) else ""
    with ExitStack() as stack:
        with as_input_error(folder, elsewhere=elsewhere):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(file_lock(folder / ".lock"))
            except Timeout:
                raise InputError(
                    f"another training is at work in {folder}: wait for it, or choose another {setting('out')}"
                ) from None
            stack.callback(_remove, folder / ".lock")
            for suffix in _WRITTEN:
                for partial in folder.glob(f".*.partial{suffix}"):
                    partial.unlink(missing_ok=True)
        yield


def _remove(path: Path) -> None:
    with suppress(OSError):  # Windows removes no open file, and leaves it
        path.unlink(missing_ok=True)


def write_data(folder: Path, data: RunData) -> None:
    """Write what a run saw, and where it lies."""
    write_checked(folder / "data.json", data.model_dump(mode="json"))


def read_run(folder: Path) -> tuple[RunConfig, RunData]:
    """Read what a run was.

    Raises:
        InputError: If a file is missing or damaged.
    """
    if not folder.is_dir() or not any((folder / name).exists() for name in ("config.json", "data.json", FILE_NAME)):
        raise InputError(f"{folder} is no run folder: name the folder that {command('train')} made")
    config, data = _read(folder / "config.json", RunConfig), _read(folder / "data.json", RunData)
    preprocessing = seen_as_then(config.preprocessing, data.fingerprint.bits)
    return config.model_copy(update={"preprocessing": preprocessing}), data


def read_metrics(folder: Path, *names: str) -> list[dict[str, float]]:
    """Read the figures of each epoch, at least one.

    Args:
        folder: The run folder.
        names: Of figures that each must have.

    Raises:
        InputError: If ``metrics.csv`` is missing or damaged.
    """
    path = folder / METRICS_NAME
    try:
        rows = [{name: float(value) for name, value in row.items()} for row in read_rows(path)]
        if not rows or not all({*names} <= row.keys() for row in rows):
            raise ValueError
    except (ValueError, TypeError):
        raise InputError(f"{path} is missing or damaged: copy the run folder again or train again") from None
    return rows


def threads_of(folder: Path) -> int | None:
    """The threads that a run began with; None where that is not known."""
    with suppress(InputError, AttributeError):
        threads = read_json(folder / "environment.json").get("threads")
        return threads if isinstance(threads, int) else None
    return None


def _read(path: Path, kind: type[Content]) -> Content:
    damaged = "copy the run folder again or train again"
    missing = (
        "the training was stopped before it had begun, or the folder is incomplete: run the same command again, or "
        "copy the folder again"
    )
    content = read_checked(path, damaged=damaged, missing=missing)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        if gone := removed_in(error):
            raise InputError(f"{path}: {gone}; use that one, or train again") from None
        field = ".".join(map(str, error.errors()[0]["loc"]))
        if field:
            raise InputError(f"{path} was written by another version of amsunet (field {field}): train again") from None
        raise InputError(f"{path} is damaged: {damaged}") from None


def images_seen(model: str | Path | ModelRef) -> set[str] | None:
    """Checksums of all images that a model was trained or chosen on; None where that is not known."""
    model = ModelRef.resolve(model)
    if model.card is not None:
        return set(model.card.seen)
    return None if model.run is None else read_run(model.run)[1].seen()


def absolute_source(source: str | Path) -> str:
    """The source as it can be found again from another folder: ``sample:NAME`` stays, paths become absolute."""
    return str(source) if str(source).startswith("sample:") else str(locate(source).absolute())
