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
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from amsunet.device import choose_device, environment
from amsunet.evaluation.evaluate import evaluate
from amsunet.training.distributed import Group, current_group, joined
from amsunet.training.fit import fit
from amsunet.training.processes import Place
from amsunet.training.train import train

RESULT = Path(__file__).parents[1] / "results" / "reliability" / "distributed.json"
CASES: dict[str, dict[str, Any]] = {
    "exact": {"model_options": {"norm": "layer"}, "augmentation": "none", "epochs": 2, "steps_per_epoch": 5},
    "default": {"epochs": 8, "steps_per_epoch": 15},
}
_COMMON = {"model": "amsunet", "base_channels": 8, "crop": (64, 64)}
_BATCH = 4
"""Crops of a step, of one process or of two."""
_ASKED = 300
"""Times that two processes ask each other whether to stop."""


def in_processes(count: int, work: Callable[[Group], object], follow: Callable[..., object] = fit) -> None:
    """Do it in the first of so many forks of this process, which has computed nothing; the others follow."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    forks = multiprocessing.get_context("fork")
    started = [forks.Process(target=_take_part, args=(rank, count, port, work, follow)) for rank in range(count)]
    for process in started:
        process.start()
    for process in started:
        process.join()
        if process.exitcode:
            sys.exit(f"error: a process ended with {process.exitcode}")


def _take_part(
    rank: int, count: int, port: int, work: Callable[[Group], object], follow: Callable[..., object]
) -> None:
    with joined(Place(rank, count, rank, count, "127.0.0.1", port) if count > 1 else None) as group:
        if group.is_first:
            work(group)
        else:
            group.follow(follow)


def measure(case: str, seed: int, count: int, data: str, run: Path) -> dict[str, Any]:
    """Train; the best Dice on validation images, and that on test images."""

    def trained(group: Group) -> None:
        settings = {**_COMMON, **CASES[case], "seed": seed, "batch_size": _BATCH // count}
        train(data, settings, out=run, device=choose_device("cpu", "float32"))
        test = evaluate(run, split="test").interval("dice").mean
        (run / "test.json").write_text(json.dumps(test), encoding="utf-8")

    in_processes(count, trained)
    with (run / "metrics.csv").open(newline="") as file:
        validation = max(float(row["val_dice"]) for row in csv.DictReader(file))
    return {"validation_dice": validation, "test_dice": json.loads((run / "test.json").read_text(encoding="utf-8"))}


def weight_difference(one: Path, other: Path) -> float:
    """The largest, of any weight."""
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return max(float((value.double() - second[name].double()).abs().max()) for name, value in first.items())


def seconds_to_agree(out: Path) -> float:
    """What a step costs beside the exchange of gradients: the median of agreeing whether to stop."""

    def asked(group: Group) -> None:
        group.announce({"asked": _ASKED})
        times = []
        for _ in range(_ASKED):
            start = time.perf_counter()
            group.any(False, False, False)
            times.append(time.perf_counter() - start)
        group.trained()
        out.write_text(json.dumps(statistics.median(times)), encoding="utf-8")

    def follow(asked: int) -> None:
        for _ in range(asked):
            current_group().any(False, False, False)

    in_processes(2, asked, follow)
    return float(json.loads(out.read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--data", default="sample:nuclei")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in asked.cases:
            for seed in asked.seeds:
                runs = [Path(folder) / f"{case}-{seed}-{count}" for count in (1, 2)]
                one, two = (measure(case, seed, count, asked.data, run) for count, run in enumerate(runs, start=1))
                rows.append({"case": case, "seed": seed, "one": one, "two": two})
                if case == "exact":
                    rows[-1]["weight_difference"] = weight_difference(*runs)
                print(json.dumps(rows[-1]), flush=True)
        agreeing = seconds_to_agree(Path(folder) / "agree.json")
    result = {
        "what": "two processes (gloo, one machine) against one process with the doubled batch: the largest difference "
        "of a weight, and the Dice of both",
        "command": "python " + " ".join(["benchmarks/distributed.py", *sys.argv[1:]]),
        "data": asked.data,
        "settings": {"common": {**_COMMON, "crops_of_a_step": _BATCH}, **{case: CASES[case] for case in asked.cases}},
        "rows": rows,
        "seconds_to_agree_in_each_step": agreeing,
        "environment": environment(choose_device("cpu", "float32")),
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
