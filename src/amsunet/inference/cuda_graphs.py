"""Networks on a GPU as CUDA graphs: small batches otherwise wait for Python to launch one kernel after another."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.device import Device
from amsunet.errors import first_line
from amsunet.inference.model_file import is_ours

_KEPT = 4
"""Shapes. To make room for further ones would be to capture again and again where shapes take turns."""
_LARGEST = 2**22
"""Pixels of a batch: more of them compute longer than their launches take."""

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    given: Tensor
    result: Tensor


class GraphedForward:
    """A function of one tensor on a GPU that launches the same kernels for every tensor of a shape: run as it is the
    first time a shape is seen, as one graph from then on; as it is too where there is not enough memory for graphs, or
    they cannot be made. Threads take turns.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._seen: set[torch.Size] = set()
        self._captured: dict[torch.Size, _Captured] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._captures = True
        self._in_turn = Lock()

    def __call__(self, x: Tensor) -> Tensor:
        with self._in_turn:  # a graph reads and writes the same memory in every call
            try:
                return self._run(x)
            except torch.OutOfMemoryError:
                if not self._captures:
                    raise
            # Behind the block: the error holds what the failed call had allocated.
            self._captures = False
            self._captured.clear()
            torch.cuda.empty_cache()
            return self._forward(x)

    def _run(self, x: Tensor) -> Tensor:
        captured = self._captured.get(x.shape)
        if captured is None:
            if not self._captures or x.shape[0] * x.shape[2] * x.shape[3] > _LARGEST or len(self._captured) == _KEPT:
                return self._forward(x)
            if x.shape not in self._seen:
                self._seen.add(x.shape)
                return self._forward(x)
            stream = torch.cuda.current_stream()
            try:
                captured = self._captured[x.shape] = self._capture(x)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # what cannot be captured
                problem = first_line(error)
                warnings.warn(f"prediction goes without CUDA graphs, which is slower: {problem}", stacklevel=2)
                torch.cuda.set_stream(stream)  # torch stays in the one that it failed in
                self._captures = False
                return self._forward(x)
        captured.given.copy_(x)
        captured.graph.replay()
        return captured.result.clone()

    def _capture(self, x: Tensor) -> _Captured:
        graph, given = torch.cuda.CUDAGraph(), x.clone()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = self._forward(given)
        return _Captured(graph, given, result)


def with_weights_cast(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy whose convolutions and matrix products hold their weights as autocast would hand them over, in every call
    anew; the rest stays as it is, depthwise convolutions too, whose kernels take weights in float32.
    """
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) and not isinstance(module, DepthwiseConv2d):
            module.to(dtype)
    return copied


class _Pass(nn.Module):
    """torch replaces the ``forward`` of the module that it captures; the network keeps its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def captured(network: nn.Module, images: Tensor, device: Device) -> Callable[[Tensor], Tensor]:
    """A network's training pass, with its gradients, as CUDA graphs; a small batch otherwise waits for Python, for
    80 ms a step. Weights may change in place from call to call.

    All images must have the shape of these, and one call's gradients be used before the next call overwrites them: they
    are neither summed over several calls nor differentiated again.

    Args:
        network: In training.
        images: Of the shape and memory format of all that follow.
        device: Where the network is.

    Returns:
        The captured function; the network itself without a GPU, if capturing fails, and for custom networks, which may
        do what cannot be captured.
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
        problem = first_line(error)
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
    """Free the memory of captured passes that are no longer used: they refer to themselves in cycles."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
