"""The table of the light study, in Markdown, from what is in results/light: a row for each network.

    python benchmarks/light_table.py [--stage claim] [--results results/light]

Ratios are to U-Net at 32 base channels: latency and step as the gate has them, in WebAssembly as ``light_wasm.py`` has
it. Dice is the mean over seeds, with their standard deviation and number. ``--stage test_claim`` shows the test images.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from light_gate import FORMS, RUNTIMES, UNIT
from light_networks import NAMES, same_network

ROOT = Path(__file__).parents[1]
RATIOS = (*RUNTIMES, *(f"{to}_{precision}" for to, precision in FORMS), "wasm", "step")


def table(stage: Mapping[str, Any], ratios_of: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each network, in the order of the study.

    Args:
        stage: The record of a stage.
        ratios_of: What is timed of each network, by its name.
    """
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in stage["rows"]:
        rows[row["network"].partition(" rate ")[0]][row["data"]] = row
    data = list(dict.fromkeys(row["data"] for row in stage["rows"]))
    names = [key.replace("_", " ") for key in RATIOS]
    head = ["network", "million parameters", "GMACs", *names, "training MB", *data, "mean"]
    lines = [head, ["---"] * len(head)]
    for name in sorted(rows, key=NAMES.index):
        of_data, ratios = rows[name], ratios_of.get(same_network(name), {})
        first = next(iter(of_data.values()))
        means = [mean(of_data[one]["dice_by_seed"]) for one in data if one in of_data]
        lines.append(
            [
                f"`{name}`",
                f"{first['parameters'] / 1e6:.2f}",
                f"{first['macs'] / 1e9:.2f}",
                *(_ratio(ratios, f"{key}_ratio") for key in RATIOS),
                f"{ratios['training_bytes'] / 1e6:.0f}" if "training_bytes" in ratios else "",
                *(_dice(of_data[one]["dice_by_seed"]) if one in of_data else "" for one in data),
                f"{mean(means):.4f}" if len(means) == len(data) else "",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ratio(row: Mapping[str, Any], key: str) -> str:
    return f"{row[key]:.2f}" if key in row else ""


def _dice(by_seed: Sequence[float]) -> str:
    spread = f" ± {stdev(by_seed):.4f}" if len(by_seed) > 1 else ""
    return f"{mean(by_seed):.4f}{spread} ({len(by_seed)})"


def timed(results: Path) -> dict[str, dict[str, Any]]:
    """What is timed of each network; nothing where nothing is."""
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in ("gate", "wasm"):
        with suppress(FileNotFoundError):
            for row in json.loads((results / f"{name}.json").read_text(encoding="utf-8"))["rows"]:
                rows[row["network"]] |= {"wasm_ratio": row["ratio"]} if name == "wasm" else row
    return rows


def claims(stage: Mapping[str, Any]) -> str:
    """A line for each claim."""
    lines = []
    for claim in stage.get("claims", []):
        found, curve = claim["mean"], ", ".join(claim["curve"])
        interval = f"{found['difference']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"
        verdict = "dominates" if claim["dominates"] else "cannot" if found["high"] < 0 else "open"
        lines.append(f"- {claim['network']} against {curve}, over {claim['over']}: {interval}, {verdict}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="claim")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "light")
    asked = parser.parse_args(arguments)
    try:
        stage = json.loads((asked.results / f"{asked.stage}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        sys.exit(f"error: {asked.results / asked.stage}.json is not found: run light_study.py first")
    print(
        f"Dice on {stage['split']} images, {stage['stage']['minutes']:g} minutes; latency and step in those of {UNIT}"
    )
    print(f"\n{table(stage, timed(asked.results))}\n\n{claims(stage)}")


if __name__ == "__main__":
    main()
