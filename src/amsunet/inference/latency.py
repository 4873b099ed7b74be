"""How long networks take for one image, measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import torch
from torch import nn

from amsunet.device import Device

_SIDE = 256
_ROUNDS = 7
_WARM_UP = 2


def measure_latency(networks: Mapping[str, nn.Module], device: Device, *, in_channels: int = 3) -> dict[str, float]:
    """Median seconds of each network for one image (1, in_channels, 256, 256), channels last.

    The networks take turns, so that what else the machine does hits all of them alike.
    """
    x = torch.rand(1, in_channels, _SIDE, _SIDE, device=device.type).contiguous(memory_format=torch.channels_last)
    placed = {name: device.place(network).eval() for name, network in networks.items()}
    times: dict[str, list[float]] = {name: [] for name in placed}
    with torch.inference_mode(), device.autocast():
        for turn in range(_ROUNDS + _WARM_UP):
            for name, network in placed.items():
                start = time.perf_counter()
                network(x)
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if turn >= _WARM_UP:
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(of_network) for name, of_network in times.items()}
