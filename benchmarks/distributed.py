"""A training in two processes against one process with the doubled batch, on one machine.

Where nothing depends on the batch that a process sees (layer normalization, no augmentation) both do the same but for
the order in which numbers are added. With the defaults each process normalizes by its own half of the batch, and draws
other augmentation; the difference then is to be seen beside that between seeds.

    python benchmarks/distributed.py [--seeds 0 1 2] [--data sample:nuclei]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[1] / "results" / "reliability" / "distributed.json"
CASES = {
    "exact": ["--model-option", "norm=layer", "--augmentation", "none", "--epochs", "2", "--steps-per-epoch", "5"],
    "default": ["--epochs", "6", "--steps-per-epoch", "10"],
}
_COMMON = ["--base-channels", "8", "--crop", "64", "--device", "cpu", "--precision", "float32"]
_BATCH = 4
"""Crops of a step, of one process or of two."""
_ASKED = 300
"""Times that two processes ask each other whether to stop."""


def train(case: str, seed: int, processes: int, data: str, folder: Path) -> dict[str, Any]:
    """Train through the command; the weights, and the scores on images not trained on."""
    import amsunet  # noqa: PLC0415

    run = folder / f"{case}-{seed}-{processes}"
    words = ["train", data, "--out", str(run), "--seed", str(seed), "--batch-size", str(_BATCH // processes)]
    words += [*_COMMON, *CASES[case], "--devices", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "amsunet", *words], check=True, stdout=subprocess.DEVNULL, env=environment)
    with (run / "metrics.csv").open(newline="") as file:
        validation = [float(row["val_dice"]) for row in csv.DictReader(file)]
    test = amsunet.evaluate(run, split="test").interval("dice").mean
    return {"run": run, "validation_dice": max(validation), "test_dice": test}


def weight_difference(one: Path, other: Path) -> float:
    """The largest, of any weight."""
    from safetensors.torch import load_file  # noqa: PLC0415

    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return max(float((value.double() - second[name].double()).abs().max()) for name, value in first.items())


def ask(rank: int, port: int, out: str) -> None:
    """Agree again and again, as at the end of every step."""
    from amsunet.training.distributed import joined  # noqa: PLC0415
    from amsunet.training.processes import Place  # noqa: PLC0415

    with joined(Place(rank, 2, rank, 2, "127.0.0.1", port)) as group:
        times = []
        for _ in range(_ASKED):
            start = time.perf_counter()
            group.any(False, False, False)
            times.append(time.perf_counter() - start)
        group.trained()
    if rank == 0:
        Path(out).write_text(json.dumps(statistics.median(times)), encoding="utf-8")


def seconds_to_agree(folder: Path) -> float:
    """Of a step, in the median."""
    import torch  # noqa: PLC0415

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(ask, (port, str(folder / "agree.json")), nprocs=2)
    return float(json.loads((folder / "agree.json").read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--data", default="sample:nuclei")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    from amsunet.device import choose_device, environment  # noqa: PLC0415

    rows = []
    with tempfile.TemporaryDirectory() as place:
        for case in asked.cases:
            for seed in asked.seeds:
                one, two = (train(case, seed, processes, asked.data, Path(place)) for processes in (1, 2))
                rows.append(
                    {
                        "case": case,
                        "seed": seed,
                        "largest_difference_of_a_weight": weight_difference(one.pop("run"), two.pop("run")),
                        "one_process": one,
                        "two_processes": two,
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
        agreeing = seconds_to_agree(Path(place))
    result = {
        "what": "two processes (gloo, one machine) against one process with the doubled batch",
        "command": "python " + " ".join(["benchmarks/distributed.py", *sys.argv[1:]]),
        "data": asked.data,
        "options": {"common": [*_COMMON, "--batch-size", f"{_BATCH} in one process, {_BATCH // 2} in each of two"]}
        | {case: CASES[case] for case in asked.cases},
        "rows": rows,
        "seconds_to_agree_on_stopping_each_step": agreeing,
        "environment": environment(choose_device("cpu", "float32")),
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
