"""Draw the README's picture from a run on sample:nuclei: two test images with truth and prediction.

python tools/readme_picture.py demo/run docs/nuclei.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from amsunet.data.dataset import open_dataset
from amsunet.evaluation.plots import case_panels, stack
from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions


def main(run: str, target: str) -> None:
    dataset, predictor = open_dataset("sample:nuclei"), load(run, RuntimeOptions(tta="flips"))
    rows = []
    for sample in [sample for sample in dataset.samples if sample.split == "test"][1:3]:
        image, labels = dataset.read(sample)
        rows.append(case_panels(image, labels, predictor.predict(sample.image).mask))
    stack(rows).save(Path(target), quality=88)


if __name__ == "__main__":
    main(*sys.argv[1:])
