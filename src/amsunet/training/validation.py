"""What a trained network says of validation images, computed once for all that is chosen by it."""

from __future__ import annotations

from torch import nn

from amsunet.data.crops import PreparedImages
from amsunet.data.images import Array
from amsunet.data.preprocessing import channels_first
from amsunet.device import Device
from amsunet.inference.forward import compute_logits
from amsunet.inference.model_file import for_inference
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.memory import free_memory
from amsunet.progress import report


class ValidationLogits:
    """Logits (K, h, w) as the network gives them, with labels (h, w) of uint8, both at working size, by image.

    Kept in memory as far as there is room; what is not kept is computed whenever asked for.
    """

    def __init__(
        self,
        network: nn.Module,
        description: ModelDescription,
        images: PreparedImages,
        device: Device,
    ) -> None:
        self._images = images
        self._at_work = TorchRuntime(
            device.place(for_inference(network)), description.preprocessing, device, graphs=True
        )
        self._kept: dict[int, Array] = {}
        self._room = free_memory() // 4

        self.num_classes = description.convention.num_classes

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        report(index + 1, len(self), "image")
        image, labels = self._images[index]
        logits = self._kept.get(index)
        if logits is None:
            logits = compute_logits(self._at_work, channels_first(image)[None])[0]
            if logits.nbytes <= self._room:
                self._room -= logits.nbytes
                self._kept[index] = logits
        return logits, labels
