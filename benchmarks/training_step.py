"""Time of a training step: as ``amsunet train`` runs it against the plain form of the same network, and against U-Net.

Plain is what published code does: contiguous float32, eager, nothing fused, the C library's own way with freed memory.
ours is amsunet's way; compiled is that under torch.compile. Each is measured in turn, on a CPU in a process of its own,
and ratios are those of medians in the same run. What does not fit into memory gets no figure.

    python benchmarks/training_step.py [--networks amsunet unet] [--batches 8] [--sides 256] [--rounds 3]

On a GPU, beside ``benchmarks/networks.py --device cuda`` for prediction:

    python benchmarks/training_step.py --device cuda --forms plain ours compiled --networks amsunet unet \\
        --sides 256 480 --batches 4 16 64 --steps 10 --rounds 2 --out results/training_step_gpu.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from child import measured

RESULT = Path(__file__).parents[1] / "results" / "training_step.json"
FORMS = ("plain", "ours", "compiled")
_WARM_UP = 2


def time_steps(form: str, network_name: str, batch: int, side: int, steps: int, device: str) -> list[float]:
    """Seconds of each step after some to warm up; none if memory does not suffice."""
    import torch  # noqa: PLC0415

    from amsunet.device import Device, choose_device  # noqa: PLC0415
    from amsunet.inference.cuda_graphs import captured  # noqa: PLC0415
    from amsunet.losses import CrossEntropyDiceLoss  # noqa: PLC0415
    from amsunet.memory import keep_freed_memory  # noqa: PLC0415
    from amsunet.models import create_model  # noqa: PLC0415

    torch.manual_seed(0)
    plain = form == "plain"
    machine = Device(device, "float32", torch.get_num_threads()) if plain else choose_device(device)
    network = create_model(network_name).train().to(device)
    images = torch.rand(batch, 3, side, side, device=device)
    labels = torch.randint(0, 2, (batch, side, side), device=device)
    if not plain:
        keep_freed_memory()
        network = machine.place(network)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, fused=not plain)
    if form == "compiled":
        network = torch.compile(network)
    forward = captured(network, images, machine) if form == "ours" else network
    loss = CrossEntropyDiceLoss()
    times = []
    try:
        for _ in range(_WARM_UP + steps):
            start = time.perf_counter()
            with machine.autocast():
                logits = forward(images)
            loss(logits.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    except torch.OutOfMemoryError:
        return []
    return times[_WARM_UP:]


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add how many times as fast a case is as its plain form, and its time against U-Net's in the same form."""

    def median(row: dict[str, Any], **other: str) -> float | None:
        wanted = {key: row[key] for key in ("network", "form", "batch", "side")} | other
        return next((one["median_seconds"] for one in rows if wanted.items() <= one.items()), None)

    for row in rows:
        mine, plain, unet = row["median_seconds"], median(row, form="plain"), median(row, network="unet")
        row["times_as_fast_as_plain"] = plain / mine if mine and plain else None
        row["time_against_unet"] = mine / unet if mine and unet else None
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["amsunet", "unet"])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=["plain", "ours"])
    parser.add_argument("--batches", type=int, nargs="+", default=[8])
    parser.add_argument("--sides", type=int, nargs="+", default=[256])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    cases = list(itertools.product(asked.networks, asked.batches, asked.sides, asked.forms))
    if asked.one:
        [(network, batch, side, form)] = cases
        print("\n" + json.dumps(time_steps(form, network, batch, side, asked.steps, asked.device)))
        return
    import torch  # noqa: PLC0415

    from amsunet.device import choose_device, environment  # noqa: PLC0415
    from amsunet.errors import InputError  # noqa: PLC0415

    try:
        machine = choose_device(asked.device)
    except InputError as error:
        sys.exit(f"error: {error}")
    seconds: dict[tuple[str, int, int, str], list[float]] = {case: [] for case in cases}
    for _, case in itertools.product(range(asked.rounds), cases):
        network, batch, side, form = case
        if asked.device == "cuda":
            torch.compiler.reset()  # after a few sizes it would stop compiling without a word
            torch.cuda.empty_cache()
            seconds[case] += time_steps(form, network, batch, side, asked.steps, asked.device)
            print(*case, *(f"{one:.3f}" for one in seconds[case]), flush=True)
            continue
        words = (f"--networks={network}", f"--batches={batch}", f"--sides={side}", f"--forms={form}")
        seconds[case] += measured(__file__, "--one", f"--steps={asked.steps}", f"--device={asked.device}", *words)
        print(*case, *(f"{one:.3f}" for one in seconds[case]), flush=True)
    rows: list[dict[str, Any]] = [
        {
            **dict(zip(("network", "batch", "side", "form"), case, strict=True)),
            "median_seconds": statistics.median(seen) if seen else None,
            "seconds": seen,
        }
        for case, seen in seconds.items()
    ]
    result = {
        "what": "seconds of one training step: forward, loss, backward and optimizer, without reading and augmentation",
        "command": "python " + " ".join(["benchmarks/training_step.py", *sys.argv[1:]]),
        "rows": with_ratios(rows),
        "environment": environment(machine),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
