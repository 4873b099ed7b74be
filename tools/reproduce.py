"""From the raw folder of a public data set to its table: train AMSUnet, evaluate it, put that under results/.

python tools/reproduce.py drive|glas|dsb2018|isic2017 [--minutes 40] [--seeds 1] [--root ../shared/data]

Every seed is a training of its own. One that was stopped goes on; one that is under results/ is not done again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from amsunet.console import shown
from amsunet.device import choose_device
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.inference.runtime_options import TTA, RuntimeOptions
from amsunet.memory import keep_freed_memory
from amsunet.training.train import resume, train

FOLDERS = {"drive": "DRIVE", "glas": "GlaS", "dsb2018": "DSB2018", "isic2017": "ISIC2017-256"}
ROOT = Path(__file__).parents[1]
WAYS: dict[str, TTA] = {
    "plain": "none",
    "with_flips": "flips",
    "with_flips_and_turns": "d4",
}
SHOWN = {"dice": "Dice", "iou": "IoU", "cldice": "clDice"}


def reproduce(
    data: Path, target: Path, run: Path, seed: int, minutes: float, commit: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """Train one seed, or go on with it, and record it; return what ``target`` says.

    Args:
        data: The folder of the data set.
        target: The folder of the result.
        run: The run folder.
        seed: Of the training.
        minutes: Of the training.
        commit: What is at work, for the record.
        settings: Others of the training, by name.

    Raises:
        KeyboardInterrupt: If the training is stopped: it is not recorded then.
    """
    if not (target / "result.json").is_file():
        if (run / "config.json").is_file():
            training = resume(run, data)
        else:
            training = train(data, {"model": "amsunet", "seed": seed, "minutes": minutes, **settings}, out=run)
        if training.interrupted:
            raise KeyboardInterrupt
        for tta in WAYS.values():
            options = RuntimeOptions(device=training.device.type, precision=training.device.precision, tta=tta)
            evaluate(run, split="test", options=options)
        words = "".join(f" --{name.replace('_', '-')} {value}" for name, value in network_of(run).items() if value)
        said = f"amsunet train {data.name} --minutes {minutes:g} --seed {seed}{words}"
        said += "; amsunet evaluate RUN; the same with --tta flips, and with --tta d4"
        record = [sys.executable, ROOT / "tools" / "record.py", run, target, "--command", said, "--commit", commit]
        subprocess.run(record, check=True, stdout=subprocess.DEVNULL)
    else:
        print(f"nothing is trained: {target} is there already; move it away to train anew", file=sys.stderr)
    return json.loads((target / "result.json").read_text(encoding="utf-8"))


def network_of(folder: Path) -> dict[str, Any]:
    """What the plan beside a run or a result says of its network, which earlier versions made narrower now and then."""
    plan = json.loads((folder / "config.json").read_text(encoding="utf-8"))["plan"]
    return {name: plan[name] for name in ("model", "base_channels")}


def table(results: dict[str, dict[str, Any]]) -> str:
    """A line for each training, plain and with flips, and the mean over seeds where there are several."""
    lines = [f"{'':<44}" + "".join(f"{name:>10}" for name in SHOWN.values()) + f"{'pooled Dice':>13}"]
    for way in WAYS:
        for name, result in results.items():
            if way not in result:
                continue
            scores = result[way]["mean_over_classes"]
            values = [scores[metric]["mean"] for metric in SHOWN]
            cells = "".join(f"{'-' if value is None else f'{value:.4f}':>10}" for value in values)
            interval = f"Dice {scores['dice']['low']:.4f} to {scores['dice']['high']:.4f}"
            pooled = result[way]["pooled_over_pixels"]["dice"]
            lines.append(f"{f'{name} {way}':<44}{cells}{pooled:>13.4f}   {interval}")
        dice = [result[way]["mean_over_classes"]["dice"]["mean"] for result in results.values() if way in result]
        if len(dice) > 1:
            lines.append(f"{f'mean of {len(dice)} seeds, {way}':<44}{mean(dice):>10.4f}   sd {stdev(dice):.4f}")
    return "\n".join(lines)


def commit_of() -> str:
    """The commit that is at work, marked where files differ from it; ``unknown`` of a copy without its history."""
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main(**settings: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=FOLDERS)
    parser.add_argument("--minutes", type=float, default=40, help="of each training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the raw folders lie")
    asked = parser.parse_args()
    data = asked.root / FOLDERS[asked.data]
    if not data.is_dir():
        sys.exit(f"{data} is missing: get {FOLDERS[asked.data]} from its owners, and say --root (ROOT= to make)")
    keep_freed_memory()  # as the command line does
    results, device, commit = {}, choose_device().type, commit_of()
    try:
        for seed in range(asked.seeds):
            name = f"{asked.data}_{device}_{asked.minutes:g}min_seed{seed}"
            target = ROOT / "results" / name
            with shown():
                results[name] = reproduce(data, target, ROOT / "runs" / name, seed, asked.minutes, commit, settings)
            # All seeds train the network that was timed and chosen for the first one.
            settings |= network_of(target)
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped, nothing of this seed is recorded: the same command goes on")
    print(table(results))


if __name__ == "__main__":
    main()
