"""Put what a run and its evaluation measured under results/, with where it came from.

RUN may be the folder of a study (amsunet compare, amsunet ablate), or of an ensemble; if its folds were evaluated too,
``alone`` says what each network reaches without the others.

python tools/record.py RUN results/NAME --command "amsunet train ..." [--note "..."]
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from amsunet.atomic_io import write_json

WAYS = {"": "plain", "_flips": "with_flips", "_d4": "with_flips_and_turns"}
"""What an evaluation averaged over, by the end of its folder's name."""


def without_folder(path: str | None) -> str | None:
    """A path without its place on the machine that trained, which says nothing to anyone else; other words stay."""
    return path if path is None or path.startswith("sample:") else Path(path).name


def record_study(asked: argparse.Namespace) -> None:
    """Table, per-image scores, splits and plan of a study."""
    for name in ("networks.csv", "images.csv"):
        shutil.copy(asked.run / name, asked.target)
    comparison = json.loads((asked.run / "comparison.json").read_text(encoding="utf-8"))
    splits = json.loads((asked.run / "study.json").read_text(encoding="utf-8"))["splits"]
    comparison["source"] = without_folder(comparison["source"])
    result = {"command": asked.command, "commit": asked.commit, "note": asked.note, **comparison}
    for row in comparison["rows"]:  # as tables print them
        row["variant"]["model"] = without_folder(row["variant"]["model"])
        row["million_parameters"], row["gmacs"] = row["parameters"] / 1e6, row["macs"] / 1e9
        row["milliseconds"] = 1000 * row["latency"]
    for name, content in (("result.json", result), ("splits.json", splits)):
        write_json(asked.target / name, content)
    for row in comparison["rows"]:
        print(f"{row['variant']['name']:<22} {row['scores']['dice']['mean']:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--commit", required=True, help="the commit that trained it")
    parser.add_argument("--split", default="test")
    parser.add_argument("--note", default="")
    asked = parser.parse_args()
    asked.target.mkdir(parents=True, exist_ok=True)
    if (asked.run / "study.json").is_file():
        record_study(asked)
        return
    folds = sorted(asked.run.glob("fold*/"))
    for folder in folds or [asked.run]:
        shutil.copy(folder / "metrics.csv", asked.target / (f"metrics_{folder.name}.csv" if folds else "metrics.csv"))
    if folds:
        shutil.copy(asked.run / "folds.json", asked.target)
    config = json.loads((asked.run / "config.json").read_text(encoding="utf-8"))
    for name in ("pretrained", "model"):
        config["plan"][name] = without_folder(config["plan"].get(name))
    config.pop("sha256", None)  # of the file as it was
    write_json(asked.target / "config.json", config)
    data = json.loads((asked.run / "data.json").read_text(encoding="utf-8"))
    summaries = {}
    for suffix in WAYS:
        evaluated = asked.run / "evaluation" / f"{asked.split}{suffix}"
        if evaluated.is_dir():
            summaries[suffix] = json.loads((evaluated / "summary.json").read_text(encoding="utf-8"))
            shutil.copy(evaluated / "images.csv", asked.target / f"images{suffix}.csv")
    source = without_folder(data["source"])
    result = {"command": asked.command, "commit": asked.commit, "note": asked.note, "source": source}
    for suffix, summary in summaries.items():
        result[WAYS[suffix]] = summary | {"source": source}
    evaluated_alone = {folder.name: folder / "evaluation" / asked.split / "summary.json" for folder in folds}
    alone = {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in evaluated_alone.items() if path.is_file()
    }
    if alone:
        result["alone"] = {name: summary["mean_over_classes"] for name, summary in alone.items()}
    for name, content in (("result.json", result), ("splits.json", data["splits"])):
        write_json(asked.target / name, content)
    for suffix, summary in summaries.items():
        shown = summary["mean_over_classes"]["dice"]
        print(f"{asked.target}{suffix}: Dice {shown['mean']:.4f} [{shown['low']:.4f}, {shown['high']:.4f}]")


if __name__ == "__main__":
    main()
