"""How often an image of another kind is noticed, and how often one of the run's own kind is taken for one.

Foreign are images of other data sets, some spread over each, and the photographs that come with scikit-image. What the
run's training images look like is taken from its model file, or learned from its data if it is of an older version.

    python benchmarks/out_of_distribution.py RUN OTHER_DATA...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import skimage

from amsunet.data.appearance import Appearance
from amsunet.data.dataset import open_dataset
from amsunet.data.embedded import locate
from amsunet.data.images import read_image
from amsunet.data.layout import Sample, Split
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.files import write_json
from amsunet.inference.description import FILE_NAME, description_of
from amsunet.training.finish import look_at
from amsunet.training.run import read_run

RESULTS = Path(__file__).parents[1] / "results"
OF_EACH = 100
PHOTOGRAPHS = (
    "astronaut.png brick.png camera.png chelsea.png clock_motion.png coffee.png coins.png grass.png gravel.png "
    "hubble_deep_field.jpg moon.png motorcycle_left.png motorcycle_right.png page.png retina.jpg rocket.jpg text.png"
)


def unlike(images: Iterable[Path], appearance: Appearance, preprocessing: Preprocessing) -> dict[str, Any]:
    """Count the images that are told to be unlike the training images."""
    told = {
        path.name: appearance.unlike(preprocessing.resize(preprocessing.window(read_image(path)))) for path in images
    }
    return {
        "images": len(told),
        "told": sum(map(bool, told.values())),
        "share": sum(map(bool, told.values())) / len(told),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("foreign", nargs="+")
    parser.add_argument("--out", type=Path, default=RESULTS / "out_of_distribution.json")
    asked = parser.parse_args()
    try:
        config, record = read_run(asked.run)
        dataset = open_dataset(
            locate(record.source), group=record.group, skip_broken=record.skip_broken, convention=config.convention
        )
        record.check(dataset)

        def of(split: Split) -> list[Sample]:
            return [sample for sample in dataset.samples if record.splits[sample.name] == split]

        description = description_of(asked.run / FILE_NAME)
        preprocessing = config.preprocessing
        appearance = (description and description.appearance) or look_at(of("train"), of("val"), preprocessing)
        assert appearance is not None
        own = {
            split: unlike([sample.image for sample in of(split)], appearance, preprocessing)
            for split in ("val", "test")
            if of(split)
        }
        foreign = {}
        for data in asked.foreign:
            samples = open_dataset(data, skip_broken=True).samples
            chosen = [sample.image for sample in samples[:: -(-len(samples) // OF_EACH)]]
            foreign[Path(data).name] = unlike(chosen, appearance, preprocessing)
    except InputError as error:
        sys.exit(f"error: {error}")
    folder = Path(skimage.__file__).parent / "data"
    foreign["photographs of scikit-image"] = unlike(
        [folder / name for name in PHOTOGRAPHS.split()], appearance, preprocessing
    )
    names = " ".join(Path(data).name for data in asked.foreign)
    result = {
        "what": "images that are told to be unlike the training images: false alarms on the run's own, hits on others",
        "command": f"python benchmarks/out_of_distribution.py RUN {names}",
        "trained_on": Path(record.source).name,
        "windowing": preprocessing.windowing,
        "scale": preprocessing.scale,
        "limit": appearance.limit,
        "training_images_remembered": len(appearance.images),
        "false_alarms": own,
        "hits": foreign,
    }
    write_json(asked.out, result)
    for name, found in {**own, **foreign}.items():
        print(f"{name:<30}{found['told']:>5} of {found['images']}")


if __name__ == "__main__":
    main()
