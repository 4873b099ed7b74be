"""A trained model at work: images in, segmentations out."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from amsunet.data.images import Array, read_image
from amsunet.data.preprocessing import to_tensor
from amsunet.errors import InputError
from amsunet.inference.ensemble import load_members, model_path
from amsunet.inference.forward import compute_logits, to_labels, to_probabilities
from amsunet.inference.model_file import ModelDescription, for_inference
from amsunet.inference.result import Segmentation
from amsunet.machine import Machine, choose_machine, keep_freed_memory


class Predictor:
    """A loaded model, or an ensemble whose probabilities are averaged.

    Args:
        run: a run folder, the model file in one, or the folder of an ensemble.
        machine: where to run; chosen when left out.
        flips: average over the image and its mirror images: slower by four, usually a little better.
        own: ``FILE.py:FUNCTION``, if the run was trained with a network that is not amsunet's.

    Raises: InputError if the model cannot be read.
    """

    def __init__(
        self, run: str | Path, *, machine: Machine | None = None, flips: bool = False, own: str | None = None
    ) -> None:
        keep_freed_memory()
        self._run = Path(run)
        members, self.folds = load_members(self._run, own)
        self.machine = machine or choose_machine()
        self.flips = flips
        self._members = [
            (self.machine.place(for_inference(network, described.temperature)), described)
            for network, described in members
        ]
        self.description = members[0][1]
        if self.folds is not None:
            self.description = self.description.model_copy(update={"threshold": self.folds.threshold})

    @property
    def network(self) -> nn.Module:
        """The network. Raises: InputError for an ensemble, which has more than one."""
        if len(self._members) > 1:
            model_path(self._run)
        return self._members[0][0]

    def blind_to(self, name: str) -> Predictor:
        """Of an ensemble the one network that was not trained on this training image, of a single one itself."""
        if self.folds is None:
            return self
        alone = copy(self)
        alone._members = [self._members[self.folds.fold_of[name]]]
        return alone

    def predict(self, image: Array | str | Path, *, name: str | None = None) -> Segmentation:
        """Segment one image.

        Args:
            image: a path, or an array (H, W) or (H, W, 1 or 3) of uint8, uint16 or float in 0 ... 1.

        Raises: InputError for a file that cannot be read or an array of another shape.
        """
        if isinstance(image, str | Path):
            return self.predict_batch([read_image(Path(image))], [name or Path(image).stem])[0]
        array = np.asarray(image)
        array = array[..., None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[2] not in (1, 3) or not array.size:
            raise InputError(f"an image must be (H, W), (H, W, 1) or (H, W, 3), not {np.shape(image)}")
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        if array.dtype not in (np.uint8, np.uint16, np.float32):
            raise InputError(f"an image must be uint8, uint16 or float, not {array.dtype}")
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise InputError("an image must hold finite numbers: replace the others")
        return self.predict_batch([array], [name or "image"])[0]

    def predict_batch(self, images: Sequence[Array], names: Sequence[str]) -> list[Segmentation]:
        """Segment images as read, (H, W, C), whose working sizes are the same."""
        probabilities = self._probabilities(*self._members[0], images)
        with torch.inference_mode():
            for member in self._members[1:]:
                for total, one in zip(probabilities, self._probabilities(*member, images), strict=True):
                    total.add_(one)
            for total in probabilities:
                total.div_(len(self._members))
        out = []
        for name, one in zip(names, probabilities, strict=True):
            labels = to_labels(one, self.description.threshold)
            out.append(Segmentation(name, one[0].numpy(), labels[0].numpy(), self.description.convention))
        return out

    def _probabilities(
        self, network: nn.Module, description: ModelDescription, images: Sequence[Array]
    ) -> list[Tensor]:
        """What one network gives for each image, (1, num_classes, H, W)."""
        preprocessing = description.preprocessing
        tensors = [to_tensor(preprocessing.resize(preprocessing.window(image))) for image in images]
        prepared = torch.stack(tensors) if len(tensors) > 1 else tensors[0][None]  # no copy of a large image
        logits = compute_logits(network, prepared, preprocessing, self.machine, flips=self.flips)
        del prepared, tensors
        return [to_probabilities(one[None], *image.shape[:2]) for image, one in zip(images, logits, strict=True)]

    def working_size(self, image: Array) -> tuple[int, int]:
        """Height and width at which the network sees an image."""
        return self.description.preprocessing.working_size(*image.shape[:2])


def load(
    run: str | Path, *, device: str = "auto", precision: str = "auto", flips: bool = False, own: str | None = None
) -> Predictor:
    """Load a trained model from its run folder; see ``Predictor``."""
    return Predictor(run, machine=choose_machine(device, precision), flips=flips, own=own)
