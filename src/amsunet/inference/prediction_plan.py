"""What a prediction over many files has to do: which images are left, and whether their results have places."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from amsunet.atomic_io import printable
from amsunet.data.containers import is_volume
from amsunet.data.image_file import count_pixels
from amsunet.data.slides import SlideError, is_slide
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage
from amsunet.inference.outcome import FAILURES, REVIEW_LIST
from amsunet.inference.outputs import Outputs, mask_paths
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.prediction_record import RECORD, Prediction, PredictionRecord
from amsunet.inference.predictor import Predictor
from amsunet.inference.result_formats import has_volumes, joined_paths, volume_forms
from amsunet.inference.slide import SlideTask
from amsunet.inference.taken_names import TakenNames
from amsunet.inference.volume import VolumeTask
from amsunet.wording import setting

logger = logging.getLogger(__name__)

State = Literal["made", "changed", "other network", "other image", "missing"]
"""Of the mask of an image: made, changed since by a person, of another network or another image, or not there."""


@dataclass(frozen=True)
class ImageTask:
    """An image that memory holds whole, and what is known of it before it is read."""

    image: Path
    name: str
    pixels: int
    outputs: Outputs


@dataclass
class PredictionPlan:
    """What is to be predicted, and what was."""

    images: list[ImageTask] = field(default_factory=list)
    slides: list[SlideTask] = field(default_factory=list)
    volumes: list[VolumeTask] = field(default_factory=list)
    made: list[tuple[InputImage, Prediction]] = field(default_factory=list)
    """Images whose results are there."""

    @property
    def large(self) -> list[SlideTask | VolumeTask]:
        """What memory does not hold whole."""
        return [*self.slides, *self.volumes]

    def folders(self) -> set[Path]:
        """All that results go to."""
        return {target.parent for task in self.images for target in task.outputs} | {
            target.parent for task in self.large for target in task.targets
        }


@dataclass(frozen=True)
class Planner:
    """Plans a prediction into a folder.

    Args:
        predictor: What segments the images.
        record: Of the folder.
        options: What is written, and what becomes of what is there.
    """

    predictor: Predictor
    record: PredictionRecord
    options: PredictionOptions = PredictionOptions()  # noqa: RUF009 - frozen

    def plan(self, inputs: Sequence[InputImage]) -> PredictionPlan:
        """Part the images into those that are left and those whose results are there.

        Raises:
            InputError: If a result cannot be written, or would take the place of another file.
        """
        plan = PredictionPlan()
        states = self._read_states(inputs, plan) if self.options.resume else {}
        self.add_tasks(plan, [one for one in inputs if states.get(one.name) not in ("made", "changed")])
        self.refuse_views_of_slides(plan)
        if self.options.largest_component and not plan.volumes and not plan.made:
            raise InputError(
                f"{setting('largest_component')} is for volumes (.nii, .nii.gz), and none of the images is one: leave "
                "it out"
            )
        if self.options.level and not plan.slides and not plan.made:
            raise InputError(f"{setting('level')} is for pyramids, and none of the images is one: leave it out")
        self._refuse_to_replace(inputs, plan)
        for slide in plan.slides:
            with suppress(SlideError):  # noted when its turn comes
                slide.check()
        return plan

    def add_tasks(self, plan: PredictionPlan, inputs: Sequence[InputImage]) -> None:
        """Add to a plan what is to be done for images, with no look at what is there."""
        for one in inputs:
            if is_volume(one.image):
                plan.volumes.append(self._volume(one))
            elif is_slide(one.image):
                plan.slides.append(self._slide(one))
            else:
                pixels = count_pixels(one.image)
                plan.images.append(ImageTask(one.image, one.name, pixels, self._outputs(one.name)))

    def refuse_views_of_slides(self, plan: PredictionPlan) -> None:
        """Raise InputError if overlays, probability maps or other forms are wanted that slides or volumes have not."""
        if plan.slides and (self.options.overlay or self.options.probability):
            raise InputError(
                f"{plan.slides[0].path} is too large for {setting('overlay')} and {setting('probability')}: leave them "
                "out"
            )
        if plan.slides and self.options.forms:
            raise InputError(f"{plan.slides[0].path} is too large for other forms: leave {setting('also')} out")
        if plan.volumes and (self.options.overlay or self.options.probability):
            raise InputError(
                f"{plan.volumes[0].path} is a volume, and {setting('overlay')} and {setting('probability')} are of "
                f"single images: leave them out, or name slices, as {plan.volumes[0].path / 'z000'}"
            )
        if plan.volumes and (of_images := [form for form in self.options.forms if not has_volumes(form)]):
            volume = plan.volumes[0].path
            raise InputError(
                f"{volume} is a volume, and has no {' and no '.join(of_images)} ({setting('also')}): leave that out, "
                f"for volumes have {', '.join(volume_forms())}; or name slices, as {volume / 'z000'}"
            )

    def _volume(self, one: InputImage) -> VolumeTask:
        folder = self.record.folder
        largest = self.options.largest_component
        return VolumeTask(
            self.predictor, one.image, folder, one.name, largest_component=largest, also=self.options.forms
        )

    def _outputs(self, name: str) -> Outputs:
        convention = self.predictor.description.convention
        return Outputs.of(
            self.record.folder,
            name,
            convention,
            overlay=self.options.overlay,
            probability=self.options.probability,
            also=self.options.forms,
        )

    def _slide(self, one: InputImage) -> SlideTask:
        targets = mask_paths(self.record.folder, one.name, self.predictor.description.convention, ".tif")
        ours = self.options.resume and all(self._is_ours(target, one) for target in targets if target.exists())
        return SlideTask(
            self.predictor,
            one.image,
            self.record.folder,
            one.name,
            level=self.options.level,
            overwrite=self.options.overwrite or ours,
        )

    def _read_states(self, inputs: Sequence[InputImage], plan: PredictionPlan) -> dict[str, State]:
        """Find what is known of the images, note in the plan what is there, and return what becomes of them."""
        self.record.read()
        networks = (
            self.predictor.checksum(),
            SlideTask.network_of(self.predictor, self.options.level),
            VolumeTask.network_of(self.predictor, self.options.largest_component),
        )
        states: dict[str, State] = {}
        for one in inputs:
            prediction = self.record.find(one.name)
            if prediction is not None and not prediction.failure:
                states[one.name] = self._state(one, prediction, networks)
                if states[one.name] in ("made", "changed"):
                    plan.made.append((one, prediction))
        if plan.made:
            logger.info(f"{len(plan.made)} of {len(inputs)} images have their masks already, and are passed over")
        for state, words in (
            ("changed", "masks were changed since they were predicted, and stay as they are"),
            ("other network", "masks are of another network or other settings, and are made anew"),
            ("other image", "images have changed since they were predicted, and their masks are made anew"),
        ):
            if names := [name for name, known in states.items() if known == state]:
                logger.info(f"{len(names)} {words}, as {names[0]}")
        return states

    def _state(self, one: InputImage, prediction: Prediction, networks: tuple[str, str, str]) -> State:
        out = self.record.folder
        of_image = list(self._outputs(one.name))
        of_slide = mask_paths(out, one.name, self.predictor.description.convention, ".tif")
        of_volume = self._volume(one).targets
        for wanted, network in zip((of_image, of_slide, of_volume), networks, strict=True):
            sizes = [prediction.outputs.get(relative_name(target, out)) for target in wanted]
            if None in sizes:
                continue
            if prediction.network != network:
                return "other network"
            there = [size_of(target) for target in wanted]
            if not all(there):  # nothing, or an empty file, which a power failure leaves
                return "missing"
            if not prediction.is_of(one.image):
                return "other image"
            return "made" if there == sizes else "changed"
        return "missing"

    def _is_ours(self, target: Path, one: InputImage) -> bool:
        """Whether a file is, unchanged, what an earlier prediction of the same file left or was about to write."""
        if self.record.is_begun(one.name):
            return True
        prediction = self.record.find(one.name)
        if prediction is None or not prediction.is_from(one.image):
            return False
        return size_of(target) in (0, prediction.outputs.get(relative_name(target, self.record.folder)))

    def _refuse_to_replace(self, inputs: Sequence[InputImage], plan: PredictionPlan) -> None:
        """Raise InputError if a result would take the place of another file, of an image that is to be segmented, or of
        another result; also where names differ by case alone, on a file system that takes these for one.
        """
        images = TakenNames(self.record.folder)
        for one in inputs:
            images.add(one.image.resolve(), one.image)
        results, folders = TakenNames(self.record.folder), TakenNames(self.record.folder)
        for image, targets in _targets(plan):
            for target in targets:
                if images.find(target.resolve()):
                    raise InputError(
                        f"the mask of {image} would take the place of {target}: choose another {setting('out')}"
                    )
                if other := results.find(target):
                    raise InputError(_describe_clash(image, other, target))
                results.add(target, image)
                for folder in target.relative_to(self.record.folder).parents:
                    folders.add(self.record.folder / folder, image)
        lists = [self.record.folder / name for name in (REVIEW_LIST, FAILURES, RECORD)]
        lists += joined_paths(self.record.folder, self.options.forms).values()
        for file in (*(target for _, targets in _targets(plan) for target in targets), *lists):
            if other := folders.find(file):
                raise InputError(
                    f"a folder of the masks of {other} would have the name of {file}: choose another {setting('out')}, "
                    "or rename the folder of the image"
                )
        for one, targets in [
            *((InputImage(task.image, task.name), [*task.outputs]) for task in plan.images),
            *((InputImage(task.path, task.name), task.targets) for task in plan.volumes),
        ]:
            for target in targets:
                if (
                    not self.options.overwrite
                    and target.exists()
                    and not (self.options.resume and self._is_ours(target, one))
                ):
                    raise InputError(self._describe_there(target, one))

    def _describe_there(self, target: Path, one: InputImage) -> str:
        others = f"choose another {setting('out')}, or set {setting(overwrite=True)}"
        if self.options.resume:
            return f"{target} is there already, and not as a prediction of {one.image} left it: {others}"
        self.record.read()
        if self.record.is_begun(one.name) or self.record.find(one.name) is not None:
            others = (
                f"set {setting(resume=True)} to go on with what was predicted into this folder, choose another "
                f"{setting('out')}, or set {setting(overwrite=True)}"
            )
        return f"{target} is there already: {others}"


def _targets(plan: PredictionPlan) -> Iterator[tuple[Path, Iterable[Path]]]:
    for task in plan.images:
        yield task.image, task.outputs
    for large in plan.large:
        yield large.path, large.targets


def _describe_clash(image: Path, other: Path, target: Path) -> str:
    if image == other:
        return (
            f"two results of {image} would both be {target}: train with other names of classes, or leave out "
            f"{setting('overlay')} or {setting('probability')}"
        )
    return f"what is made of {other} and of {image} would both be {target}: predict them into different folders"


def relative_name(path: Path, folder: Path) -> str:
    """As the record names a result."""
    return printable(path.relative_to(folder).as_posix())


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None
