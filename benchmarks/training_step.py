"""Time of a training step: as ``amsunet train`` runs it against the plain form of the same network.

Plain is what the published code does: contiguous float32, nothing compiled, the C library's own way with freed
memory. Both run in turn, each in a process of its own, and the ratio is that of their medians.

    python benchmarks/training_step.py [--batch 8] [--side 256] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).parents[1] / "results" / "training_step.json"


def time_steps(form: str, batch: int, side: int, steps: int) -> list[float]:
    """Seconds of each step after two to warm up."""
    import torch  # noqa: PLC0415

    from amsunet.machine import Machine, choose_machine  # noqa: PLC0415
    from amsunet.memory import keep_freed_memory  # noqa: PLC0415
    from amsunet.models import create_model  # noqa: PLC0415
    from amsunet.training.loss import CrossEntropyDiceLoss  # noqa: PLC0415

    torch.manual_seed(0)
    machine = choose_machine("cpu") if form == "ours" else Machine("cpu", "float32", torch.get_num_threads())
    network = create_model("amsunet").train()
    images, labels = torch.rand(batch, 3, side, side), torch.randint(0, 2, (batch, side, side))
    if form == "ours":
        keep_freed_memory()
        network = machine.place(network)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, fused=form == "ours")
    loss = CrossEntropyDiceLoss()
    times = []
    for _ in range(2 + steps):
        start = time.perf_counter()
        with machine.autocast():
            logits = network(images)
        loss(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
    return times[2:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--form", choices=["ours", "plain"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.form:
        print(json.dumps(time_steps(asked.form, asked.batch, asked.side, asked.steps)))
        return
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(asked.rounds):
        for form, seen in times.items():
            command = [sys.executable, __file__, "--form", form]
            command += [f"--{name}={getattr(asked, name)}" for name in ("batch", "side", "steps")]
            seen.extend(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    from amsunet.machine import choose_machine, environment  # noqa: PLC0415

    medians = {form: statistics.median(seen) for form, seen in times.items()}
    result = {
        "what": f"seconds of one training step of AMSUnet, batch {asked.batch}, {asked.side} x {asked.side}, CPU",
        "command": "python " + " ".join(["benchmarks/training_step.py", *sys.argv[1:]]),
        "median_seconds": medians,
        "plain_over_ours": medians["plain"] / medians["ours"],
        "seconds": times,
        "environment": environment(choose_machine("cpu")),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{medians}\nplain / ours: {result['plain_over_ours']:.2f}\n{RESULT}")


if __name__ == "__main__":
    main()
