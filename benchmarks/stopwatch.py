"""One figure of a benchmark in a process of its own: ``python benchmarks/stopwatch.py JOB``, JSON in and out.

Alone in its process a network's peak memory is its own, and exported files run without torch, as they do when shipped.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from amsunet.data.images import Array
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.inference.runtime import open_runtime
from amsunet.memory import keep_freed_memory, peak_memory

if TYPE_CHECKING:
    from amsunet.choices import ExportFormat

_PREPROCESSING = Preprocessing(in_channels=3, normalization="depth", mean=(0.5,) * 3, std=(0.2,) * 3)
_WARM_UP = 3
_FEWEST_CALLS = 5


@dataclass(frozen=True)
class Job:
    """What one process does: time a network, write the file that another process will time, count the work of one
    image, or measure what the machine can do at best.
    """

    task: Literal["time", "write", "work", "peaks"]
    network: str
    runtime: str
    precision: str
    size: int
    batch: int
    device: str = "cpu"
    threads: int = 1
    seconds: float = 1.0
    file: str = ""
    """An exported network, for a runtime that has files."""


def run(job: Job) -> dict[str, float]:
    """Do a job in this process."""
    if job.task != "time":
        return {"write": _write, "work": _work, "peaks": _peaks}[job.task](job)
    call, memory = _of_file(job) if job.file else _of_torch(job)
    times = timed(call, job.seconds)
    low, median, high = statistics.quantiles(times, n=4)
    return {"seconds": median, "low": low, "high": high, "calls": len(times), "memory": memory()}


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of every call, called for so many seconds after some calls to warm up."""
    for _ in range(_WARM_UP):
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _FEWEST_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def _images(job: Job) -> Array:
    """Images (batch, 3, size, size) of uint8, as every runtime takes them."""
    return np.random.default_rng(0).integers(0, 256, (job.batch, 3, job.size, job.size), np.uint8)


def _of_file(job: Job) -> tuple[Callable[[], object], Callable[[], int]]:
    keep_freed_memory()  # as predict does whatever it runs
    runtime, images = open_runtime(Path(job.file), threads=job.threads), _images(job)
    if runtime.lacking:
        raise InputError(f"this processor does not compute in {runtime.lacking}")
    return lambda: runtime(images), peak_memory


def _of_torch(job: Job) -> tuple[Callable[[], object], Callable[[], int]]:
    import torch  # noqa: PLC0415

    from amsunet.device import Device  # noqa: PLC0415
    from amsunet.inference.model_file import for_inference  # noqa: PLC0415
    from amsunet.inference.torch_runtime import TorchRuntime, standardise  # noqa: PLC0415

    network = _network(job)
    pixels = torch.from_numpy(_images(job)).to(job.device)
    if job.runtime == "eager":
        network = network.to(job.device)

        def forward() -> None:
            with torch.inference_mode():
                network(standardise(pixels.float() / 255, _PREPROCESSING))
    else:
        keep_freed_memory()
        machine = Device(job.device, cast(Any, job.precision), torch.get_num_threads())
        placed = machine.place(network if job.runtime == "channels_last" else for_inference(network))
        runtime = TorchRuntime(
            placed,
            _PREPROCESSING,
            machine,
            compiled=job.runtime == "compiled",
            graphs=job.runtime != "channels_last",
            fall_back=False,  # what runs in another way than it is called is not measured
        )

        def forward() -> None:
            runtime.logits(pixels)

    if job.device != "cuda":
        return forward, peak_memory

    def finished() -> None:
        forward()
        torch.cuda.synchronize()

    return finished, torch.cuda.max_memory_reserved


def _network(job: Job) -> Any:
    import torch  # noqa: PLC0415

    from amsunet.inference.model_file import build_network  # noqa: PLC0415

    torch.manual_seed(0)
    return build_network(job.network, {"in_channels": 3, "num_classes": 2}).eval()


def _write(job: Job) -> dict[str, float]:
    from amsunet.deployment.exporters import ExportModule, write_network  # noqa: PLC0415
    from amsunet.inference.model_file import for_inference  # noqa: PLC0415

    whole = ExportModule(for_inference(_network(job)), _PREPROCESSING.mean, _PREPROCESSING.std)
    noise = np.random.default_rng(0).random((4, 1, 3, 256, 256), np.float32) * np.float32(255)
    start = time.perf_counter()
    path, to = Path(job.file), cast("ExportFormat", job.runtime)
    write_network(whole, path, to, job.precision, description="{}", calibration=list(noise))
    return {"seconds": time.perf_counter() - start}


def _work(job: Job) -> dict[str, float]:
    from traffic import count_traffic  # noqa: PLC0415

    from amsunet.inference.model_file import for_inference  # noqa: PLC0415
    from amsunet.models.cost import count_macs  # noqa: PLC0415

    network = for_inference(_network(job))
    return {
        "macs": count_macs(network, job.size, job.size),
        "traffic": count_traffic(network, job.size, job.size),
    }


def _peaks(job: Job) -> dict[str, float]:
    """The most operations a second of matrix products of several sizes, and bytes a second that a copy moves."""
    import torch  # noqa: PLC0415

    cuda = job.device == "cuda"
    if cuda:  # by torch's default convolutions may compute in TF32 and products may not
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    sides, size = ((4096, 8192), 1 << 30) if cuda else ((512, 1024, 2048), 1 << 28)
    squares = [torch.rand(side, side, device=job.device, dtype=getattr(torch, job.precision)) for side in sides]
    source = torch.zeros(size, dtype=torch.uint8, device=job.device)
    target = torch.empty_like(source)

    def fastest(call: Callable[[], object]) -> float:
        def finished() -> None:
            call()
            if cuda:
                torch.cuda.synchronize()

        return min(timed(finished, job.seconds))

    return {
        "operations": max(2 * len(square) ** 3 / fastest(partial(torch.mm, square, square)) for square in squares),
        "bytes": 2 * size / fastest(lambda: target.copy_(source)),
    }


if __name__ == "__main__":
    try:
        print("\n" + json.dumps(run(Job(**json.loads(sys.argv[1])))))
    except InputError as error:
        sys.exit(str(error))
