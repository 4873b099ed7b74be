"""How many nuclei are found, and how well they are told apart: connected components against the watershed that parts
objects at their waists, of the masks of the network that ships and of perfect masks.

The depth of a waist is chosen on validation images, as at the end of a training; the figures are of test images. The
labels number each nucleus, and the network never saw them: it was trained on masks in which touching nuclei are one.

    python benchmarks/objects.py DSB2018/images DSB2018-instances/labels \
        --splits results/dsb2018_gpu_14min_seed0/splits.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.atomic_io import write_json
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.instances import Instances, read_instances
from amsunet.data.masks.kinds import objects_convention
from amsunet.device import choose_device, environment
from amsunet.errors import InputError
from amsunet.evaluation.object_scores import OBJECT_METRICS, OBJECT_RULE, ObjectScores, score_objects
from amsunet.evaluation.statistics import mean_with_interval
from amsunet.inference.objects import find_objects
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.separation import SEPARATIONS, score_separations
from amsunet.training.validation import clearly_best

RESULT = Path(__file__).parents[1] / "results" / "objects_dsb2018.json"
WHAT = (
    "objects of masks, against true ones, on test images: connected components, and parted by the watershed at a depth "
    "chosen on validation images; of the network's masks, and of masks made of the true objects. 95 % intervals from a "
    "bootstrap over images; seconds are of the whole of the test images, without the network"
)


@dataclass
class Method:
    """A way from masks to objects, with what it gave."""

    separation: float
    scores: list[ObjectScores]
    seconds: float = 0.0

    def add(self, mask: Array, true: Instances) -> None:
        started = time.process_time()
        found = find_objects(mask, self.separation)
        self.seconds += time.process_time() - started
        self.scores += score_objects(found, true, 2)

    def summary(self, before: Method | None) -> dict[str, Any]:
        found: dict[str, Any] = {
            "separation": self.separation,
            "true_objects": sum(one.true_objects for one in self.scores),
            "found_objects": sum(one.found_objects for one in self.scores),
            "seconds": self.seconds,
        }
        for metric in OBJECT_METRICS:
            found[metric] = asdict(mean_with_interval(self.values(metric)))
            if before is not None:
                gains = np.subtract(self.values(metric), before.values(metric)).tolist()
                found[f"{metric}_less_components"] = asdict(mean_with_interval(gains))
        return found

    def values(self, metric: str) -> list[float]:
        return [getattr(one, metric) for one in self.scores]


def read_truth(images: Path, labels: Path, names: list[str]) -> Iterator[tuple[str, Path, Instances]]:
    """Images whose nuclei are numbered."""
    for name in names:
        image, mask = (folder / f"{name}.png" for folder in (images, labels))
        if mask.is_file():
            yield name, image, read_instances(Sample(name, image, {"": mask}), objects_convention(None))


def choose(predictor: Predictor, found: Iterator[tuple[str, Path, Instances]]) -> dict[str, Any]:
    """The separation that is best on validation images."""
    precision = np.array([score_separations(predictor.predict(image).mask, true) for _, image, true in found])
    at = dict(zip(map(str, SEPARATIONS), precision.mean(axis=0).tolist(), strict=True))
    return {"images": len(precision), "ap50_at": at, "separation": SEPARATIONS[clearly_best(precision)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path, help="a number for each nucleus")
    parser.add_argument("--splits", type=Path, required=True, help="of the run whose network ships")
    parser.add_argument("--network", default="nuclei", help="of the zoo")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    try:
        predictor = load(f"zoo:{asked.network}", RuntimeOptions(device="cpu", precision="float32"))
        split = json.loads(asked.splits.read_text(encoding="utf-8"))
        parts = {part: sorted(name for name, of in split.items() if of == part) for part in ("val", "test")}
        chosen = choose(predictor, read_truth(asked.images, asked.labels, parts["val"]))
        print(chosen, flush=True)
        methods = {
            f"{masks}, {way}": Method(depth, [])
            for masks in ("network", "perfect masks")
            for way, depth in (("components", 0.0), ("watershed", chosen["separation"]))
        }
        rows = []
        for name, image, true in read_truth(asked.images, asked.labels, parts["test"]):
            masks = {"network": predictor.predict(image).mask, "perfect masks": (true.numbers > 0).astype(np.uint8)}
            for key, method in methods.items():
                method.add(masks[key.partition(",")[0]], true)
            rows.append({"image": name, **{key: asdict(method.scores[-1]) for key, method in methods.items()}})
    except InputError as error:
        sys.exit(f"error: {error}")
    summaries = {}
    for key, method in methods.items():
        before = methods[key.replace("watershed", "components")] if "watershed" in key else None
        summaries[key] = method.summary(before)
        print(key, summaries[key], flush=True)
    write_json(
        asked.out,
        {
            "what": WHAT,
            "rule": OBJECT_RULE,
            "command": "python benchmarks/objects.py DSB2018/images DSB2018-instances/labels "
            f"--splits {asked.splits} --network {asked.network}",
            "commit": subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
            ).stdout.strip(),
            "environment": environment(replace(choose_device("cpu"), precision="float32")),
            "network": asked.network,
            "split": "validation and test images of the run whose network ships, whose nuclei are numbered",
            "validation": chosen,
            "test": {"images": len(rows), **summaries},
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
