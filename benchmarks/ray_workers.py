"""Images a second of a worker of Ray against the plain command, one after the other in one run.

Of processor time, so that other work on the machine does not count: what a worker, or the plain command with one
thread, needs from its first share or batch to its last; loading the network and starting Ray are left out, and stand
beside it as seconds of the clock.

    OMP_NUM_THREADS=1 python benchmarks/ray_workers.py [--count 256] [--workers 2] [--out FILE]

Needs amsunet[train,cluster].
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

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
    seen: list[tuple[int, float]] = []
    of_workers = engine is not predict_here
    start = time.perf_counter()
    with reported_to(lambda done, *_, **__: seen.append((done, processor_seconds(of_workers=of_workers)))):
        outcome = predict_files(predictor, find_inputs([str(images)]), out, engine=engine)
    (first, before), (last, after) = seen[0], seen[-1]
    return {
        "images": outcome.written,
        "images_per_processor_second": (last - first) / (after - before),
        "seconds_with_start": time.perf_counter() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    device = choose_device("cpu", "float32")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "images").mkdir()
        sample = sorted((locate("sample:nuclei") / "test" / "images").iterdir())
        for number in range(asked.count):
            one = sample[number % len(sample)]
            shutil.copy(one, folder / "images" / f"{number:06}{one.suffix}")
        predictor = load("zoo:nuclei", RuntimeOptions(device="cpu", precision="float32"))
        plain = measure(predictor, folder / "images", folder / "plain", predict_here)
        workers = measure(predictor, folder / "images", folder / "ray", RayEngine(workers=asked.workers))
        masks = [path.relative_to(folder / "plain") for path in sorted((folder / "plain").rglob("*.png"))]
        differ = [one for one in masks if (folder / "plain" / one).read_bytes() != (folder / "ray" / one).read_bytes()]
    result: dict[str, Any] = {
        "what": f"zoo:nuclei on {asked.count} copies of the test images of sample:nuclei, {asked.workers} workers of a "
        "thread each; images a second of processor time, so per worker; other work was on the machine",
        "command": "OMP_NUM_THREADS=1 python " + " ".join(["benchmarks/ray_workers.py", *sys.argv[1:]]),
        "plain": plain,
        "ray": workers,
        "a_worker_to_plain": workers["images_per_processor_second"] / plain["images_per_processor_second"],
        "masks_that_differ": len(differ),
        "ray_version": version("ray"),
        "environment": environment(device),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
