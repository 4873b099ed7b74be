"""Fine-tuning from trained weights against training from scratch, by the number of training images.

Both see the same images, with the same settings, for as many steps; the seed chooses images and training. Validation
images, the same for all, choose weights and threshold; the data set's test images give the Dice. A stopped command
goes on.

    python benchmarks/transfer.py DATA [--start nuclei] [--images 5 10 20 50] [--steps 240] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from amsunet.atomic_io import atomic_write, write_json
from amsunet.choices import NO_PRETRAINED
from amsunet.data.discovery.layout import Split
from amsunet.data.options import DataOptions
from amsunet.device import choose_device, environment
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.memory import keep_freed_memory
from amsunet.training.prepare import prepare
from amsunet.training.train import resume, train

ROOT = Path(__file__).parents[1]
EPOCHS = 6
COLOURS = {"scratch": "#d97706", "transfer": "#0e7490"}


def reduced(splits: Mapping[str, Split], count: int, seed: int) -> dict[str, Split]:
    """The splits with ``count`` training images; of one seed the smaller choice lies within the larger one.

    Raises:
        InputError: If there are fewer.
    """
    names = sorted(name for name, split in splits.items() if split == "train")
    if count > len(names):
        raise InputError(f"the data have {len(names)} training images, not {count}: name fewer with --images")
    left_out = random.Random(seed).sample(names, len(names))[count:]
    return {**splits, **dict.fromkeys(left_out, "unused")}


def score_of(data: str, run: Path, settings: dict[str, Any], splits: Mapping[str, Split]) -> dict[str, float]:
    """Train, or go on, and evaluate on the test images, unless that is done: Dice and its interval.

    Raises:
        KeyboardInterrupt: If the training is stopped.
    """
    summary = run / "evaluation" / "test" / "summary.json"
    if not summary.is_file():
        if (run / "config.json").is_file():
            training = resume(run, data)
        else:
            training = train(data, settings, out=run, data_options=DataOptions(splits=splits))
        if training.interrupted:
            raise KeyboardInterrupt
        evaluate(run, split="test", options=RuntimeOptions.on(training.device))
    dice = json.loads(summary.read_text(encoding="utf-8"))["mean_over_classes"]["dice"]
    return {"dice": dice["mean"], "low": dice["low"], "high": dice["high"]}


def plot(rows: list[dict[str, Any]], title: str, path: Path) -> None:
    """Mean over seeds, and every seed as a dot."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for way, colour in COLOURS.items():
        dice: dict[int, list[float]] = {}
        for row in rows:
            if row["way"] == way:
                dice.setdefault(row["images"], []).append(row["dice"])
        means = [sum(values) / len(values) for values in dice.values()]
        axes.plot(list(dice), means, color=colour, marker="o", label=way)
        for images, values in dice.items():
            axes.scatter([images] * len(values), values, 14, color=colour, alpha=0.5)
    counts = sorted({row["images"] for row in rows})
    axes.set(xscale="log", xlabel="training images", ylabel="test Dice", title=title)
    axes.set_xticks(counts, map(str, counts))
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def main(**overrides: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--start", default="nuclei", help="of the zoo, or a run folder")
    parser.add_argument("--images", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    keep_freed_memory()  # as the command line does
    machine, name = choose_device(), Path(asked.data.removeprefix("sample:")).name
    settings = {"epochs": EPOCHS, "steps_per_epoch": max(1, asked.steps // EPOCHS), **overrides}
    target = ROOT / "results" / f"transfer_{name.lower()}"
    rows: list[dict[str, Any]] = []
    try:
        splits = prepare(asked.data, settings, device=machine.type).splits
        chosen = {
            (images, seed): reduced(splits, images, seed) for images in asked.images for seed in range(asked.seeds)
        }
        for (images, seed), cut in chosen.items():
            for way, start in (("scratch", NO_PRETRAINED), ("transfer", asked.start)):
                run = ROOT / "runs" / target.name / f"{asked.steps}steps_{way}_{images}images_seed{seed}"
                score = score_of(asked.data, run, {"seed": seed, "pretrained": start, **settings}, cut)
                rows.append({"images": images, "way": way, "seed": seed, **score})
                print(f"{images:>4} images, seed {seed}, {way:<8} Dice {score['dice']:.4f}", flush=True)
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on")
    result = {
        "what": "test Dice, mean over images with its 95 % interval, after equally many steps",
        "command": f"python benchmarks/transfer.py {name} --start {Path(asked.start).name} --steps {asked.steps} "
        f"--seeds {asked.seeds} --images {' '.join(map(str, asked.images))}",
        "source": name,
        "start": Path(asked.start).name,
        "steps": settings["epochs"] * settings["steps_per_epoch"],
        "seeds": asked.seeds,
        "validation_images": sum(split == "val" for split in splits.values()),
        "test_images": sum(split == "test" for split in splits.values()),
        "rows": rows,
        "environment": environment(machine),
    }
    write_json(target / "result.json", result)
    plot(rows, f"{name}, {result['steps']} steps, {asked.seeds} seed{'s' * (asked.seeds > 1)}", target / "curve.png")
    print(target)


if __name__ == "__main__":
    main()
