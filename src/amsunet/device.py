"""The machine a command runs on: its device, its precision, and its name."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_args

import psutil
import torch
from torch import nn

from amsunet.choices import TorchPrecision
from amsunet.errors import InputError


@dataclass(frozen=True)
class Device:
    """Where a network runs and in which precision."""

    type: str
    """``cpu``, ``cuda`` or ``mps``."""
    precision: TorchPrecision
    threads: int
    precisions: tuple[TorchPrecision, ...] = field(default=(), compare=False)
    """Those that a training may choose from by measuring; none where the precision was set."""

    def __str__(self) -> str:
        return f"{device_name(self.type)}, {self.precision}, {self.threads} thread{'s' * (self.threads != 1)}"

    def computing_in(self, precision: str) -> Device:
        """The same device in another precision, ``float32`` or ``bfloat16``."""
        return replace(self, precision=precision)  # type: ignore[arg-type]

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, its weights in the order that convolutions are fastest in."""
        return network.to(self.type, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def autocast(self) -> torch.autocast:
        """The context in which the network runs in this precision."""
        return torch.autocast(self.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def choose_device(device: str | Device = "auto", precision: str = "auto") -> Device:
    """Pick the fastest device at hand, and bfloat16 where its hardware computes it.

    On a CPU that is only where a training begins: it measures which precision is the faster one for its network.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; one that was chosen already stays.
        precision: ``auto``, ``float32`` or ``bfloat16``.

    Raises:
        InputError: For a device that this machine does not have.
    """
    if isinstance(device, Device):
        return device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device, False):
        raise InputError(
            f"device {device!r} is not found: choose one of {[d for d, there in available.items() if there]}"
        )
    precisions: tuple[TorchPrecision, ...] = ()
    if precision == "auto":
        precisions = _precisions(device)
        precision = precisions[0]
    if precision not in get_args(TorchPrecision):
        raise InputError(f"precision {precision!r} is unknown: choose auto, float32 or bfloat16")
    return Device(device, precision, torch.get_num_threads(), precisions)  # type: ignore[arg-type]


def _precisions(device: str) -> tuple[TorchPrecision, ...]:
    """What a device computes in, what is fast for most networks first."""
    if not _computes_bfloat16(device):
        return ("float32",)
    # Without a matrix unit bfloat16 makes some networks slower. A GPU gains from it with every network.
    return ("bfloat16", "float32") if device == "cpu" else ("bfloat16",)


def _computes_bfloat16(device: str) -> bool:
    # Emulated bfloat16 is slower than float32, so only instructions made for it count.
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@cache
def device_name(device: str) -> str:
    """The device's name as its maker prints it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    if device == "mps":
        return "Apple GPU"
    return f"CPU {_processor()}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - not a file of the user's
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(device: Device) -> dict[str, Any]:
    """What a result must record about where it came from."""
    packages = {}
    for name in ("amsunet", "torch", "pytorch-lightning", "monai", "kornia", "numpy"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    packages["torch"] = str(torch.__version__)  # with its build, which the metadata of many wheels leave out
    return {
        "device": device.type,
        "precision": device.precision,
        "threads": device.threads,
        "device_name": device_name(device.type),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": packages,
    }
