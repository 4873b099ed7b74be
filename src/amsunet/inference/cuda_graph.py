"""Networks on a GPU as CUDA graphs: small batches otherwise wait for Python to launch a kernel after the other."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_KEPT = 4
"""Shapes, those used last."""
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
    first time a shape is seen, as one graph from then on; as it is too where there is not enough memory for graphs.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._seen: OrderedDict[torch.Size, _Captured | None] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle()
        self._captures = True

    def __call__(self, x: Tensor) -> Tensor:
        if not self._captures or x.shape[0] * x.shape[2] * x.shape[3] > _LARGEST:
            return self._forward(x)
        if x.shape not in self._seen:
            self._remember(x.shape, None)
            return self._forward(x)
        captured = self._seen[x.shape] or self._capture(x)
        if captured is None:
            return self._forward(x)
        self._remember(x.shape, captured)
        captured.given.copy_(x)
        captured.graph.replay()
        return captured.result.clone()

    def _remember(self, shape: torch.Size, captured: _Captured | None) -> None:
        self._seen[shape] = captured
        self._seen.move_to_end(shape)
        if sum(one is not None for one in self._seen.values()) > _KEPT:
            del self._seen[next(shape for shape, one in self._seen.items() if one is not None)]

    def _capture(self, x: Tensor) -> _Captured | None:
        graph, given = torch.cuda.CUDAGraph(), x.clone()
        try:
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                result = self._forward(given)
        except torch.OutOfMemoryError:
            self._captures = False
            return None
        return _Captured(graph, given, result)


def with_weights_cast(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy whose convolutions and matrix products hold their weights as autocast would hand them over, in every call
    anew; the rest stays as it is.
    """
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            module.to(dtype)
    return copied
