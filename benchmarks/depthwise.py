"""Depthwise convolutions on a GPU: the Triton kernels against torch's, and against the time that the memory needs.

    python benchmarks/depthwise.py [--out results/depthwise_gpu.json]

A batch of 16 maps in bfloat16, forward, gradient of the map, gradients of weight and bias; the memory's time is that of
reading one map and writing another, at the speed of a large copy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from amsunet.device import choose_device, environment

RESULT = Path(__file__).parents[1] / "results" / "depthwise_gpu.json"
MAPS = ((32, 256), (128, 256), (256, 32))
"""Channels and side."""
KERNELS = (((3, 3), 1), ((3, 3), 5), ((1, 11), 1), ((11, 1), 1), ((5, 5), 1), ((7, 7), 1))
_BATCH = 16


def milliseconds(call: Callable[[], object]) -> float:
    """Median over calls, on the GPU's own clock."""
    times = []
    for _ in range(23):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times[3:])


def measure(channels: int, side: int, size: tuple[int, int], dilation: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each part, by who computes it."""
    from amsunet.blocks.depthwise_triton import DepthwiseConvolution  # noqa: PLC0415

    padding = [dilation * (one // 2) for one in size]

    def of_torch(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, weight.bfloat16(), bias.bfloat16(), padding=padding, dilation=dilation, groups=channels)

    def of_triton(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return DepthwiseConvolution.apply(x, weight, bias, dilation)

    found = {}
    for name, function, layout in (
        ("torch contiguous", of_torch, torch.contiguous_format),
        ("torch channels_last", of_torch, torch.channels_last),
        ("triton", of_triton, torch.channels_last),
    ):
        x = torch.randn(_BATCH, channels, side, side, device="cuda", dtype=torch.bfloat16)
        x = x.contiguous(memory_format=layout).requires_grad_()
        weight = torch.randn(channels, 1, *size, device="cuda", requires_grad=True)
        bias = torch.randn(channels, device="cuda", requires_grad=True)
        output = function(x, weight, bias)
        gradient = torch.randn_like(output)

        def backward(*of: torch.Tensor, output: torch.Tensor = output, gradient: torch.Tensor = gradient) -> object:
            return torch.autograd.grad(output, of, gradient, retain_graph=True)

        found[name] = {
            "forward": milliseconds(lambda f=function, x=x, w=weight, b=bias: f(x, w, b)),
            "of_map": milliseconds(lambda b=backward, x=x: b(x)),
            "of_weight_and_bias": milliseconds(lambda b=backward, w=weight, s=bias: b(w, s)),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("error: no GPU is here: the kernels are for GPUs")
    source = torch.zeros(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copied = 2 * source.numel() / milliseconds(lambda: target.copy_(source)) * 1000
    rows = []
    for channels, side in MAPS:
        for size, dilation in KERNELS:
            at_best = 2 * 2 * _BATCH * channels * side**2 / copied * 1000
            parts = measure(channels, side, size, dilation)
            row = {"channels": channels, "side": side, "kernel": size, "dilation": dilation}
            rows.append({**row, "memory_milliseconds": at_best, "milliseconds": parts})
            print(
                row, {name: {part: round(ms, 3) for part, ms in of.items()} for name, of in parts.items()}, flush=True
            )
    result = {
        "what": f"milliseconds of depthwise convolutions of {_BATCH} maps in bfloat16",
        "command": "python " + " ".join(["benchmarks/depthwise.py", *sys.argv[1:]]),
        "copy_bytes_per_second": copied,
        "rows": rows,
        "environment": environment(choose_device("cuda")),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
