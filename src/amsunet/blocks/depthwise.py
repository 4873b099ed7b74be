"""Depthwise convolution that is fast on a GPU, and trains right and fast on a CPU."""

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
"""Numbers of one image that Triton's 32-bit places can tell apart."""


# torch.compile looks through a cache of functools, and would trace what is tried.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def triton_works(device: torch.device) -> bool:
    """Whether kernels can be made for a device: Triton needs a C compiler, Python's headers and a GPU of 2017 or later.

    Tried once, before the first map; what is missing is said in a warning.
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
    """Depthwise convolution with zero padding that keeps the size of the map; the same function, weights and names as
    ``nn.Conv2d``. A channels_last map goes through a Triton kernel on a GPU, and on a CPU has its gradients taken
    another way than torch's.

    Args:
        channels: channels of the input and of the output.
        kernel_size: odd; of height and width, or one for each.
        dilation: 1 or more.

    Shape: (N, channels, H, W) to the same.
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
        """GELU of the convolution, on a GPU without a map between the two unless gradients will be taken.

        On a CPU it may take the convolution's place in memory: what a hook wants of that, it has to copy.
        """
        if self.suits_triton(x) and not torch.is_grad_enabled():
            return depthwise_triton.convolve(*self._given(x), gelu=True)
        return gelu_(self(x))

    def suits_triton(self, x: Tensor) -> bool:
        """Whether Triton's kernels, and not torch's, take a map."""
        if depthwise_triton is None or not is_channels_last(x):
            return False
        if not x.is_cuda or x.device.index != torch.cuda.current_device():  # where Triton launches
            return False
        fits = x.numel() > 0 and math.prod(x.shape[1:]) < _LARGEST and math.prod(self.kernel_size) <= _MOST_TAPS
        # torch has the words for a wrong number of channels.
        return fits and x.dtype in _BY_TRITON and x.shape[1] == self.in_channels and triton_works(x.device)

    def _given(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None, int]:
        if torch.is_autocast_enabled("cuda"):
            x = x.to(torch.get_autocast_dtype("cuda"))
        return x, self.weight, self.bias, self.dilation[0]

    def _on_gpu(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return depthwise_triton.convolve(*self._given(x))  # autograd's part takes longer than a small map
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
