"""Images a second on a GPU, in prediction and in training: AMSUnet and U-Net, sides and batch sizes swept.

plain is what published code does: contiguous float32, eager, nothing fused. ours is what amsunet does: channels_last,
bfloat16 autocast, a fused optimizer, and in prediction the fused network. compiled is ours under torch.compile, with
CUDA graphs. A batch that does not fit into memory gets no figure. Ratios are of images a second in the same run.

    python benchmarks/gpu.py [--sides 256 480] [--batches 1 4 16 64] [--seconds 2]

The device is a parameter so that the script itself can be tried without a GPU: its figures would mean nothing there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from amsunet.deployment import fuse
from amsunet.machine import Machine, choose_machine, environment
from amsunet.models import create_model
from amsunet.training.loss import CrossEntropyDiceLoss

RESULT = Path(__file__).parents[1] / "results" / "gpu.json"
NETWORKS = ("amsunet", "unet")
FORMS = ("plain", "ours", "compiled")


def prediction(name: str, form: str, images: torch.Tensor, machine: Machine) -> Callable[[], object]:
    network = create_model(name).eval()
    if form != "plain":
        network = fuse(network)
    network = _placed(network, form, machine)

    def step() -> object:
        with torch.inference_mode(), machine.autocast():
            return network(images)

    return step


def training(name: str, form: str, images: torch.Tensor, machine: Machine) -> Callable[[], object]:
    network = _placed(create_model(name).train(), form, machine)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, fused=form != "plain")
    loss = CrossEntropyDiceLoss()
    labels = torch.randint(0, 2, (len(images), *images.shape[-2:]), device=images.device)

    def step() -> None:
        with machine.autocast():
            logits = network(images)
        loss(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _placed(network: torch.nn.Module, form: str, machine: Machine) -> torch.nn.Module:
    network = network.to(machine.device) if form == "plain" else machine.place(network)
    return torch.compile(network, mode="reduce-overhead") if form == "compiled" else network


def images_per_second(step: Callable[[], object], batch: int, seconds: float, device: str) -> float:
    """Time steps after three to warm up; the clock stops when the device has done them all."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        step()
    wait()
    start, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - start < seconds:
        step()
        wait()
        steps += 1
    return batch * steps / (time.perf_counter() - start)


def measure(
    make: Callable[..., Callable[[], object]], case: dict[str, Any], seconds: float, device: str
) -> float | None:
    """Images a second of one case; None where memory does not suffice."""
    torch._dynamo.reset()
    plain = case["form"] == "plain"
    machine = Machine(device, "float32" if plain else choose_machine(device).precision, torch.get_num_threads())
    images = torch.rand(case["batch"], 3, case["side"], case["side"], device=device)
    if not plain:
        images = images.contiguous(memory_format=torch.channels_last)
    try:
        step = make(case["network"], case["form"], images, machine)
        return images_per_second(step, case["batch"], seconds, device)
    except torch.OutOfMemoryError:
        return None
    finally:
        if device == "cuda":
            torch.cuda.empty_cache()


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add how many times as fast a case is as its plain form, and as U-Net in the same form."""

    def speed(row: dict[str, Any], **other: str) -> float | None:
        wanted = {key: row[key] for key in ("task", "network", "form", "side", "batch")} | other
        return next(one["images_per_second"] for one in rows if wanted.items() <= one.items())

    out = []
    for row in rows:
        ratios = {"to_plain": speed(row, form="plain"), "to_unet": speed(row, network="unet")}
        mine = row["images_per_second"]
        out.append(row | {name: mine / other if mine and other else None for name, other in ratios.items()})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 480])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULT, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device is here: run this on a machine that has one")
    rows = []
    for task, make in (("prediction", prediction), ("training", training)):
        for side in asked.sides:
            for batch in asked.batches:
                for network in NETWORKS:
                    for form in asked.forms:
                        case = {"task": task, "network": network, "form": form, "side": side, "batch": batch}
                        speed = measure(make, case, asked.seconds, asked.device)
                        rows.append(case | {"images_per_second": speed})
                        print(*case.values(), "out of memory" if speed is None else f"{speed:.1f} images/s", flush=True)
    result = {
        "what": "images a second in prediction and training, by network, form, side and batch size",
        "command": "python " + " ".join(["benchmarks/gpu.py", *sys.argv[1:]]),
        "rows": with_ratios(rows),
        "environment": environment(choose_machine(asked.device)),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
