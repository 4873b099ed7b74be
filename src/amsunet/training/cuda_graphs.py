"""A network's training pass on a GPU as CUDA graphs, forward and backward."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from amsunet.device import Device
from amsunet.inference.model_file import is_ours


class _Pass(nn.Module):
    """torch gives the module that it captures another ``forward``; the network itself keeps its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def captured(network: nn.Module, images: Tensor, device: Device) -> Callable[[Tensor], Tensor]:
    """The network's function with its gradients, for images like these; a small batch waits for Python otherwise, for
    80 ms a step. Weights may change in place from call to call.

    All images must have the shape of these, and one call's gradients be used before the next call overwrites them: they
    are neither summed over several nor differentiated again.

    A network runs as it is where there is no GPU, or none that captures it; another one than this package's does too,
    for it may do what cannot be captured.
    """
    if device.type != "cuda" or not is_ours(network):
        return network
    # To capture is to run the network several times, which moves BatchNorm's averages.
    before = {name: value.clone() for name, value in network.named_buffers()}
    enabled = device.precision == "bfloat16"
    run: Any = network
    stream = torch.cuda.current_stream() if torch.cuda.is_available() else None
    try:
        with torch.autocast("cuda", torch.bfloat16, enabled=enabled, cache_enabled=False):
            run = torch.cuda.make_graphed_callables(_Pass(network).train(), (images.clone(),), allow_unused_input=True)
    except RuntimeError as error:  # memory for one: a graph holds on to its own
        problem = str(error).partition("\n")[0]
        warnings.warn(f"training goes without CUDA graphs, which is slower for small batches: {problem}", stacklevel=2)
        if stream is not None:  # torch stays in the stream that it failed in
            torch.cuda.set_stream(stream)
        free_graphs()
    with torch.no_grad():
        for name, value in network.named_buffers():
            value.copy_(before[name])
    made: Callable[[Tensor], Tensor] = run
    return made


def free_graphs() -> None:
    """Free the memory of captured passes that nobody refers to: they refer to themselves in circles."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
