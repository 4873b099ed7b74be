"""What a newcomer reaches in few minutes on one thread: train with nothing set but the minutes, and validate.

Every training is a process of its own on one thread. Its clock is the processor time it has used, so that other work
on the machine changes neither the plan nor the end of it; from the prompt to the prompt, reading and evaluating
included, is what the whole process has used. Several checkouts are compared by training the same with each, one after
the other.
A stopped command goes on; a training that is recorded is not done again.

    python benchmarks/short_trainings.py before=OLD_CHECKOUT after=. --out results/short_trainings
        [--root ../shared/data] [--data drive glas dsb2018 isic2017] [--minutes 2 5 15] [--seeds 3] [--jobs 1]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

from amsunet.atomic_io import write_json

FOLDERS = {"drive": "DRIVE", "glas": "GlaS", "dsb2018": "DSB2018", "isic2017": "ISIC2017-256"}
ROOT = Path(__file__).parents[1]
# Imported first, so that what waits for other threads keeps the clock on the wall.
CHILD = """
import concurrent.futures, queue, subprocess, sys, threading, time
time.monotonic = time.perf_counter = time.process_time
from amsunet.cli import main
try:
    main()
except SystemExit as end:
    print(f"processor seconds {time.process_time():.1f}")
    raise
"""
KEPT = (
    "model",
    "scale",
    "base_channels",
    "crop",
    "batch_size",
    "steps_per_epoch",
    "augmentation",
    "windowing",  # as checkouts before the normalization have it
    "normalization",
)


def run_once(data: Path, run: Path, minutes: float, seed: int, source: Path) -> dict[str, Any]:
    """Train one network as a newcomer would, and read what it reached on its validation images.

    Args:
        data: The folder of the data set.
        run: The run folder; one that is there is removed.
        minutes: What is set.
        seed: Of the training.
        source: The checkout whose package is run.

    Raises:
        RuntimeError: With the command's last lines if it fails.
    """
    shutil.rmtree(run, ignore_errors=True)
    words = ["train", str(data), "--minutes", f"{minutes:g}", "--seed", str(seed), "--out", str(run)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source / "src")}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words],
        env=environment,
        cwd=run.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("processor seconds")]
    if done.returncode != 0 or not said:
        raise RuntimeError("\n".join([*done.stdout.splitlines()[-5:], *done.stderr.splitlines()[-15:]]))
    summary = json.loads((run / "evaluation" / "val" / "summary.json").read_text(encoding="utf-8"))
    plan = json.loads((run / "config.json").read_text(encoding="utf-8"))["plan"]
    epochs = len((run / "metrics.csv").read_text(encoding="utf-8").splitlines()) - 1
    dice = summary["mean_over_classes"]["dice"]
    return {
        "dice": dice["mean"],
        "low": dice["low"],
        "high": dice["high"],
        "validation_images": summary["images"],
        "minutes_from_prompt_to_prompt": round(float(said[0].split()[-1]) / 60, 2),
        "steps": epochs * plan["steps_per_epoch"],
        "plan": {name: plan[name] for name in KEPT if name in plan},
        "environment": summary["environment"],
    }


def commit_of(checkout: Path) -> str:
    """The commit that is measured, marked where files differ from it."""
    words = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def summarise(folder: Path) -> str:
    """A line for each data set and number of minutes: mean Dice and minutes of every checkout, over the seeds."""
    found: dict[tuple[float, str], dict[str, list[dict[str, Any]]]] = {}
    for path in sorted(folder.glob("*/*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault((row["minutes"], row["data"]), {}).setdefault(path.parent.name, []).append(row)
    lines = []
    for (minutes, data), of_label in sorted(found.items()):
        told = [
            f"{label}: Dice {mean(row['dice'] for row in rows):.4f} ({len(rows)} seeds), "
            f"{mean(row['minutes_from_prompt_to_prompt'] for row in rows):.2f} minutes"
            for label, rows in sorted(of_label.items(), reverse=True)
        ]
        lines.append(f"{data}, {minutes:g} minutes: {'; '.join(told)}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="+", metavar="LABEL=CHECKOUT", help="what is measured, and its name")
    parser.add_argument("--out", type=Path, required=True, help="folder of results")
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the raw folders lie")
    parser.add_argument("--data", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--minutes", nargs="+", type=float, default=[2, 5, 15])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, a thread each")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "short_trainings")
    asked = parser.parse_args(arguments)
    checkouts = {label: Path(place).absolute() for label, _, place in (one.partition("=") for one in asked.checkouts)}
    commits = {label: commit_of(checkout) for label, checkout in checkouts.items()}

    def one(what: tuple[float, int, str]) -> None:
        minutes, seed, name = what
        for label, checkout in checkouts.items():
            place = asked.out / label / f"{name}_{minutes:g}min_seed{seed}.json"
            if place.is_file():
                continue
            folder = asked.runs.absolute() / label
            folder.mkdir(parents=True, exist_ok=True)
            data = (asked.root / FOLDERS[name]).absolute()
            try:
                found = run_once(data, folder / place.stem, minutes, seed, checkout)
            except RuntimeError as error:
                print(f"{label} {place.stem} failed:\n{error}", file=sys.stderr, flush=True)
                continue
            command = f"amsunet train {FOLDERS[name]} --minutes {minutes:g} --seed {seed}"
            record = {"command": command, "data": name, "split": "validation", "seed": seed, "minutes": minutes}
            write_json(place, record | {"commit": commits[label], "clock": "processor time of one thread"} | found)
            took = found["minutes_from_prompt_to_prompt"]
            print(f"{label} {place.stem}: Dice {found['dice']:.4f}, {took} minutes", flush=True)

    with ThreadPoolExecutor(asked.jobs) as pool:
        list(pool.map(one, itertools.product(asked.minutes, range(asked.seeds), asked.data)))
    print(summarise(asked.out))


if __name__ == "__main__":
    main()
