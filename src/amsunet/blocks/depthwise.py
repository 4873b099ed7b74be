"""Depthwise convolution: fast on a GPU, with exact and fast gradients on a CPU."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from amsunet.blocks import depthwise_cpu
from amsunet.blocks.layers import gelu_, is_channels_last

try:
    from amsunet.blocks import depthwise_triton
except ImportError:  # builds of torch for the CPU come without Triton
    depthwise_triton = None  # type: ignore[assignment]

_BY_TRITON = (torch.float32, torch.float16, torch.bfloat16)
_WORKS: dict[torch.device, bool] = {}
_MOST_TAPS = 32
_LARGEST = 2**31
"""Numbers of one image that Triton's 32-bit indices reach."""


# torch.compile traces through a cache of functools, and would trace the trial.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
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


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution, zero-padded to keep the size; the same function, weights and names as ``nn.Conv2d``.

    A channels_last map goes through a Triton kernel on a GPU; on a CPU its gradients are computed by
    ``depthwise_cpu``.

    Args:
        channels: Channels of the input and of the output.
        kernel_size: Odd; of height and width, or one for each.
        dilation: 1 or more.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> DepthwiseConv2d(8, (1, 7))(torch.rand(1, 8, 16, 16)).shape
        torch.Size([1, 8, 16, 16])
    """

    def __init__(self, channels: int, kernel_size: int | tuple[int, int], dilation: int = 1) -> None:
        high, wide = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        padding = (dilation * (high // 2), dilation * (wide // 2))
        super().__init__(channels, channels, (high, wide), padding=padding, dilation=dilation, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.suits_triton(x):
            return self._on_gpu(x)
        if is_channels_last(x) and x.device.type == "cpu" and torch.is_grad_enabled():
            return self._on_cpu(x)
        return super().forward(x)

    def gelu_of(self, x: Tensor) -> Tensor:
        """GELU of the convolution.

        Without gradients a GPU computes both in one kernel, and a CPU computes GELU in place: a hook that keeps the
        convolution's output has to copy it.

        Shape:
            (N, channels, H, W) to the same.
        """
        if self.suits_triton(x) and not torch.is_grad_enabled():
            return depthwise_triton.convolve(*self._given(x), gelu=True)
        return gelu_(self(x))

    def suits_triton(self, x: Tensor) -> bool:
        """Whether a map goes through Triton's kernels, not torch's."""
        if depthwise_triton is None or not is_channels_last(x):
            return False
        if not x.is_cuda or x.device.index != torch.cuda.current_device():  # where Triton launches
            return False
        fits = x.numel() > 0 and math.prod(x.shape[1:]) < _LARGEST and math.prod(self.kernel_size) <= _MOST_TAPS
        # A wrong number of channels is left to torch, which has an error for it.
        return fits and x.dtype in _BY_TRITON and x.shape[1] == self.in_channels and triton_works(x.device)

    def _given(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None, int]:
        if torch.is_autocast_enabled("cuda"):
            x = x.to(torch.get_autocast_dtype("cuda"))
        return x, self.weight, self.bias, self.dilation[0]

    def _on_gpu(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return depthwise_triton.convolve(*self._given(x))  # autograd's overhead is longer than a small map takes
        convolve = depthwise_triton.DepthwiseConvolution.apply
        out: Tensor = convolve(*self._given(x))  # type: ignore[no-untyped-call]
        return out

    def _on_cpu(self, x: Tensor) -> Tensor:
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled("cpu") and x.dtype != torch.float64:
            dtype = torch.get_autocast_dtype("cpu")
            x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        convolve = depthwise_cpu.DepthwiseConvolution.apply
        out: Tensor = convolve(x, weight, bias, self.dilation[0])  # type: ignore[no-untyped-call]
        return out
