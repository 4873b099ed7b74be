"""Prediction from and to object stores, by workers of Ray: what is there is listed, what is left is handed out.

A store takes no lock and no line at the end of a file. So the record and the lists stay on a disk, that of the process
that started the workers; the masks of an image are whole in the store before the record names them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from amsunet.atomic_io import printable
from amsunet.data.containers import is_volume
from amsunet.data.image_file import TIFF_SUFFIXES
from amsunet.data.slides import SLIDE_SUFFIXES
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs, refuse_url
from amsunet.inference.outcome import Outcome
from amsunet.inference.outputs import Outputs, mask_paths
from amsunet.inference.predict_files import check_folder, joined_at_end, predict_files, recorded
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.prediction_plan import Planner, relative_name, size_of
from amsunet.inference.prediction_record import FileStamp, Prediction, PredictionRecord
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor
from amsunet.inference.process_engine import Engine
from amsunet.inference.ray_engine import RayEngine, Work, may_use_gpu
from amsunet.inference.ray_worker import Setup
from amsunet.inference.slide import SlideTask
from amsunet.inference.stored_inputs import StoredImage, find_stored
from amsunet.inference.stores import Store, as_path, is_url
from amsunet.inference.volume import VolumeTask
from amsunet.wording import setting

logger = logging.getLogger(__name__)
_PIXELS_A_BYTE = 4
"""Of a JPEG; images that are packed less go in smaller shares."""


def find_images(images: Sequence[str], out: str, engine: Engine) -> Callable[..., Outcome]:
    """Find what is to be predicted, on disks or in stores.

    Args:
        images: Paths and addresses.
        out: The folder, or the address, for the masks.
        engine: What the work is done by; its ``record`` is the folder for the record and the lists, if masks go to a
            store.

    Returns:
        What predicts them: it takes a predictor and the settings of ``predict_files``.

    Raises:
        InputError: If images are not found, or lie where this engine does not reach.
    """
    images, out = [as_path(one) for one in images], as_path(out)
    record = engine.record if isinstance(engine, RayEngine) else None
    if isinstance(engine, RayEngine) and any(map(is_url, (*images, out))):
        folder = _record_folder(out, record)
        if is_url(out):
            store = Store(out)
            out = store.address_of(store.key).rstrip("/")  # as the addresses of its objects begin
        found = find_stored(images, out)
        return partial(predict_stored, images=found, out=out, engine=engine, folder=folder)
    refuse_url(out)
    _record_folder(out, record)
    inputs = find_inputs(images, Path(out))
    return partial(predict_files, inputs=inputs, out=Path(out), engine=engine)


def predict_stored(
    predictor: Predictor,
    images: Sequence[StoredImage],
    out: str,
    engine: RayEngine,
    folder: Path,
    options: PredictionOptions = PredictionOptions(),  # noqa: B008 - frozen
) -> Outcome:
    """Segment images of which some are in stores, or whose masks go to one. A worker fetches an object to a temporary
    file, and from then on does as with any file.

    Args:
        predictor: What segments them.
        images: As ``find_stored`` finds them.
        out: The address, or the folder, for the masks.
        engine: The workers.
        folder: For the record and the lists; ``out`` itself if that is a folder.
        options: As for ``predict_files``; in a store there is no file for all images, and ``axes`` are refused, for its
            files are not opened to plan.

    Raises:
        InputError: If a result would take the place of another object, or a store cannot be read or written.
    """
    if options.axes is not None:
        raise InputError(f"{setting('axes')} is for images on a disk: copy them, or leave it out")
    check_folder(folder)
    known = PredictionRecord(folder)
    planner = Planner(predictor, known, options)
    plan = _StoredPlan(planner, Path(out) if not is_url(out) else Store(out))
    if options.resume:
        known.read()
    results = _StoredResults(known, predictor.checksum(), {printable(one.name): one.file for one in images})
    left = []
    for one in images:
        if (prediction := plan.made(one)) is not None:
            results.pass_over(one.place, prediction)
        else:
            left.append(one)
    if passed_over := results.outcome.passed_over:
        logger.info(f"{passed_over} of {len(images)} images have their masks already, and are passed over")
    plan.refuse_to_replace(images, left)
    works = [Work(one.place, one.name, one.size * _PIXELS_A_BYTE) for one in left]
    with joined_at_end(known, () if is_url(out) else options.forms), recorded(results):
        setup = Setup.of(planner, out if is_url(out) else "")
        engine.run(setup, works, results, on_gpu=may_use_gpu(predictor))
    return results.outcome


def _record_folder(out: str, record: str | Path | None) -> Path:
    if not is_url(out):
        if record is not None:
            raise InputError(f"{setting('record')} is for masks that go to a store: leave it out, {out} is a folder")
        return Path(out)
    if record is None:
        raise InputError(
            f"{out} is a store, in which the record and the lists cannot grow: name a folder for these, with "
            f"{setting('record')}"
        )
    if is_url(record):
        raise InputError(f"{setting('record')} {record} is not on a disk: name a folder")
    return Path(record)


class _StoredResults(Results):
    """Results that know the objects: workers see files that are gone by now."""

    def __init__(self, record: PredictionRecord, network: str, files: dict[str, FileStamp | None]) -> None:
        super().__init__(record, network)
        self._files = files

    def note(self, prediction: Prediction) -> None:
        """Add what came of an image, as the object that was listed."""
        super().note(prediction.model_copy(update={"file": self._files[prediction.name]}))


@dataclass(frozen=True)
class _StoredPlan:
    """What is there of the masks, and what would be replaced."""

    planner: Planner
    out: Path | Store

    def made(self, one: StoredImage) -> Prediction | None:
        """What is known of an image whose masks are to stay: of the same object by the same network, and there."""
        planner = self.planner
        prediction = planner.record.find(one.name) if planner.options.resume else None
        if prediction is None or prediction.failure or prediction.image != printable(one.place):
            return None
        if one.file is None or prediction.file != one.file:
            return None
        network = planner.predictor.checksum()
        slide = SlideTask.network_of(planner.predictor, planner.options.level)
        volume = VolumeTask.network_of(planner.predictor, planner.options.largest_component)
        of_kinds = {network: self._of_image(one), slide: self._of_slide(one), volume: self._of_volume(one)}
        wanted = of_kinds.get(prediction.network)
        is_there = wanted and {*wanted} <= {*prediction.outputs} and all(self._size(name) for name in wanted)
        return prediction if is_there else None

    def refuse_to_replace(self, images: Sequence[StoredImage], left: Sequence[StoredImage]) -> None:
        """Raise InputError if a result would take the place of an image, of another result, or of what is there."""
        sources = {one.place for one in images}
        results: dict[str, str] = {}
        for one in left:
            for name in self._of(one):
                target = self._place(name)
                if target in sources:
                    raise InputError(f"the mask of {one.place} would take the place of {target}: choose another "
                                     f"{setting('out')}")  # fmt: skip
                if results.setdefault(name, one.place) != one.place:
                    raise InputError(
                        f"what is made of {results[name]} and of {one.place} would both be {target}: predict them into "
                        "different places"
                    )
                if self._size(name) is not None and not (self.planner.options.overwrite or self._is_ours(name, one)):
                    raise InputError(
                        f"{target} is there already: set {setting(resume=True)} to go on with what was predicted "
                        f"there, choose another {setting('out')}, or set {setting(overwrite=True)}"
                    )

    def _is_ours(self, name: str, one: StoredImage) -> bool:
        """Whether a result is, unchanged, what an earlier prediction of the same place left or was about to write."""
        record = self.planner.record
        if not self.planner.options.resume:
            return False
        prediction = record.find(one.name)
        if prediction is None or prediction.image != printable(one.place):
            return record.is_begun(one.name)
        return self._size(name) in (0, prediction.outputs.get(name))

    def _of_image(self, one: StoredImage) -> list[str]:
        planner, folder = self.planner, self.planner.record.folder
        convention = planner.predictor.description.convention
        outputs = Outputs.of(
            folder,
            one.name,
            convention,
            overlay=planner.options.overlay,
            probability=planner.options.probability,
            also=planner.options.forms,
        )
        return [relative_name(path, folder) for path in outputs]

    def _of(self, one: StoredImage) -> list[str]:
        """What may be written for an image, as far as its name shows."""
        if is_volume(Path(one.place)):
            return self._of_volume(one)
        return [*self._of_image(one), *(self._of_slide(one) if _may_be_slide(one) else ())]

    def _of_slide(self, one: StoredImage) -> list[str]:
        folder = self.planner.record.folder
        paths = mask_paths(folder, one.name, self.planner.predictor.description.convention, ".tif")
        return [relative_name(path, folder) for path in paths]

    def _of_volume(self, one: StoredImage) -> list[str]:
        folder = self.planner.record.folder
        task = VolumeTask(self.planner.predictor, Path(one.place), folder, one.name, also=self.planner.options.forms)
        return [relative_name(path, folder) for path in task.targets]

    def _place(self, name: str) -> str:
        if isinstance(self.out, Path):
            return str(self.out / name)
        return self.out.address_of(f"{self.out.key}/{name}")

    def _size(self, name: str) -> int | None:
        """Bytes of a result; None where there is none."""
        if isinstance(self.out, Path):
            return size_of(self.out / name)
        return self._sizes.get(name)

    @cached_property
    def _sizes(self) -> dict[str, int]:
        assert isinstance(self.out, Store)
        start = f"{self.out.key}/"
        found = self.out.find()
        return {key[len(start) :]: int(known.get("size") or 0) for key, known in found.items() if key.startswith(start)}


def _may_be_slide(one: StoredImage) -> bool:
    return Path(one.place).suffix.lower() in {*TIFF_SUFFIXES, *SLIDE_SUFFIXES}
