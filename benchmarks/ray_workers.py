"""Images a second of workers of Ray against the plain command with as many threads, one after the other in one run.

Of processor time, so that other work on the machine counts as little as it can, and of the clock, with the load of the
machine. Each predicts a few images and then many: the difference is what images take, without loading the network and
starting Ray, which stands beside it. (When a share comes back says little: several may wait to be handed on.)

    python benchmarks/ray_workers.py [--count 320] [--workers 1 2] [--out FILE]

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
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch

from amsunet.data.builtin_samples import locate
from amsunet.device import choose_device, environment
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.predict_files import predict_files
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.process_engine import Engine, predict_here
from amsunet.inference.ray_engine import RayEngine
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.progress import reported_to

_FEW = 64
"""Images of the run that is taken off: a share of each of two workers."""
RESULT = Path(__file__).parents[1] / "results" / "reliability" / "ray.json"


def processor_seconds(*, of_workers: bool) -> float:
    """Of this process, or of the workers below it that are alive."""
    this = psutil.Process()
    processes = [this]
    if of_workers:
        processes = [one for one in this.children(recursive=True) if "MapWorker" in " ".join(one.cmdline())]
    times = [one.cpu_times() for one in processes]
    return sum(one.user + one.system for one in times)


def spend(predictor: Predictor, images: Sequence[InputImage], out: Path, engine: Engine) -> tuple[float, float]:
    """Seconds of processors and of the clock that a prediction takes."""
    of_workers = engine is not predict_here
    before, start = 0.0 if of_workers else processor_seconds(of_workers=False), time.perf_counter()
    spent = 0.0

    def note(*_: object, **__: object) -> None:
        nonlocal spent
        spent = processor_seconds(of_workers=of_workers) - before  # at the last note all images are done

    with reported_to(note):
        outcome = predict_files(predictor, images, out, engine=engine)
    assert outcome.written == len(images), outcome.failures
    return spent, time.perf_counter() - start


def measure(predictor: Predictor, images: Path, out: Path, engine: Engine) -> dict[str, float]:
    """Predict few images, and then all."""
    inputs = find_inputs([str(images)])
    few = spend(predictor, inputs[:_FEW], out.with_name(f"{out.name}_few"), engine)
    many = spend(predictor, inputs, out, engine)
    count = len(inputs) - _FEW
    processor, clock = (all_of_them - first for first, all_of_them in zip(few, many, strict=True))
    return {
        "images": count,
        "images_per_processor_second": count / processor,
        "images_per_second": count / clock,
        "seconds_of_the_start": few[1] - _FEW * clock / count,
        "load_of_the_machine": os.getloadavg()[0],
    }


def in_process(threads: int) -> Predictor:
    """The network with so many threads."""
    torch.set_num_threads(threads)
    return load("zoo:nuclei", RuntimeOptions(device="cpu", precision="float32"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=320)
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
