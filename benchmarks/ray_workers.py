"""Images a second of workers of Ray against the plain command with as many threads, one after the other in one run.

Of processor time, so that other work on the machine counts as little as it can: what the workers, or the plain command,
need from the first share or batch to the last; loading the network and starting Ray are left out, and stand beside it
as seconds of the clock. Images a second of the clock are what was seen, with the load of the machine.

    python benchmarks/ray_workers.py [--count 256] [--workers 1 2] [--out FILE]

Needs amsunet[train,cluster].
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch

from amsunet.data.builtin_samples import locate
from amsunet.device import choose_device, environment
from amsunet.inference.inputs import find_inputs
from amsunet.inference.predict_files import predict_files
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.process_engine import Engine, predict_here
from amsunet.inference.ray_engine import RayEngine
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.progress import reported_to

RESULT = Path(__file__).parents[1] / "results" / "reliability" / "ray.json"


def processor_seconds(*, of_workers: bool) -> float:
    """Of this process, or of the workers below it that are alive."""
    this = psutil.Process()
    processes = [this]
    if of_workers:
        processes = [one for one in this.children(recursive=True) if "MapWorker" in " ".join(one.cmdline())]
    times = [one.cpu_times() for one in processes]
    return sum(one.user + one.system for one in times)


def measure(predictor: Predictor, images: Path, out: Path, engine: Engine) -> dict[str, float]:
    """Predict once."""
    seen: list[tuple[int, float, float]] = []
    of_workers = engine is not predict_here
    start = time.perf_counter()

    def note(done: int, *_: object, **__: object) -> None:
        seen.append((done, processor_seconds(of_workers=of_workers), time.perf_counter()))

    with reported_to(note):
        outcome = predict_files(predictor, find_inputs([str(images)]), out, engine=engine)
    (first, before, since), (last, after, until) = seen[0], seen[-1]
    return {
        "images": outcome.written,
        "images_per_processor_second": (last - first) / (after - before),
        "images_per_second": (last - first) / (until - since),
        "seconds_with_start": time.perf_counter() - start,
        "load_of_the_machine": os.getloadavg()[0],
    }


def in_process(threads: int) -> Predictor:
    """The network with so many threads."""
    torch.set_num_threads(threads)
    return load("zoo:nuclei", RuntimeOptions(device="cpu", precision="float32"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "images").mkdir()
        sample = sorted((locate("sample:nuclei") / "test" / "images").iterdir())
        for number in range(asked.count):
            image = sample[number % len(sample)]
            shutil.copy(image, folder / "images" / f"{number:06}{image.suffix}")
        for workers in asked.workers:
            one, other = folder / f"plain{workers}", folder / f"ray{workers}"
            plain = measure(in_process(workers), folder / "images", one, predict_here)
            with_ray = measure(in_process(1), folder / "images", other, RayEngine(workers=workers))
            differ = [path.name for path in one.glob("*.png") if path.read_bytes() != (other / path.name).read_bytes()]
            row = {
                "workers_of_a_thread": workers,
                "plain_with_as_many_threads": plain,
                "ray": with_ray,
                "ray_to_plain_of_processor_time": with_ray["images_per_processor_second"]
                / plain["images_per_processor_second"],
                "masks_that_differ": len(differ),
            }
            print(json.dumps(row, indent=1))
            rows.append(row)
    result: dict[str, Any] = {
        "what": f"zoo:nuclei on {asked.count} copies of the test images of sample:nuclei; images a second of processor "
        "time are those of a worker, or a thread; those of the clock are with whatever else was on the machine",
        "command": " ".join(["python", "benchmarks/ray_workers.py", *sys.argv[1:]]),
        "rows": rows,
        "ray_version": version("ray"),
        "environment": environment(choose_device("cpu", "float32")),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
