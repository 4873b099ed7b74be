"""A set of NIfTI volumes end to end: found, trained on, evaluated, predicted to NIfTI, Dice per slice and per volume.

The volumes are runs of the slices of ``sample:brain``, 3 mm apart: two to train and to choose on, one to test. The Dice
of the masks that were written is taken once more from the files, by nibabel alone.

    python benchmarks/volumes.py [--epochs 20] [--seed 0]
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

import amsunet
from amsunet.atomic_io import write_json
from amsunet.data.builtin_samples import locate
from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.device import Device, environment
from amsunet.evaluation.evaluation import evaluation_folder

RESULT = Path(__file__).parents[1] / "results" / "volumes.json"
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])
CLASSES = {"background": 0, "grey matter": 1, "white matter": 2}


def build(root: Path) -> dict[str, int]:
    """Write the sample's slices as volumes in nnU-Net's layout.

    Returns:
        Slices by the name of each volume.
    """
    counts = {}
    for split, folder in (("train", "Tr"), ("test", "Ts")):
        files = sorted((locate("sample:brain") / split / "images").iterdir())
        heights = [int(file.stem.partition("_z")[2]) for file in files]
        cuts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(heights)) if b - a > 3), len(files)]
        for start, stop in pairwise(cuts):
            name = f"brain{heights[start]:03}"
            masks = [file.parents[1] / "masks" / file.name for file in files[start:stop]]
            image = np.stack([read_image(file)[..., 0].T for file in files[start:stop]], axis=-1)
            labels = np.stack([read_mask(file).T for file in masks], axis=-1).astype(np.uint8)
            for kind, suffix, values in (("images", "_0000", image), ("labels", "", labels)):
                path = root / f"{kind}{folder}" / f"{name}{suffix}.nii.gz"
                path.parent.mkdir(exist_ok=True)
                nibabel.save(nibabel.Nifti1Image(values, AFFINE), path)
            counts[name] = stop - start
    write_json(root / "dataset.json", {"labels": CLASSES, "channel_names": {"0": "T1"}, "file_ending": ".nii.gz"})
    return counts


def dice_of_files(predicted: Path, reference: Path) -> dict[str, float]:
    """Dice of each class over all voxels of two files that lie in one space."""
    one, other = nibabel.load(predicted), nibabel.load(reference)
    assert np.array_equal(one.affine, other.affine)
    found, true = np.asanyarray(one.dataobj), np.asanyarray(other.dataobj)
    return {
        name: float(2 * ((found == value) & (true == value)).sum() / ((found == value).sum() + (true == value).sum()))
        for name, value in CLASSES.items()
        if value
    }


def measure(root: Path, machine: Device, epochs: int, seed: int) -> dict[str, Any]:
    """Build, train, evaluate and predict."""
    (root / "set").mkdir()
    volumes = build(root / "set")
    settings = {
        "model": "amsunet", "base_channels": 8, "epochs": epochs, "steps_per_epoch": 12, "seed": seed,
        "deterministic": True,
    }  # fmt: skip
    run = amsunet.train(root / "set", settings, out=root / "run", device=machine).run
    evaluation = amsunet.evaluate(run)
    with (evaluation_folder(evaluation) / "volumes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    amsunet.predict(run, root / "set" / "imagesTs", out=root / "masks")
    written = {
        path.name.removesuffix(".nii.gz"): dice_of_files(path, root / "set" / "labelsTs" / path.name)
        for path in sorted((root / "masks").glob("*.nii.gz"))
    }
    assert all(abs(written[row["volume"]][row["class"]] - float(row["dice"])) < 1e-9 for row in rows)
    return {
        "volumes": volumes,
        "settings": settings,
        "split": evaluation.split,
        "dice_per_slice": evaluation.summary()["classes"] and {
            name: evaluation.interval("dice", label).mean for label, name in enumerate(evaluation.class_names, start=1)
        },
        "per_volume": rows,
        "dice_of_written_files": written,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    machine = Device("cpu", "float32", 1)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), machine, given.epochs, given.seed)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULT.parent, capture_output=True, text=True, check=True
    )
    write_json(
        given.out,
        {
            "what": "sample:brain rebuilt as NIfTI volumes: Dice of a 2D network per slice and per volume",
            "command": f"python benchmarks/volumes.py --epochs {given.epochs} --seed {given.seed}",
            "data": "sample:brain, runs of slices as volumes of 1 x 1 x 3 mm",
            "commit": commit.stdout.strip(),
            "minutes": (time.perf_counter() - start) / 60,
            "environment": environment(machine),
            **found,
        },
    )


if __name__ == "__main__":
    main()
