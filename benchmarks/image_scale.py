"""What becomes of the same images in other pixels: Dice of networks that ship on test images enlarged and reduced.

Images are resized bicubically, masks to the nearest pixel; evaluated at the size that the image then has. Before: every
image scaled by one factor. Now: as the network's description says. As advised: where that is one factor still, at the
``--image-scale`` that brings the images back to the size they had, which the warning names.

    python benchmarks/image_scale.py NETWORK=DATA... [--images 20 ...] [--zooms 1 0.5 1.7 3]
    python benchmarks/image_scale.py vessels=DRIVE lesions=ISIC2017-256 glands=GlaS nuclei=DSB2018
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from amsunet.atomic_io import write_json
from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.options import DataOptions
from amsunet.device import Device, environment
from amsunet.errors import InputError
from amsunet.evaluation.samples import choose_foreign
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.run_folder import images_seen
from amsunet.training.validation import dice_by_class

RESULT = Path(__file__).parents[1] / "results" / "image_scale.json"


def zoomed(array: Array, zoom: float, resampling: Image.Resampling) -> Array:
    """An image (H, W, C) or labels (H, W), with its sides so many times as long."""
    grey = array.ndim == 3 and array.shape[2] == 1
    picture = Image.fromarray(array[..., 0] if grey else array)
    size = round(picture.width * zoom), round(picture.height * zoom)
    out = np.asarray(picture.resize(size, resampling))
    return out[..., None] if grey else out


def score_of(predictor: Predictor, dataset: Dataset, samples: list[Sample], zoom: float) -> dict[str, Any]:
    """Mean Dice, how many images are told to be unlike the training's, and what is said of their sizes."""
    dice, told, sizes = [], 0, Counter[tuple[int, int]]()
    for sample in samples:
        image, labels = dataset.read(sample)
        if zoom != 1:
            image = zoomed(image, zoom, Image.Resampling.BICUBIC)
            labels = zoomed(labels, zoom, Image.Resampling.NEAREST)
        found = predictor.predict(image)
        mask = torch.from_numpy(np.eye(2, dtype=np.float32)[found.mask].transpose(2, 0, 1)[None].copy())
        dice.append(float(dice_by_class(mask, torch.from_numpy(labels.copy())[None], 0.5).mean()))
        told += bool(found.out_of_distribution)
        sizes[labels.shape[0], labels.shape[1]] += 1
    scaling = predictor.scaling(sizes)
    return {"dice": float(np.mean(dice)), "told_unlike": told, "said": scaling.line, "warned": scaling.warning}


def same(one: Predictor, other: Predictor, dataset: Dataset, samples: list[Sample]) -> bool:
    """Whether both give the same probabilities, bit for bit."""
    images = (dataset.read(sample)[0] for sample in samples)
    return all(np.array_equal(one.predict(image).probability, other.predict(image).probability) for image in images)


def measure(network: str, source: str, images: int, zooms: list[float], machine: Device) -> dict[str, Any]:
    """Evaluate one network on some of the test images of its own data."""
    dataset = open_dataset(source, DataOptions(skip_broken=True))
    own, split, _ = choose_foreign(dataset, images_seen(network), "auto")
    samples = own[:: -(-len(own) // images)]
    now = Predictor(network, RuntimeOptions.on(machine))
    known = now.description.preprocessing
    before = Predictor(network, replace(RuntimeOptions.on(machine), image_scale=known.scale))
    rows = []
    for zoom in zooms:
        row: dict[str, Any] = {"zoom": zoom, "now": score_of(now, dataset, samples, zoom)}
        # A network that takes one factor for all does now what it did before.
        row["before"] = score_of(before, dataset, samples, zoom) if known.image_scale == "size" else row["now"]
        if known.image_scale == "factor" and zoom != 1:
            advised = Predictor(network, replace(RuntimeOptions.on(machine), image_scale=known.scale / zoom))
            row["as_advised"] = score_of(advised, dataset, samples, zoom)
        rows.append(row)
        print(
            network, zoom, {name: f"{found['dice']:.4f}" for name, found in row.items() if name != "zoom"}, flush=True
        )
    return {
        "data": Path(source).name,
        "split": split,
        "images": [sample.name for sample in samples],
        "of": len(own),
        "image_scale": known.image_scale,
        "scale": known.scale,
        "typical_size": known.typical_size,
        "unchanged_bit_for_bit_at_1": same(now, before, dataset, samples),
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="NETWORK=DATA")
    parser.add_argument("--images", type=int, nargs="+", default=[20], help="of each data set, or of all")
    parser.add_argument("--zooms", type=float, nargs="+", default=[1, 0.5, 1.7, 3])
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    pairs = [pair.rpartition("=")[::2] for pair in asked.pairs]
    words = ["git", "-C", str(RESULT.parent), "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    machine, start, found = Device("cpu", "float32", torch.get_num_threads()), time.monotonic(), {}
    try:
        counts = asked.images if len(asked.images) == len(pairs) else asked.images[:1] * len(pairs)
        for (network, source), count in zip(pairs, counts, strict=True):
            found[network] = measure(network, source, count, asked.zooms, machine)
    except InputError as error:
        sys.exit(f"error: {error}")
    short = " ".join(f"{network}={Path(source).name}" for network, source in pairs)
    images = " ".join(map(str, asked.images))
    zooms = " ".join(f"{zoom:g}" for zoom in asked.zooms)
    result = {
        "what": "mean Dice over test images resized, at the size they then have: before, scaled by one factor; now, as "
        "the network's description says; as advised, at the --image-scale that undoes the resizing",
        "command": f"python benchmarks/image_scale.py {short} --images {images} --zooms {zooms}",
        "commit": commit,
        "minutes": (time.monotonic() - start) / 60,
        "environment": environment(machine),
        "networks": found,
    }
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
