"""A trained model at work: images in, segmentations out.

It takes whole images; parts of them go through the ``Networks`` within.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from amsunet.data.channel_files import image_name
from amsunet.data.channels import Names, channel_names, describe_other_names, refuse_channels
from amsunet.data.containers import modality_of
from amsunet.data.image_spacing import spacing_of
from amsunet.data.images import Array, as_supported, read_image
from amsunet.data.preprocessing import Size
from amsunet.data.spacing import Spacing
from amsunet.errors import InputError
from amsunet.inference.forward import are_numbers, to_probabilities
from amsunet.inference.image_scale import Scaling, describe_scaling, refuse_enlarged
from amsunet.inference.model_metadata import ModelDescription, describe_together
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.networks import Networks
from amsunet.inference.open_model import open_members
from amsunet.inference.prepared_image import Prepared, prepare_image
from amsunet.inference.runtime import Runtime
from amsunet.inference.runtime_options import TTA, RuntimeOptions
from amsunet.inference.segmentation import PendingSegmentation, Segmentation
from amsunet.inference.sliding_window import Tiling
from amsunet.memory import return_freed_memory
from amsunet.wording import command

logger = logging.getLogger(__name__)


class Predictor:
    """A loaded model, or an ensemble whose probabilities are averaged.

    ``predict`` segments an image, ``predict_batch`` several; ``description`` is what is known of the network, ``str``
    what runs it, ``len`` the number of networks. All other methods are for the package itself.

    Args:
        model: A run folder, the model file in one, the folder of an ensemble, the name of a network of the zoo
            (``zoo:nuclei``), or a file of ``amsunet export``.
        options: By what, where and over which views of an image the network is run.
        model_file: ``FILE.py:FUNCTION``, if the model was trained with a network that is not amsunet's.
        tiling: Of images too large to go through a network whole.

    Raises:
        InputError: If the model cannot be read or the options do not go with it.

    Example:
        >>> import amsunet, numpy
        >>> predictor = amsunet.Predictor("runs/nuclei")
        >>> predictor.predict(numpy.zeros((300, 400), numpy.uint8)).mask.shape
        (300, 400)
    """

    def __init__(
        self,
        model: str | Path | ModelRef,
        options: RuntimeOptions = RuntimeOptions(),  # noqa: B008 - frozen
        *,
        model_file: str | None = None,
        tiling: Tiling = Tiling(),  # noqa: B008 - frozen
    ) -> None:
        model = ModelRef.resolve(model)
        members, self.folds = open_members(model, options, model_file)
        self.opened = model, options, model_file
        """What another process makes the same one of."""
        members = [replace(one, description=_described_by(options, one.description)) for one in members]
        self.networks = Networks(members, options.tta, tiling)
        self.image_scale, self.polarity, self.spacing = options.image_scale, options.polarity, options.pixel_size
        self.description = members[0].description
        if self.folds is not None:
            self.description = describe_together([one.description for one in members], self.folds.threshold)

    @property
    def tta(self) -> TTA:
        """Over which views of an image is averaged."""
        return self.networks.tta

    @property
    def tiling(self) -> Tiling:
        """Of images too large to go through a network whole."""
        return self.networks.tiling

    @property
    def views_left_out(self) -> str:
        """Which views of ``tta`` are left out, for they would exchange classes; empty where none is."""
        allowed = self.description.flips
        if allowed == "both" or self.tta == "none":
            return ""
        kept = f"the {allowed} flip alone" if self.tta != "rotations" and allowed != "none" else "the image alone"
        return f"{kept} is averaged over: other views exchange classes of this network, or were not shown in training"

    @property
    def is_fitted(self) -> bool:
        """Whether post-processing was fitted to the network, as at the end of its training."""
        known = self.description
        found = known.temperature, known.threshold, known.uncertainty_limit, known.image_statistics
        return found != (1.0, 0.5, None, None)

    def __str__(self) -> str:
        return self.runtime.name

    def __len__(self) -> int:
        """The number of networks."""
        return len(self.networks)

    def predict(
        self, image: Array | str | Path, *, name: str | None = None, spacing: Spacing | None = None
    ) -> Segmentation:
        """Segment one image.

        Args:
            image: A path, or an array (H, W) or (H, W, C) of real numbers, with the channels that were trained on.
            name: What the result is called; the file's name when left out.
            spacing: Millimetres a pixel (rows, columns); when left out, what the options or the file say. The result
                knows it, and where that of the training images is known too, it decides how the image is scaled.

        Returns:
            The segmentation, at the image's own size.

        Raises:
            InputError: For a file that cannot be read, an array of another shape, and where the network gives no
                numbers (NaN or infinity).
        """
        if isinstance(image, str | Path):
            path = Path(image)
            found = self._predict(self.read(path), name or image_name(path), spacing or self.spacing_of(path))
            return replace(found, out_of_distribution=self.with_origin(found.out_of_distribution, path))
        array = np.asarray(image)
        array = array[..., None] if array.ndim == 2 else array
        channels = self.description.preprocessing.in_channels
        shapes = "(H, W), (H, W, 1) or (H, W, 3)" if channels in (1, 3) else f"(H, W, {channels})"
        if array.ndim != 3 or array.shape[2] not in {1, 3, channels} or not array.size:
            raise InputError(f"an image must be {shapes}, not {np.shape(image)}")
        self.check_channels("the image", array.shape[2])
        return self._predict(as_supported(array, "the image"), name or "image", spacing)

    def _predict(self, image: Array, name: str, spacing: Spacing | None) -> Segmentation:
        (pending,) = self.compute([self.prepare(image, name, spacing)])
        return pending.finish()

    def predict_batch(
        self, images: Sequence[Array], names: Sequence[str], spacings: Sequence[Spacing | None] | None = None
    ) -> list[Segmentation]:
        """Segment images as read, (H, W, C), whose working sizes are the same; of known sizes of pixels, or not."""
        known = spacings or [None] * len(images)
        pending = self.compute([self.prepare(*one) for one in zip(images, names, known, strict=True)])
        return [one.finish() for one in pending]

    # What follows is for the package itself (predict_files, slide, evaluation), and may change.

    @property
    def runtime(self) -> Runtime:
        """What runs the network; of an ensemble the first one."""
        return self.networks.members[0].runtime

    def held_out_model(self, name: str) -> Predictor:
        """Of an ensemble the one network that was not trained on this training image, of a single one itself."""
        if self.folds is None:
            return self
        alone = copy(self)
        alone.networks = self.networks.only(self.folds.fold_of[name])
        return alone

    def read(self, path: Path) -> Array:
        """Read an image that has the channels which the networks take.

        Raises:
            InputError: If it cannot be read, or has other channels.
        """
        image = read_image(path)
        self.check_channels(str(path), image.shape[2], channel_names(path, image.shape[2]))
        return image

    def check_channels(self, who: str, count: int, names: Names = ()) -> None:
        """Raise InputError if an image has other channels than the networks take; names are empty if not known."""
        for kind in self.networks.preprocessings.values():
            refuse_channels(who, count, names, kind.in_channels, kind.channel_names)

    def prepare(self, image: Array, name: str, spacing: Spacing | None = None) -> Prepared:
        """The first of three parts of a prediction: what is done before the networks."""
        spacing = spacing or self.spacing
        refuse_enlarged(name, self.description.preprocessing, image.shape[:2], spacing)
        return prepare_image(
            image,
            name,
            self.networks.preprocessings,
            choose=self.networks.choose_range,
            out_of_distribution=self.networks.out_of_distribution,
            smallest=self.description.smallest_in(image.shape[0], image.shape[1], spacing),
            separation=self.description.separation_in(image.shape[0], image.shape[1], spacing),
            spacing=spacing,
        )

    def spacing_of(self, path: Path) -> Spacing | None:
        """Millimetres a pixel of an image, down and across: as the options say it, else its file."""
        return self.spacing or spacing_of(path)

    def scales_by_spacing(self, image: Prepared) -> bool:
        """Whether the size of its pixels decided how an image was scaled."""
        return None not in (image.spacing, self.description.preprocessing.spacing)

    def scaling(self, sizes: Mapping[Size, int]) -> Scaling:
        """Describe how images were brought to working size, given how many there were of each height and width, but for
        those whose pixels decided.
        """
        return describe_scaling(self.description.preprocessing, sizes, self.image_scale)

    def with_origin(self, out_of_distribution: str, path: Path) -> str:
        """In what an image is out-of-distribution, with its modality and the names of its channels if its file names
        others than those that the networks were trained on.
        """
        known = sorted({modality for one in self.networks.members for modality in one.description.modalities})
        taken = modality_of(path) if known else ""
        other = f"modality {taken}, and the training images have {' and '.join(known)}"
        found = ["" if not taken or taken in known else other]
        found.append(describe_other_names(path, self.description.preprocessing.channel_names))
        return "; ".join(filter(None, (*found, out_of_distribution)))

    def compute(self, images: Sequence[Prepared]) -> list[PendingSegmentation]:
        """The second part: the networks, on images whose working sizes are the same; ``finish`` is the third."""
        if self.tiling.cuts(*images[0].working_size):
            return_freed_memory()  # what reading a large image left
        *first, last = range(len(self.networks))
        totals: list[Array | None] = [None] * len(images)
        finite = [True] * len(images)
        for member in first:
            for index, one in enumerate(self.networks.logits_of(member, [image.views for image in images])):
                finite[index] &= are_numbers(one)
                probabilities = to_probabilities(one, *images[index].size)
                before = totals[index]
                totals[index] = probabilities if before is None else np.add(before, probabilities, out=before)
        logits = self.networks.logits_of(last, [image.views for image in images])
        return [
            # Without the views, which may be large.
            PendingSegmentation(
                replace(image, views={}), one, total, len(self.networks), self.description, known and are_numbers(one)
            )
            for image, one, total, known in zip(images, logits, totals, finite, strict=True)
        ]

    def checksum(self) -> str:
        """Of the networks, by their weights and by what is known of them, and of how images go through them: the masks
        of one image are the same where it is.
        """
        networks = [(one.checksum, one.description.model_dump_json()) for one in self.networks.members]
        how: list[object] = [self.description.threshold, self.tta, self.tiling, self.polarity]
        how += [self.spacing] if self.spacing else []
        return hashlib.sha256(repr((networks, *how)).encode()).hexdigest()


def load(
    model: str | Path | ModelRef,
    options: RuntimeOptions = RuntimeOptions(),  # noqa: B008 - frozen
    *,
    model_file: str | None = None,
) -> Predictor:
    """Load a trained model from its run folder, or an exported one from its file.

    Args:
        model: A run folder, the model file in one, the folder of an ensemble, the name of a network of the zoo
            (``zoo:nuclei``), or a file of ``amsunet export``.
        options: By what, where and over which views of an image the network is run.
        model_file: As for ``Predictor``.

    Returns:
        A predictor, whose ``predict`` takes a path or an array.

    Raises:
        InputError: If the model cannot be read or the options do not go with it.

    Example:
        >>> import amsunet
        >>> predictor = amsunet.load("zoo:nuclei", amsunet.RuntimeOptions(tta="flips"))
        >>> sum(predictor.predict("image.png").areas().values()) == 128 * 128
        True
    """
    model = ModelRef.resolve(model)
    predictor = Predictor(model, options, model_file=model_file)
    if not predictor.is_fitted:
        remedy = f": {command('resume', model.run)} finishes it" if model.run else ""
        logger.warning(
            f"the training of {model} did not come to its end, so temperature, threshold and uncertainty limit are not "
            f"fitted, and no mask is listed as uncertain{remedy}"
        )
    if predictor.views_left_out:
        logger.info(predictor.views_left_out)
    return predictor


def _described_by(options: RuntimeOptions, known: ModelDescription) -> ModelDescription:
    """What is known of a network, with what the options set in place of it."""
    if options.image_scale is not None:
        known = known.at_scale(options.image_scale)
    if options.polarity != "auto":
        known = known.with_polarity(options.polarity)
    return known if options.separation is None else known.model_copy(update={"separation": options.separation})
