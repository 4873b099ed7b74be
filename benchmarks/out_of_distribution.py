"""How often an image of another kind is noticed, and how often one of a network's own kind is taken for one.

Own images are those of its data that a network has not seen; if they name a test split, of that. Foreign are the data
of the other networks named, some images spread over each, and the photographs that come with scikit-image, a fundus
among them.

    python benchmarks/out_of_distribution.py NETWORK=DATA NETWORK=DATA...
    python benchmarks/out_of_distribution.py nuclei=DSB2018 vessels=DRIVE glands=GlaS lesions=ISIC2017-256
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import skimage

from amsunet.atomic_io import write_json
from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import read_image
from amsunet.data.options import DataOptions
from amsunet.device import choose_device, environment
from amsunet.errors import InputError
from amsunet.evaluation.samples import choose_foreign
from amsunet.inference.model_metadata import ModelDescription, read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.training.run_folder import images_seen

RESULT = Path(__file__).parents[1] / "results" / "out_of_distribution.json"
OF_EACH = 100
PHOTOGRAPHS = (
    "astronaut.png brick.png camera.png chelsea.png clock_motion.png coffee.png coins.png grass.png gravel.png "
    "hubble_deep_field.jpg moon.png motorcycle_left.png motorcycle_right.png page.png retina.jpg rocket.jpg text.png"
)


def out_of_distribution(images: Iterable[Path], description: ModelDescription) -> dict[str, Any]:
    """Count the images that are told to be unlike the training images."""
    preprocessing, image_statistics = description.preprocessing, description.image_statistics
    assert image_statistics is not None
    told = [
        bool(image_statistics.out_of_distribution(preprocessing.resize(preprocessing.normalize(read_image(path)))))
        for path in images
    ]
    return {"images": len(told), "told": sum(told), "share": sum(told) / len(told)}


def some(samples: list[Sample]) -> list[Path]:
    """Images spread over a data set."""
    return [sample.image for sample in samples[:: -(-len(samples) // OF_EACH)]]


def measure(network: str, source: str, data: dict[str, Dataset]) -> dict[str, Any]:
    """Count what a network tells of its own data, that of ``source``, and of all others."""
    description = read_description(ModelRef.resolve(network).weights)
    if description is None or description.image_statistics is None:
        raise InputError(f"{network} does not hold what its training images look like: name another")
    own, _, _ = choose_foreign(data[source], images_seen(network), "auto")
    photographs = [Path(skimage.__file__).parent / "data" / photograph for photograph in PHOTOGRAPHS.split()]
    foreign = {
        Path(other).name: out_of_distribution(some(dataset.samples), description)
        for other, dataset in data.items()
        if other != source
    }
    return {
        "trained_on": Path(source).name,
        "normalization": description.preprocessing.normalization,
        "scale": description.preprocessing.scale,
        "limit": description.image_statistics.limit,
        "training_images_remembered": len(description.image_statistics.images),
        "false_alarms": out_of_distribution((sample.image for sample in own), description),
        "hits": foreign | {"photographs of scikit-image": out_of_distribution(photographs, description)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="NETWORK=DATA")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    pairs = {network: source for network, _, source in (pair.rpartition("=") for pair in asked.pairs)}
    if len({Path(source).name for source in pairs.values()} - {""}) < len(asked.pairs) or not all(pairs):
        parser.error("name every NETWORK=DATA once, with data of names that differ")
    try:
        data = {source: open_dataset(source, DataOptions(skip_broken=True)) for source in pairs.values()}
        found = {network: measure(network, source, data) for network, source in pairs.items()}
    except InputError as error:
        sys.exit(f"error: {error}")
    short = " ".join(f"{network}={Path(source).name}" for network, source in pairs.items())
    result = {
        "what": "images that are told to be unlike the training images: false alarms on images of the network's own "
        "data that it has not seen, hits on others",
        "command": f"python benchmarks/out_of_distribution.py {short}",
        "environment": environment(choose_device("cpu")),
        "networks": found,
    }
    write_json(asked.out, result)
    for network, counted in found.items():
        for name, counts in {"its own": counted["false_alarms"], **counted["hits"]}.items():
            print(f"{network:<10}{name:<30}{counts['told']:>5} of {counts['images']}")


if __name__ == "__main__":
    main()
