"""Networks as they were trained, in torch."""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch import Tensor, nn

from amsunet.data.images import Array
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device
from amsunet.errors import InputError, first_line
from amsunet.inference.cuda_graphs import GraphedForward, with_weights_cast
from amsunet.inference.model_file import is_ours

logger = logging.getLogger(__name__)


class TorchRuntime:
    """A network in evaluation mode on a device: a ``Runtime``.

    Args:
        network: As ``device.place`` put it there.
        compiled: Run it through ``torch.compile``; where that fails a warning is logged, and it runs as it is.
        fall_back: Or else an InputError is raised.
        graphs: On a GPU run shapes that come again as CUDA graphs, with weights as they are now, if the network is of
            this package: Another one may do what cannot be captured.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        device: Device,
        *,
        compiled: bool = False,
        fall_back: bool = True,
        graphs: bool = False,
    ) -> None:
        self._network = network
        self._preprocessing = preprocessing
        self._device = device
        self._fall_back = fall_back
        self._graphed: GraphedForward | None = None
        if graphs and device.type == "cuda" and is_ours(network):
            self._graphed = GraphedForward(self._compute)
            if device.precision == "bfloat16":
                self._network = with_weights_cast(network, torch.bfloat16)
        self._compiled = torch.compile(self._network) if compiled else None

    @property
    def network(self) -> nn.Module:
        """The network, for what looks inside it."""
        return self._network

    @property
    def name(self) -> str:
        return f"torch{' (compiled)' if self._compiled else ''} on {self._device}"

    def __call__(self, images: Array) -> Array:
        # A copy, small beside what follows: torch takes neither mirrored views nor what may not be written to.
        pixels = torch.from_numpy(images.copy(order="K")).to(self._device.type)
        logits: Array = self.logits(pixels).cpu().contiguous().numpy()
        return logits

    def logits(self, pixels: Tensor) -> Tensor:
        """From images (N, C, h, w) of uint8 on the device to logits there."""
        with torch.inference_mode():
            return (self._graphed or self._compute)(pixels)

    def _compute(self, pixels: Tensor) -> Tensor:
        with self._device.autocast():
            x = standardise(pixels.float() / 255, self._preprocessing).contiguous(memory_format=torch.channels_last)
            return self._forward(x).float()

    def _forward(self, x: Tensor) -> Tensor:
        out: Tensor
        if self._compiled is not None:
            try:
                out = self._compiled(x)
                return out
            except Exception as error:  # whatever is missing: a C++ compiler, Triton, an operation
                problem = f"torch.compile does not work here ({first_line(error)})"
                if not self._fall_back:
                    raise InputError(problem) from None
                logger.warning(f"{problem}: going on without it")
                self._compiled = None
        out = self._network(x)
        return out


def standardise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Map (N, C, H, W) in 0 ... 1 to the network's input."""
    return (images - _of_channels(preprocessing.mean, images.device)) / _of_channels(preprocessing.std, images.device)


@cache
def _of_channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers (1, C, 1, 1) on the device: to copy them there makes it wait."""
    with torch.inference_mode(mode=False):  # or training could not use them
        return torch.tensor(values, device=device).view(1, -1, 1, 1)
