"""Networks on a GPU as CUDA graphs: small batches otherwise wait for Python to launch a kernel after the other."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d

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
                problem = str(error).partition("\n")[0]
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
