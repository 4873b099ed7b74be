"""Layers that networks share: GELU, 1x1 convolution and LayerNorm of feature maps, fast for channels_last maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_HALVES = (torch.bfloat16, torch.float16)
"""In float32 cuDNN is faster: it may round to TF32, which matrix products are not allowed to."""


def is_channels_last(x: Tensor) -> bool:
    """Whether a feature map is channels_last in memory and may be computed as such.

    False under ``vmap``, for the proxies of ``torch.fx``, and under function transforms, ``torch.jit`` tracing and
    ``torch.export``, which would not understand the kernels for such maps.

    Args:
        x: Of any shape; only (N, C, H, W) can be channels_last.
    """
    if not isinstance(x, Tensor) or torch._C._are_functorch_transforms_active():
        return False
    if torch.jit.is_tracing() or torch.compiler.is_exporting():  # type: ignore[attr-defined, no-untyped-call]
        return False  # and of sides that are left open the answer is long in coming
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


class GELU(nn.GELU):
    """The same function as ``nn.GELU``, faster for channels_last maps on a CPU.

    torch leaves GELU to oneDNN for contiguous maps only, which is faster than its other way ((5, 128, 160, 160) in
    bfloat16 on two cores of an Intel Xeon: 7 against 14 ms, and 13 against 19 for the gradient). A channels_last map is
    contiguous if its channels are viewed as the last dimension, without a copy.

    Shape:
        Any to the same.

    Example:
        >>> GELU()(torch.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return gelu(x)


def gelu(x: Tensor) -> Tensor:
    """The function that ``GELU`` computes.

    Shape:
        Any to the same.
    """
    if torch.compiler.is_compiling() or not is_channels_last(x) or x.is_contiguous() or x.device.type != "cpu":
        return F.gelu(x)
    return F.gelu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def gelu_(x: Tensor) -> Tensor:
    """``gelu`` of a map that is not used afterwards.

    It is computed in place, but not where gradients are taken or a program is compiled.

    Shape:
        Any to the same.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or not is_channels_last(x):
        return gelu(x)
    torch.ops.aten.gelu_(x.permute(0, 2, 3, 1))
    return x


class PointwiseConv2d(nn.Conv2d):
    """1x1 convolution; the same function, weights and names as ``nn.Conv2d``.

    A channels_last map of 16-bit numbers on a GPU goes through a matrix product, which adds the bias as it writes:
    cuDNN's convolution reads and writes the map once more for it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: With a bias.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).

    Example:
        >>> PointwiseConv2d(3, 8)(torch.rand(1, 3, 8, 8)).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if is_channels_last(x) and x.is_cuda and (x.dtype in _HALVES or torch.is_autocast_enabled("cuda")):
            return F.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)
        return super().forward(x)


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel.

    Args:
        channels: Channels of the input and of the output.
        eps: Added to the variance.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> LayerNorm2d(16)(torch.rand(1, 16, 8, 8)).shape
        torch.Size([1, 16, 8, 8])
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
