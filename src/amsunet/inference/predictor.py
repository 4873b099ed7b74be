"""A trained model at work: images in, segmentations out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from amsunet.data.images import Array, read_image
from amsunet.data.preprocessing import to_tensor
from amsunet.errors import InputError
from amsunet.inference.forward import compute_logits, to_labels, to_probabilities
from amsunet.inference.model_file import FILE_NAME, for_inference, load_model
from amsunet.inference.result import Segmentation
from amsunet.machine import Machine, choose_machine, keep_freed_memory


class Predictor:
    """A loaded model.

    Args:
        run: a run folder, or the model file in one.
        machine: where to run; chosen when left out.
        flips: average over the image and its mirror images: slower by four, usually a little better.
        own: ``FILE.py:FUNCTION``, if the run was trained with a network that is not amsunet's.

    Raises: InputError if the model cannot be read.
    """

    def __init__(
        self, run: str | Path, *, machine: Machine | None = None, flips: bool = False, own: str | None = None
    ) -> None:
        keep_freed_memory()
        path = Path(run)
        network, self.description = load_model(path / FILE_NAME if path.is_dir() or not path.suffix else path, own)
        self.machine = machine or choose_machine()
        self.flips = flips
        self.network = self.machine.place(for_inference(network))

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
        preprocessing, description = self.description.preprocessing, self.description
        tensors = [to_tensor(preprocessing.resize(preprocessing.window(image))) for image in images]
        prepared = torch.stack(tensors) if len(tensors) > 1 else tensors[0][None]  # no copy of a large image
        logits = compute_logits(self.network, prepared, preprocessing, self.machine, flips=self.flips)
        del prepared, tensors
        out = []
        for image, name, one in zip(images, names, logits, strict=True):
            probabilities = to_probabilities(one[None], *image.shape[:2])
            labels = to_labels(probabilities, description.threshold)
            out.append(Segmentation(name, probabilities[0].numpy(), labels[0].numpy(), description.convention))
        return out

    def working_size(self, image: Array) -> tuple[int, int]:
        """Height and width at which the network sees an image."""
        return self.description.preprocessing.working_size(*image.shape[:2])


def load(
    run: str | Path, *, device: str = "auto", precision: str = "auto", flips: bool = False, own: str | None = None
) -> Predictor:
    """Load a trained model from its run folder; see ``Predictor``."""
    return Predictor(run, machine=choose_machine(device, precision), flips=flips, own=own)
