"""Depthwise convolution: fast on a GPU, with exact and fast gradients on a CPU."""

from __future__ import annotations

import math
import warnings
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks import depthwise_cpu
from amsunet.blocks.layers import gelu_, is_channels_last

try:
    from amsunet.blocks import depthwise_triton
except ImportError:  # builds of torch for the CPU come without Triton
    depthwise_triton = None  # type: ignore[assignment]

_BY_TRITON = (torch.float32, torch.float16, torch.bfloat16)
_WORKS: dict[torch.device, bool] = {}
_MOST_TAPS = 49
"""Those of 7 x 7."""
_LARGEST = 2**31
"""Numbers of one image that Triton's 32-bit indices reach."""


def triton_works(device: torch.device) -> bool:
    """Whether Triton can build kernels for a device.

    It needs a C compiler, Python's headers and a GPU of 2017 or later. Tried once, before the first map; a warning
    names what is missing.

    Args:
        device: A CUDA device.
    """
    if device in _WORKS:
        return _WORKS[device]
    x, weight, works = torch.zeros(1, 32, 8, 8, device=device), torch.zeros(32, 1, 3, 3, device=device), True
    try:
        depthwise_triton.convolve(x.contiguous(memory_format=torch.channels_last), weight, None, 1)
    except Exception as error:  # of Triton, of the compiler, of the driver
        problem = str(error).partition("\n")[0] or type(error).__name__
        warnings.warn(f"depthwise convolutions go without Triton, which is slower: {problem}", stacklevel=2)
        works = False
    _WORKS[device] = works
    return works


if depthwise_triton is not None:  # to mark it imports torch's compiler, which takes a second
    # torch.compile traces through a cache of functools, and would trace the trial.
    triton_works = torch.compiler.assume_constant_result(triton_works)  # type: ignore[no-untyped-call]


def suits_triton(x: Tensor, weight: Tensor) -> bool:
    """Whether a map goes through Triton's kernels, not torch's.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, k, l), odd.
    """
    if depthwise_triton is None or not is_channels_last(x):
        return False
    if not x.is_cuda or x.device.index != torch.cuda.current_device():  # where Triton launches
        return False
    fits = x.numel() > 0 and math.prod(x.shape[1:]) < _LARGEST and math.prod(weight.shape[2:]) <= _MOST_TAPS
    # A wrong number of channels is left to torch, which has an error for it.
    return fits and x.dtype in _BY_TRITON and x.shape[1] == len(weight) and triton_works(x.device)


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """Depthwise convolution, zero-padded to keep the size.

    A channels_last map goes through a Triton kernel on a GPU; on a CPU its gradients are computed by
    ``depthwise_cpu``.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, k, l), odd.
        bias: (C,).
        dilation: 1 or more.

    Returns:
        (N, C, H, W).

    Example:
        >>> depthwise_conv2d(torch.ones(1, 2, 4, 4), torch.ones(2, 1, 3, 3))[0, 0, 1, 1]
        tensor(9.)
    """
    if suits_triton(x, weight):
        x = _as_autocast(x)
        if not torch.is_grad_enabled():  # autograd's overhead is longer than a small map takes
            return depthwise_triton.convolve(x, weight, bias, dilation)
        out: Tensor = depthwise_triton.DepthwiseConvolution.apply(x, weight, bias, dilation)  # type: ignore[no-untyped-call]
    elif _suits_cpu(x):
        if torch.is_autocast_enabled("cpu") and x.dtype != torch.float64:
            x, weight, bias = _as_autocast(x), _as_autocast(weight), None if bias is None else _as_autocast(bias)
        out = depthwise_cpu.DepthwiseConvolution.apply(x, weight, bias, dilation)  # type: ignore[no-untyped-call]
    else:
        padding = [dilation * (side // 2) for side in weight.shape[2:]]
        out = F.conv2d(x, weight, bias, padding=padding, dilation=dilation, groups=weight.shape[0])
    return out


def _suits_cpu(x: Tensor) -> bool:
    """Whether ``depthwise_cpu`` computes the gradients."""
    return is_channels_last(x) and x.device.type == "cpu" and torch.is_grad_enabled()


def _as_autocast(x: Tensor) -> Tensor:
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class DepthwiseConv2d(nn.Conv2d):
    """``depthwise_conv2d`` as a layer; the same function, weights and names as ``nn.Conv2d``.

    Args:
        channels: Channels of the input and of the output.
        kernel_size: Odd; of height and width, or one for each.
        dilation: 1 or more.
        padding_mode: Zeros, or reflect, which mirrors the map at its border.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> DepthwiseConv2d(8, (1, 7))(torch.rand(1, 8, 16, 16)).shape
        torch.Size([1, 8, 16, 16])
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | tuple[int, int],
        dilation: int = 1,
        *,
        padding_mode: Literal["zeros", "reflect"] = "zeros",
    ) -> None:
        high, wide = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        padding = (dilation * (high // 2), dilation * (wide // 2))
        super().__init__(
            channels, channels, (high, wide), padding=padding, dilation=dilation, groups=channels,
            padding_mode=padding_mode,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        if not (self.suits_triton(x) or _suits_cpu(x)):
            return super().forward(x)  # which torch.fx can trace
        if self.padding_mode == "zeros":
            return depthwise_conv2d(x, self.weight, self.bias, self.dilation[0])
        high, wide = (int(side) for side in self.padding)
        x = F.pad(x, (wide, wide, high, high), mode=self.padding_mode)
        out = depthwise_conv2d(x, self.weight, self.bias, self.dilation[0])
        return out[:, :, high : out.shape[2] - high, wide : out.shape[3] - wide]

    def gelu_of(self, x: Tensor) -> Tensor:
        """GELU of the convolution.

        Without gradients a GPU computes both in one kernel, and a CPU computes GELU in place: a hook that keeps the
        convolution's output has to copy it.

        Shape:
            (N, channels, H, W) to the same.
        """
        if self.suits_triton(x) and not torch.is_grad_enabled():
            return depthwise_triton.convolve(_as_autocast(x), self.weight, self.bias, self.dilation[0], gelu=True)
        return gelu_(self(x))

    def suits_triton(self, x: Tensor) -> bool:
        """Whether a map goes through Triton's kernels, not torch's."""
        return suits_triton(x, self.weight)
