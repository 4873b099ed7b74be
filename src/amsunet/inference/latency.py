"""How long networks take for one image, measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import torch
from torch import nn

from amsunet.machine import Machine


def measure_latency(
    networks: Mapping[str, nn.Module],
    machine: Machine,
    *,
    in_channels: int = 3,
    side: int = 256,
    rounds: int = 7,
    layout: torch.memory_format = torch.channels_last,
) -> dict[str, float]:
    """Median seconds of each network for one image (1, in_channels, side, side), weights and input in one layout.

    The networks take turns, so that what else the machine does hits all of them alike.
    """
    x = torch.rand(1, in_channels, side, side, device=machine.device).contiguous(memory_format=layout)
    placed = {
        name: network.to(machine.device, memory_format=layout).eval()  # type: ignore[call-overload]
        for name, network in networks.items()
    }
    times: dict[str, list[float]] = {name: [] for name in placed}
    with torch.inference_mode(), machine.autocast():
        for turn in range(rounds + 2):
            for name, network in placed.items():
                start = time.perf_counter()
                network(x)
                if machine.device == "cuda":
                    torch.cuda.synchronize()
                if turn >= 2:  # the first ones warm up
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(of_network) for name, of_network in times.items()}
