"""What the side of a tile and the overlap do to Dice, on images that a network can take whole.

The largest validation images of the run's data, or of other data that it was not trained on, are predicted whole and in
tiles. What differs is what a tile does not see: what lies further away, the averages that channel gates take over the
whole image, and where upsampling with aligned corners puts a pixel. Sides and overlaps are in pixels as the network
sees them; only images that every tiling cuts are taken.

    python benchmarks/tiles.py RUN [DATA] [--images 40] [--tiles 128,256,512] [--out results/tiles.json]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amsunet.atomic_io import write_json
from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.image_file import count_pixels
from amsunet.data.images import Array
from amsunet.device import choose_device, environment
from amsunet.errors import InputError
from amsunet.evaluation.samples import choose_foreign, choose_of_run
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.open_model import load_networks
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.inference.sliding_window import Tiling
from amsunet.models.cost import receptive_field
from amsunet.training.run_folder import read_run
from amsunet.training.validation import dice_by_class

RESULT = Path(__file__).parents[1] / "results" / "tiles.json"
WHOLE = Tiling(whole=sys.maxsize)
SHARES = (0, 1 / 8, 1 / 4, 1 / 2)
"""Of a tile's side, that overlap."""


def tilings(sides: Sequence[int]) -> Iterator[Tiling]:
    for side in sides:
        for share in SHARES:
            yield Tiling(tile=side, overlap=int(side * share), whole=0)


def largest(
    samples: Sequence[Sample], dataset: Dataset, predictor: Predictor, count: int, side: int
) -> list[tuple[Array, Array]]:
    """Images and labels, the largest first, that tiles of that side cut."""
    ordered = sorted(samples, key=lambda sample: (-count_pixels(sample.image), sample.name))
    read = (dataset.read(sample) for sample in ordered[:count])
    record = predictor.description.preprocessing
    tile = Tiling(tile=side, whole=0)
    return [(image, labels) for image, labels in read if tile.cuts(*record.working_size(*image.shape[:2]))]


def score_of(predictor: Predictor, images: Sequence[tuple[Array, Array]], tiling: Tiling) -> tuple[Array, list[Array]]:
    """Dice of each image, mean over the classes but the background, and the masks."""
    predictor.networks.tiling = tiling
    known, scores, masks = predictor.description, [], []
    for image, labels in images:
        found = predictor.predict(image)
        dice = dice_by_class(
            torch.from_numpy(found.probability)[None],
            torch.from_numpy(labels)[None],
            known.threshold,
            known.smallest_object,
        )
        scores.append(float(dice.mean()))
        masks.append(found.mask)
    return np.array(scores), masks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", nargs="?")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--tiles", default="128,256,512")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    sides = [int(side) for side in asked.tiles.split(",")]
    machine = choose_device()
    try:
        config, record = read_run(asked.run)
        source = asked.data or record.source
        dataset = open_dataset(locate(source), record.data_options, convention=config.convention)
        predictor = Predictor(asked.run, RuntimeOptions.on(machine))
        # What a tile should be is a choice: made on validation images, but for folds, whose networks have seen some.
        own_split = "val" if predictor.folds is None else "test"
        samples, split, _ = (
            choose_of_run(dataset, record, own_split, predictor.folds)
            if record.holds(dataset)
            else choose_foreign(dataset, record.seen(), "auto")
        )
        images = largest(samples, dataset, predictor, asked.images, max(sides))
        if not images:
            raise InputError(f"no image of {source} is larger than a tile of {max(sides)}: name smaller --tiles")
        networks, _ = load_networks(ModelRef.resolve(asked.run))
    except InputError as error:
        sys.exit(f"error: {error}")
    whole, masks = score_of(predictor, images, WHOLE)
    rows: list[dict[str, Any]] = []
    print(f"{len(images)} images, whole: Dice {whole.mean():.4f}")
    for tiling in tilings(sides):
        dice, found = score_of(predictor, images, tiling)
        differ = np.mean([(one != other).mean() for one, other in zip(found, masks, strict=True)])
        rows.append(
            {
                "tile": tiling.tile,
                "overlap": tiling.overlap,
                "dice": dice.mean(),
                "minus_whole": (dice - whole).mean(),
                "worst_image_minus_whole": (dice - whole).min(),
                "labels_that_differ": differ,
            }
        )
        print(f"tile {tiling.tile:>5}, overlap {tiling.overlap:>4}: {(dice - whole).mean():+.4f}, {differ:.2%} differ")
    field = receptive_field(networks[0][0], in_channels=config.preprocessing.in_channels)
    result = {
        "what": "Dice of tiles and of whole images, mean over images; the tile in use is "
        f"{Tiling().tile} with {Tiling().overlap} overlap, from {Tiling().whole} pixels on",
        "command": f"python benchmarks/tiles.py RUN {Path(source).name} --images {asked.images} --tiles {asked.tiles}",
        "data": Path(source).name,
        "split": split,
        "images": len(images),
        "working_pixels": [int(np.prod(config.preprocessing.working_size(*mask.shape))) for mask in masks],
        "scale": config.preprocessing.scale,
        "receptive_field": field,
        "overlap_that_covers_it": None if field is None else Tiling.covering(field).overlap,
        "whole": whole.mean(),
        "tilings": rows,
        "environment": environment(machine),
    }
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
