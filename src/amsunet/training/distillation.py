"""Knowledge distillation: a network also learns what a trained one, its teacher, gives for the training images.

The teacher sees every training image once, whole and as it is. Its probabilities then go through the same crops, turns
and flips as the labels, so that a step takes hardly longer than without it, and what is random depends on the seed as
ever: a stopped training asks the teacher again, and goes on.

Source: Hinton et al., arXiv 1503.02531. One view of an image for teacher and student: Beyer et al., CVPR 2022, arXiv
2106.05237, but for the intensities, which the student alone sees changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from amsunet.data.channels import describe_channels
from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.open_model import load_networks
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.plan_schema import Plan
from amsunet.training.run_folder import read_run
from amsunet.wording import setting

logger = logging.getLogger(__name__)

Teacher = Callable[[Sample], Array]
"""The probabilities (num_classes, H, W) of an image, at its own size."""


class TaughtImages(PreparedImages):
    """Images whose labels come with a teacher's probabilities: (h, w, num_classes) of uint8.

    The first plane holds the labels, the others the probabilities of the classes but the background, in 255ths.

    Args:
        samples: As for ``PreparedImages``.
        convention: As for ``PreparedImages``.
        preprocessing: As for ``PreparedImages``.
        dataset: As for ``PreparedImages``.
        teacher: Gives the probabilities.
    """

    def __init__(
        self,
        samples: list[Sample],
        convention: MaskConvention,
        preprocessing: Preprocessing,
        dataset: Dataset | None,
        teacher: Teacher,
    ) -> None:
        super().__init__(samples, convention, preprocessing, dataset)
        self._teacher = teacher

    def _prepare(self, sample: Sample) -> tuple[Array, Array]:
        image, labels = super()._prepare(sample)
        foreground = np.moveaxis(self._teacher(sample)[1:], 0, 2)
        planes = self._preprocessing.resize(np.rint(255 * foreground).astype(np.uint8), sample.spacing)
        return image, np.dstack([labels, planes])


def open_teacher(plan: Plan, convention: MaskConvention, dataset: Dataset | None, device: Device) -> Teacher:
    """Load the teacher of a training.

    Of an ensemble that was trained on these very images, each image is given to the one network that has not seen it:
    what the others have learnt by heart is little more than its mask. Classes of the same names are matched by name.

    Args:
        plan: Of the training.
        convention: Of its masks.
        dataset: Which these are of, where it is open.
        device: Where the teacher runs.

    Raises:
        InputError: If it cannot be loaded, or knows another number of classes.
    """
    reference, known = check_teacher(plan, convention.num_classes)
    names, wanted = known.convention.class_names, convention.class_names
    order = [*range(len(names))]
    if {*names} == {*wanted}:
        order = [names.index(name) for name in wanted]  # the same ones may be numbered otherwise
    else:
        logger.info(f"classes of the teacher: {', '.join(names)}, for {', '.join(wanted)}")
    if reference.kind == "exported":
        predictor = Predictor(reference)
    else:
        predictor = Predictor(reference, RuntimeOptions.on(device), model_file=plan.model)
    folds = predictor.folds if dataset is not None and _knows(reference, dataset) else None

    def ask(sample: Sample) -> Array:
        alone = predictor.held_out_model(sample.name) if folds and sample.name in folds.fold_of else predictor
        return alone.predict(sample.image, name=sample.name, spacing=sample.spacing).probability[order]

    return ask


def check_teacher(plan: Plan, num_classes: int) -> tuple[ModelRef, ModelDescription]:
    """Read the teacher of a plan, which has one, as far as to see what it tells apart.

    Args:
        plan: Of the training; a teacher of a user's own code is built by that of its network.
        num_classes: Of the data.

    Raises:
        InputError: If it cannot be read, or knows another number of classes or of channels.
    """
    assert plan.teacher is not None
    reference = ModelRef.resolve(plan.teacher)
    exported = reference.kind == "exported"
    known = Predictor(reference).description if exported else load_networks(reference, plan.model)[0][0][1]
    if (found := known.convention.num_classes) != num_classes:
        raise InputError(
            f"{reference} tells {found} classes apart, and the data have {num_classes}, background included: choose "
            f"another {setting('teacher')}"
        )
    takes, count = known.preprocessing, plan.in_channels
    if count != takes.in_channels and (takes.channel_names or not {count, takes.in_channels} <= {1, 3}):
        wanted = describe_channels(takes.in_channels, takes.channel_names)
        raise InputError(
            f"{reference} takes {wanted}, and the images have {describe_channels(count, ())}: choose another "
            f"{setting('teacher')}"
        )
    return reference, known


def _knows(model: ModelRef, dataset: Dataset) -> bool:
    """Whether the images are those that a model was trained on, so that it knows them by name."""
    with suppress(InputError):
        return model.run is not None and read_run(Path(model.run))[1].holds(dataset)
    return False
