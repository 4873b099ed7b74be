"""The gate of the light study (docs/light.md): how long each network takes for an image and for a step of training.

All networks take turns in one process, so that other work affects them alike, each twice in a row, and what counts are
ratios to U-Net at 32 base channels. A design stays if it takes at most as long as U-Net at 16 for both. Run it where
nothing else runs.

    python benchmarks/light_gate.py [--networks ...] [--threads 1] [--rounds 10] [--out results/light/gate.json]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from light_networks import CHANGED, NAMES, REFERENCE, same_network, variant

from amsunet.atomic_io import write_json
from amsunet.choices import ExportFormat, ExportPrecision
from amsunet.deployment.exporters import ExportModule, missing_package, write_network
from amsunet.device import Device, choose_device, environment
from amsunet.errors import InputError
from amsunet.inference.model_file import build_network, for_inference
from amsunet.inference.model_ref import ALL_SUFFIXES
from amsunet.inference.runtime import open_runtime
from amsunet.memory import keep_freed_memory
from amsunet.models.cost import count_macs, count_parameters
from amsunet.training.plan_schema import Plan
from amsunet.training.precision import fastest, steps_by_precision
from amsunet.training.step_cost import measure_cost, measure_steps

ROOT = Path(__file__).parents[1]
UNIT = "unet@32"
SIDE = 256
RUNTIMES = ("onnx", "openvino")
"""In float32: what the gate goes by."""
FORMS: tuple[tuple[ExportFormat, ExportPrecision], ...] = (
    ("openvino", "bfloat16"), ("openvino", "int8"), ("onnx", "int8"),
)  # fmt: skip
"""Told beside it, where the processor has them; of variants of one network they would say nothing new."""


def exported(
    name: str, to: ExportFormat, precision: ExportPrecision, folder: Path, threads: int
) -> Callable[[], object] | None:
    """A call of an exported network for one image of 256 x 256; None where this processor lacks the precision.

    Args:
        name: Of the network.
        to: The format.
        precision: Of what is computed.
        folder: To write it into.
        threads: Of the runtime.
    """
    torch.manual_seed(0)
    chosen = variant(name)
    network = build_network(chosen.model, {"in_channels": 3, "num_classes": 2, **chosen.options}).eval()
    path = folder / f"{name}-{precision}{ALL_SUFFIXES[to]}"
    whole = ExportModule(for_inference(network), (0.5,) * 3, (0.2,) * 3)
    image = np.random.default_rng(0).integers(0, 256, (1, 3, SIDE, SIDE)).astype(np.float32)
    write_network(whole, path, to, precision, description="{}", calibration=[image])
    runtime = open_runtime(path, threads=threads)
    return None if runtime.lacking else lambda: runtime(image)


def measure(names: Sequence[str], threads: int, rounds: int, device: Device) -> list[dict[str, Any]]:
    """A row for each network: its size, what a step of training keeps, its seconds, and their ratios to U-Net at 32.

    Args:
        names: Of the networks; U-Net at 16 and 32 must be among them.
        threads: Of a CPU.
        rounds: How often each is timed; the least counts.
        device: Where a step is timed, in every precision that it may choose from.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        chosen = variant(name)
        network = build_network(chosen.model, {"in_channels": 3, "num_classes": 2, **chosen.options})
        macs = count_macs(network, SIDE, SIDE)
        rows[name] = {"network": name, "parameters": count_parameters(network), "macs": macs}
        rows[name]["training_bytes"] = measure_cost(_plan(name), 2, device).memory
    for to, precision in (*((to, "float32") for to in RUNTIMES), *FORMS):
        if missing_package(to):
            continue
        key = f"{to}_seconds" if precision == "float32" else f"{to}_{precision}_seconds"
        asked = [name for name in names if precision == "float32" or name not in CHANGED]
        with tempfile.TemporaryDirectory() as folder:
            calls = {name: call for name in asked if (call := exported(name, to, precision, Path(folder), threads))}
            for name, seconds in measure_steps(calls, rounds).items():
                rows[name][key] = seconds
    steps = {(name, kind): step for name in names for kind, step in steps_by_precision(_plan(name), 2, device).items()}
    timed = measure_steps(steps, rounds)
    for name in names:
        pace = {kind: timed[name, kind] for of, kind in steps if of == name}
        rows[name] |= {"step_seconds": pace[fastest(pace)], "precision": fastest(pace), "step_seconds_by": pace}
    return with_ratios(list(rows.values()))


def _plan(name: str) -> Plan:
    """Two crops of 256 x 256."""
    chosen = variant(name)
    return Plan(
        model=chosen.model, model_options=chosen.options, in_channels=3, scale=1.0, normalization="depth",
        crop=(SIDE, SIDE), batch_size=2, foreground_fraction=0.0, augmentation="none", quarter_turns=False,
    )  # fmt: skip


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add each time's ratio to U-Net's at 32, and whether the network passes: in float32 and in training."""
    of = {row["network"]: row for row in rows}
    gate = [f"{to}_seconds" for to in RUNTIMES if f"{to}_seconds" in rows[0]] + ["step_seconds"]
    for row in rows:
        for key in [key for key in row if key.endswith("_seconds")]:
            row[key.replace("seconds", "ratio")] = row[key] / of[UNIT][key]
        row["passes"] = all(row[key] <= of[REFERENCE][key] for key in gate)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [name for name in NAMES if same_network(name) == name]
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=every)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "light" / "gate.json")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    keep_freed_memory()  # as the command line does
    device = choose_device("cpu")
    names = list(dict.fromkeys([*asked.networks, REFERENCE, UNIT]))
    try:
        rows = measure(names, asked.threads, asked.rounds, device)
    except InputError as error:
        sys.exit(f"error: {error}")
    given = " ".join(["benchmarks/light_gate.py", *(sys.argv[1:] if arguments is None else arguments)])
    result = {
        "what": "least seconds for an image of 256 x 256 and for a step of two, networks in turn, with ratios to "
        f"{UNIT}; a network passes if it takes at most as long as {REFERENCE} for all",
        "command": f"python {given}",
        "rounds": asked.rounds,
        "rows": rows,
        "environment": environment(device),
    }
    write_json(asked.out, result)
    for row in rows:
        ratios = ", ".join(f"{key.removesuffix('_ratio')} {value:.2f}" for key, value in row.items() if "ratio" in key)
        print(f"{row['network']}: {ratios}{', passes' * row['passes']}")


if __name__ == "__main__":
    main()
