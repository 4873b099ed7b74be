"""Is a border class worth its cost? Touching nuclei told apart by a class that is trained for it, or by the watershed.

The same network is trained for as many steps with the same settings on two sets of masks of the same nuclei: foreground
alone, as the product has it, and three classes (``border_masks``). Objects of both are connected components, or parted
at their waists too; how deep a waist must be, and the smallest object, is chosen on every sixth training image, which
no network is trained on. Scored are the validation images of the run whose network ships; test images are not looked
at. Objects of true masks, made the same ways, show what each way loses without any network.

Every training has one thread and the lowest priority, and is a file in the end. Those that are there are passed over,
and a stopped command goes on.

    python benchmarks/border_class.py DSB2018/images DSB2018-instances/labels \
        --splits results/dsb2018_gpu_14min_seed0/splits.json [--steps 960] [--seeds 3]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from border_masks import border_classes, objects_of, without_small

from amsunet.atomic_io import atomic_write, write_json
from amsunet.console import shown
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array, write_image
from amsunet.data.instances import Instances, read_instances
from amsunet.data.masks.kinds import objects_convention
from amsunet.data.object_matching import average_precision, match_objects
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.device import Device, environment
from amsunet.errors import InputError
from amsunet.evaluation.object_scores import OBJECT_METRICS, OBJECT_RULE, score_objects
from amsunet.evaluation.statistics import mean_with_interval
from amsunet.inference.objects import Objects
from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.memory import keep_freed_memory
from amsunet.training.separation import SEPARATIONS
from amsunet.training.train import resume, train
from amsunet.training.validation import clearly_best

ROOT = Path(__file__).parents[1]
EPOCHS = 12
SETTINGS = {
    # With all that would be derived from the width of structures, which a border changes.
    "model": "amsunet",
    "base_channels": 16,
    "scale": 1.0,
    "crop": (160, 160),
    "batch_size": 5,
    "foreground_fraction": 0.5,
    "augmentation": "light",
    "normalization": "bright_on_dark",
    "epochs": EPOCHS,
}
ARMS = {
    "binary": MaskOptions(instances=True),
    "border": MaskOptions(classes=(0, 1, 2), class_names=("inside", "border")),
}
WAYS = {"components": SEPARATIONS[:1], "watershed": SEPARATIONS}
SMALLEST = (0, 16, 64)
"""Pixels."""
MACHINE = Device("cpu", "float32", 1)
WHAT = (
    "objects of nuclei, by a network that is trained on foreground and by one that is trained on the inside of nuclei "
    "and the border between them: scores of validation images, 95 % intervals from a bootstrap over images"
)


class Image(NamedTuple):
    """An image and the file that numbers its nuclei."""

    name: str
    path: Path
    mask: Path

    def nuclei(self) -> Instances:
        """Read anew each time: those of all images take a gigabyte."""
        return read_instances(Sample(self.name, self.path, {"": self.mask}), objects_convention(None))


def read_images(images: Path, labels: Path, splits: Path) -> dict[str, list[Image]]:
    """Images whose nuclei are numbered: to train on, to choose on (``val``) and to score (``test``: the validation
    images of the run).
    """
    parts: dict[str, list[Image]] = {"train": [], "val": [], "test": []}
    for name, split in sorted(json.loads(splits.read_text(encoding="utf-8")).items()):
        image, mask = ((folder / f"{name}.png").absolute() for folder in (images, labels))
        if split == "test" or not (image.is_file() and mask.is_file()):
            continue
        ours = "test" if split == "val" else "train" if sum(map(len, (parts["train"], parts["val"]))) % 6 else "val"
        parts[ours].append(Image(name, image, mask))
    if not all(parts.values()):
        raise InputError(f"{splits} names too few images of {images} whose nuclei are numbered in {labels}")
    return parts


def write_data(folder: Path, arm: str, parts: Mapping[str, Sequence[Image]]) -> Path:
    """Write a data set as a manifest, with the masks that are not there already."""
    (folder / arm).mkdir(parents=True, exist_ok=True)
    rows = []
    for split, images in parts.items():
        for image in images:
            mask = image.mask
            if arm == "border":
                mask = folder.absolute() / arm / f"{image.name}.png"
                if not mask.is_file():
                    write_image(mask, border_classes(image.nuclei().numbers))
            rows.append([image.path, mask, split])
    manifest = folder / arm / "manifest.csv"
    with atomic_write(manifest) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image", "mask", "split"], *rows])
    return manifest


def score(mask_of: Callable[[Image], Array], parts: Mapping[str, Sequence[Image]]) -> dict[str, Any]:
    """Choose separation and smallest object on some images, of each way, and score others."""
    tried = [(separation, smallest) for separation in SEPARATIONS for smallest in SMALLEST]
    precision = []
    for image in parts["val"]:
        mask, true = mask_of(image), image.nuclei()
        numbered = {separation: objects_of(mask, separation) for separation in SEPARATIONS}
        found = [without_small(numbered[separation], smallest) for separation, smallest in tried]
        precision.append([float(average_precision(*match_objects(one, true.numbers))[0]) for one in found])
    chosen = {}
    for way, separations in WAYS.items():
        columns = [index for index, (separation, _) in enumerate(tried) if separation in separations]
        chosen[way] = tried[columns[clearly_best(np.array(precision)[:, columns])]]
    rows = []
    for image in parts["test"]:
        mask, row = mask_of(image), {"image": image.name}
        for way, (separation, smallest) in chosen.items():
            numbers = without_small(objects_of(mask, separation), smallest)
            objects = Objects(numbers, np.ones(int(numbers.max()), np.uint8))
            row[way] = asdict(score_objects(objects, image.nuclei(), 2)[0])
        rows.append(row)
    named = {way: dict(zip(("separation", "smallest_object"), values, strict=True)) for way, values in chosen.items()}
    return {"chosen": named, "rows": rows}


@dataclass
class Study:
    """Trainings and their files.

    Attributes:
        parts: The images.
        runs: Where data sets and run folders go.
        out: Where results go.
        settings: Of every training.
        about: What every result says of itself.
    """

    parts: Mapping[str, Sequence[Image]]
    runs: Path
    out: Path
    settings: dict[str, Any]
    about: dict[str, Any]

    def recorded(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A result, measured unless it is there.

        Raises:
            InputError: If it is there of other settings.
        """
        place = self.out / f"{name}.json"
        if not place.is_file():
            started = time.process_time()
            found = measure()
            minutes = {"minutes_of_a_core": (time.process_time() - started) / 60}
            write_json(place, self.about | {"settings": self.settings} | minutes | found)
            print(name, found["chosen"], flush=True)
        record: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if record["settings"] != json.loads(json.dumps(self.settings)):
            raise InputError(f"{place} is of other settings: choose another --out")
        return record

    def train(self, arm: str, seed: int) -> dict[str, Any]:
        """Train, or go on, and score.

        Raises:
            KeyboardInterrupt: If the training is stopped.
        """
        run = self.runs / f"{arm}_{self.settings['steps_per_epoch']}steps_seed{seed}"
        if (run / "config.json").is_file():
            training = resume(run)
        else:
            data = write_data(self.runs, arm, self.parts)
            options = DataOptions(masks=ARMS[arm])
            training = train(data, self.settings | {"seed": seed}, out=run, data_options=options, device=MACHINE)
        if training.interrupted:
            raise KeyboardInterrupt
        predictor = load(run, RuntimeOptions(device="cpu", precision="float32"))
        return {"masks": arm, "seed": seed} | score(lambda image: predictor.predict(image.path).mask, self.parts)

    def measure(self, seeds: int) -> dict[str, list[dict[str, Any]]]:
        """All results, by what the masks are."""
        true = {"binary": lambda one: (one.nuclei().numbers > 0).astype(np.uint8)}
        true["border"] = lambda one: border_classes(one.nuclei().numbers)
        records = {
            f"true {arm}": [self.recorded(f"true_{arm}", lambda arm=arm: score(true[arm], self.parts))] for arm in ARMS
        }
        for seed in range(seeds):
            for arm in ARMS:
                found = self.recorded(f"{arm}_seed{seed}", lambda arm=arm, seed=seed: self.train(arm, seed))
                records.setdefault(arm, []).append(found)
        return records


def summarise(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Scores of each way from masks to objects, mean over seeds, and what it gains on the watershed of binary masks."""

    def values(arm: str, way: str, metric: str) -> Array:  # (seeds, images)
        return np.array([[row[way][metric] for row in one["rows"]] for one in records[arm]])

    summary: dict[str, Any] = {}
    for arm in records:
        for way in WAYS:
            found = summary[f"{arm}, {way}"] = {}
            for metric in OBJECT_METRICS:
                mine, theirs = values(arm, way, metric), values(arm.replace("border", "binary"), "watershed", metric)
                gains = (mine - theirs).mean(axis=0).tolist()
                found[metric] = asdict(mean_with_interval(mine.mean(axis=0).tolist()))
                found[metric]["by_seed"] = np.nanmean(mine, axis=1).tolist()
                found[f"{metric}_less_binary_watershed"] = asdict(mean_with_interval(gains))
    return summary


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path, help="a number for each nucleus")
    parser.add_argument("--splits", type=Path, required=True, help="of the run whose network ships")
    parser.add_argument("--steps", type=int, default=960, help="of every training; 960 are about 8 minutes of a core")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "border_class")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "border_class")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command line does
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    ).stdout.strip()
    try:
        parts = read_images(asked.images, asked.labels, asked.splits)
        about = {
            "command": "python benchmarks/border_class.py DSB2018/images DSB2018-instances/labels --splits "
            f"results/dsb2018_gpu_14min_seed0/splits.json --steps {asked.steps} --seeds {asked.seeds}",
            "split": "of the run whose network ships: trained on are its training images but every sixth (val here), "
            "on which separation and smallest object are chosen; scored are its validation images (test here)",
            "images": {part: len(images) for part, images in parts.items()},
            "commit": commit,
            "environment": environment(MACHINE),
        }
        settings = SETTINGS | {"steps_per_epoch": max(1, round(asked.steps / EPOCHS))} | overrides
        with shown():
            records = Study(parts, asked.runs, asked.out, settings, about).measure(asked.seeds)
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on")
    ways = summarise(records)
    result = {"what": WHAT, "rule": OBJECT_RULE, **about, "settings": settings, "seeds": asked.seeds, "ways": ways}
    write_json(asked.out / "result.json", result)
    for key, found in ways.items():
        print(key, *(f"{metric} {found[metric]['mean']:.4f}" for metric in OBJECT_METRICS), sep=", ", flush=True)


if __name__ == "__main__":
    with suppress(AttributeError):  # not on Windows
        os.nice(19)
    main()
