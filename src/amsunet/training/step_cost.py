"""What a network costs on this machine: a step of training as planned, and the latency of networks side by side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from amsunet.device import Device
from amsunet.inference.cuda_graphs import captured, free_graphs
from amsunet.inference.model_file import build_network, for_inference
from amsunet.losses import distilled, make_loss
from amsunet.progress import Stopwatch
from amsunet.training.plan import make_augmentation
from amsunet.training.plan_schema import Plan

Key = TypeVar("Key")

_SIDE = 256
"""Pixels of the image by which latency is measured."""
_ROUNDS = 7


@dataclass(frozen=True)
class StepCost:
    """Cost of training as planned."""

    seconds_per_step: float
    memory: int
    """Bytes of activations, gradients and optimizer state at the planned batch size."""
    seconds_per_image: float
    """Of prediction, at the size of a crop."""
    seconds_per_validated: float = 0.0
    """The same of the network in training, as validation runs it."""


class TrainingStep:
    """A step of training as planned, on random crops, augmentation included: each call makes one.

    Args:
        plan: How to train.
        num_classes: Of the data.
        device: Where to train, and in which precision.
    """

    def __init__(self, plan: Plan, num_classes: int, device: Device) -> None:
        self.network = device.place(build_network(plan.model, plan.model_arguments(num_classes)))
        self.images = torch.rand((plan.batch_size, plan.in_channels, *plan.crop)).to(
            device.type, memory_format=torch.channels_last
        )
        self._labels = torch.zeros((plan.batch_size, *plan.crop), dtype=torch.long, device=device.type)
        self._labels[:, : plan.crop[0] // 2] = 1  # where there is foreground some losses have more to do
        if plan.teacher is not None:
            self._labels = self._labels[:, None].repeat(1, num_classes, 1, 1)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)
        self._loss, self._augmentation = make_loss(plan.loss), make_augmentation(plan)
        self._seed, self._device = plan.seed, device
        self._forward: Callable[[Tensor], Tensor] = self.network

    def __call__(self) -> None:
        given, wanted = self._augmentation(self.images, self._labels, (self._seed, 0, 0))
        with self._device.autocast():
            logits = self._forward(given.contiguous(memory_format=torch.channels_last))
        loss = distilled(self._loss, logits.float(), wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Meanwhile run as training does on a GPU, by a captured pass, whose memory is freed afterwards."""
        self._forward = captured(self.network, self.images, self._device)
        try:
            yield
        finally:
            self._forward = self.network
            free_graphs()


def measure_cost(plan: Plan, num_classes: int, device: Device, hopeless: float = math.inf) -> StepCost:
    """Train and predict on random crops: two steps, augmentation included, after one to warm up.

    Args:
        plan: how to train.
        num_classes: of the data.
        device: where to train.
        hopeless: seconds of a step from which on nobody would train: one step is measured then, and the time of a
            prediction is estimated from it.
    """
    step = TrainingStep(plan, num_classes, device)
    network, images = step.network, step.images
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()  # slower than all others
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    # Weights, gradients and two moments; on top of the activations kept, a backward pass needs about a third more.
    memory = int(4 * weights + 1.33 * sum(kept.values()))
    if hopeless < math.inf and (seconds_per_step := _timed(step)) > hopeless:
        forward = seconds_per_step / 3 / plan.batch_size  # a backward pass takes twice as long
        return StepCost(seconds_per_step, memory, forward, forward)
    with step.captured():
        seconds_per_step = min(_timed(step) for _ in range(2))
    with torch.inference_mode(), device.autocast():
        network.eval()
        validating = min(_timed(lambda: network(images[:1])) for _ in range(2))
        fused = for_inference(network).eval()
        predicting = min(_timed(lambda: fused(images[:1])) for _ in range(2))
    return StepCost(seconds_per_step, memory, predicting, validating)


def measure_steps(steps: Mapping[Key, Callable[[], object]], rounds: int) -> dict[Key, float]:
    """Seconds of each of several steps, the least of some rounds.

    They take turns, so that other work of the machine affects all of them alike, and each comes twice in a row, as a
    training makes one after another: oneDNN keeps 1,024 convolutions ready, and a dozen networks have more. The first
    of two steps then makes its own anew, which took a step of U-Net at 8 base channels 90 ms in place of 68, and one of
    U-Net at 32 406 in place of 384 (one core of an AMD EPYC): light networks would look heavier than they are.

    Args:
        steps: What is called, by anything that tells them apart.
        rounds: How often each has its turn.
    """
    least = dict.fromkeys(steps, math.inf)
    for _ in range(rounds):
        for key, step in steps.items():
            least[key] = min(least[key], _timed(step), _timed(step))
    return least


def _timed(call: Callable[[], object]) -> float:
    with Stopwatch() as watch:
        call()
    return watch.seconds


def measure_latency(networks: Mapping[str, nn.Module], device: Device, *, in_channels: int = 3) -> dict[str, float]:
    """Median seconds of each network for one image (1, in_channels, 256, 256), channels_last.

    The networks take turns, so that other work of the machine affects all of them alike, and the second of two calls
    counts, for the reason that ``measure_steps`` has.

    Args:
        networks: by name; set to evaluation.
        device: where they run.
        in_channels: of the image.
    """
    x = torch.rand(1, in_channels, _SIDE, _SIDE, device=device.type).contiguous(memory_format=torch.channels_last)
    placed = {name: device.place(network).eval() for name, network in networks.items()}
    times: dict[str, list[float]] = {name: [] for name in placed}
    with torch.inference_mode(), device.autocast():
        for _ in range(_ROUNDS):
            for name, network in placed.items():
                network(x)
                if device.type == "cuda":
                    torch.cuda.synchronize()
                with Stopwatch() as watch:
                    network(x)
                    if device.type == "cuda":
                        torch.cuda.synchronize()
                times[name].append(watch.seconds)
    return {name: statistics.median(of_network) for name, of_network in times.items()}
