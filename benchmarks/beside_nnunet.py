"""AMSUnet and nnU-Net on the same cores for the same minutes of training, on validation images.

nnU-Net is trained by its own code in its own environment, which is made once:

    python -m venv nnunet && nnunet/bin/pip install nnunetv2
    python benchmarks/beside_nnunet.py --nnunet nnunet/bin/python [--data DSB2018 DRIVE] [--minutes 10] [--threads 2]

Both see the same training images and are evaluated on the same validation images by this package. nnU-Net plans as it
does, and once more for a GPU of one gigabyte, which is kinder to a CPU; its epochs are fitted to the minutes, its
preprocessing is not counted, and it predicts with mirrored views as it does by default. It is made for a thousand
epochs on a GPU: what it reaches there is another game. A row that is in the result is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image

from amsunet.atomic_io import write_json
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array, read_image
from amsunet.data.masks import IGNORE_INDEX
from amsunet.device import choose_device, environment
from amsunet.errors import InputError, reason_of_end
from amsunet.evaluation.metrics import score_mask
from amsunet.training.prepare import Preparation, prepare

ROOT = Path(__file__).parents[1]
CHILD = Path(__file__).with_name("nnunet_child.py")
DATASET = 501
WAYS: dict[str, tuple[str, Any]] = {
    "amsunet": ("amsunet", "amsunet"),
    "amsunet_lite": ("amsunet", "amsunet_lite"),
    "nnU-Net as it plans": ("nnunet", 0),
    "nnU-Net planned for 1 GB": ("nnunet", 1),
}
_EVERY = 0.5
"""Seconds between two looks at the memory."""


def write_raw(prepared: Preparation, folder: Path) -> None:
    """Write a data set as nnU-Net reads it, colour PNG, with its validation images beside it and as fold 0.

    Args:
        prepared: The data set with its splits.
        folder: That of the data set under nnUNet_raw.

    Raises:
        InputError: For images of more than 8 bits.
    """
    shutil.rmtree(folder, ignore_errors=True)
    dataset, classes = prepared.dataset, prepared.dataset.convention.num_classes
    for part in ("imagesTr", "labelsTr", "imagesVal"):
        (folder / part).mkdir(parents=True)
    of = {split: prepared.of(split) for split in ("train", "val")}  # type: ignore[arg-type]
    ignores = False
    for split, samples in of.items():
        for sample in samples:
            image, labels, name = _colour(sample), dataset.read_labels(sample), case(sample)
            ignores |= bool((labels == IGNORE_INDEX).any())
            labels = np.where(labels == IGNORE_INDEX, classes, labels).astype(np.uint8)
            Image.fromarray(image).save(folder / "imagesTr" / f"{name}_0000.png")
            Image.fromarray(labels).save(folder / "labelsTr" / f"{name}.png")
            if split == "val":
                shutil.copyfile(folder / "imagesTr" / f"{name}_0000.png", folder / "imagesVal" / f"{name}_0000.png")
    # Names as it wants them: the background first, what is ignored last.
    labels_by_name = {name: label for label, name in enumerate(dataset.convention.class_names)}
    described = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background" if not n else name: n for name, n in labels_by_name.items()}
        | ({"ignore": classes} if ignores else {}),
        "numTraining": sum(map(len, of.values())),
        "file_ending": ".png",
    }
    write_json(folder / "dataset.json", described)
    splits = [{split: sorted(map(case, samples)) for split, samples in of.items()}]
    write_json(folder / "splits_final.json", splits)


def case(sample: Sample) -> str:
    """The name of an image as nnU-Net has it."""
    return sample.name.replace("/", "-").replace(" ", "-")


def _colour(sample: Sample) -> Array:
    image = read_image(sample.image)
    if image.dtype != np.uint8:
        raise InputError(f"{sample.image} has more than 8 bits: name another data set with --data")
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def dice_of(masks: Path, dataset: Dataset, samples: Sequence[Sample]) -> float:
    """Mean Dice over images and classes, as ``amsunet evaluate`` counts it."""
    scores = []
    for sample in samples:
        predicted = np.asarray(Image.open(masks / f"{case(sample)}.png", formats=("PNG",)))
        classes = score_mask(predicted, dataset.read_labels(sample), dataset.convention.num_classes)
        scores.append(mean(one.dice for one in classes))
    return mean(scores)


def run_child(words: Sequence[object], environment_of: dict[str, str], log: Path) -> int:
    """Run a process to its end. Returns the most bytes that it and its children held together.

    Raises:
        InputError: With the last line of its log, if it fails.
    """
    most, ended = 0, threading.Event()

    def watch(pid: int) -> None:
        nonlocal most
        while not ended.wait(_EVERY):
            most = max(most, memory_of(pid))

    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*map(str, words)], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            env={**os.environ, **environment_of}, cwd=log.parent,
        )  # fmt: skip
        watcher = threading.Thread(target=watch, args=(process.pid,))
        watcher.start()
        try:
            process.wait()
        finally:
            ended.set()
            if process.poll() is None:
                process.terminate()
            watcher.join()
    if process.returncode:
        raise InputError(reason_of_end(process.returncode, log.read_text(encoding="utf-8"), "a smaller data set"))
    return most


def memory_of(pid: int) -> int:
    """Bytes that a process and its children hold, what they share counted once; 0 where the system does not tell."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended in the meantime
            parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            children[int(parent)].append(int(stat.parent.name))
    tree = [pid]
    for one in tree:
        tree += children[one]
    return sum(map(_held, tree))


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def measure(way: str, data: Path, prepared: Preparation, asked: argparse.Namespace) -> dict[str, Any]:
    """Train and evaluate one way on a data set."""
    kind, how = WAYS[way]
    work = asked.runs / f"{data.name}-{way.replace(' ', '-')}-{asked.minutes:g}min"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    work, threads = work.absolute(), {"OMP_NUM_THREADS": str(asked.threads)}
    log = work / "log.txt"
    if kind == "amsunet":
        words = [sys.executable, "-m", "amsunet", "train", data.absolute(), "--minutes", f"{asked.minutes:g}"]
        peak = run_child(
            [*words, "--model", how, "--pretrained", "none", "--seed", 0, "--out", work / "run"], threads, log
        )
        summary = json.loads((work / "run" / "evaluation" / "val" / "summary.json").read_text(encoding="utf-8"))
        plan = json.loads((work / "run" / "config.json").read_text(encoding="utf-8"))["plan"]
        told = {name: plan[name] for name in ("base_channels", "scale", "crop", "batch_size", "steps_per_epoch")}
        return {"dice": summary["mean_over_classes"]["dice"]["mean"], "peak_bytes": peak, "plan": told}
    folders = {f"nnUNet_{name}": str(work / name) for name in ("raw", "preprocessed", "results")}
    name = f"Dataset{DATASET}_{data.name}"
    write_raw(prepared, work / "raw" / name)
    (work / "preprocessed" / name).mkdir(parents=True)
    shutil.copyfile(work / "raw" / name / "splits_final.json", work / "preprocessed" / name / "splits_final.json")
    masks = work / "masks"
    words = [asked.nnunet.absolute(), CHILD, DATASET, "plans", how, f"{asked.minutes:g}"]
    peak = run_child([*words, work / "raw" / name / "imagesVal", masks], folders | threads, log)
    told = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    return {"dice": dice_of(masks, prepared.dataset, prepared.of("val")), "peak_bytes": peak, **told}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nnunet", type=Path, required=True, help="the Python that nnunetv2 is installed for")
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the data sets lie")
    parser.add_argument("--data", nargs="+", default=["DSB2018", "DRIVE"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "beside_nnunet")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "light" / "beside_nnunet.json")
    asked = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    if asked.out.is_file():
        rows = json.loads(asked.out.read_text(encoding="utf-8"))["rows"]
    done = {(row["data"], row["way"], row["minutes"]) for row in rows}
    try:
        for data in asked.data:
            waiting = [way for way in asked.ways if (data, way, asked.minutes) not in done]
            prepared = prepare(asked.root / data, {}, device="cpu") if waiting else None
            for way in waiting:
                assert prepared is not None
                found = measure(way, asked.root / data, prepared, asked)
                rows.append({"data": data, "way": way, "minutes": asked.minutes, **found})
                write_result(asked, rows)
                peak = f"{found['peak_bytes'] / 1e9:.1f} GB"
                print(f"{data}, {way}: validation Dice {found['dice']:.3f}, {peak} at most", flush=True)
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on with the row that was cut")


def write_result(asked: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> None:
    """Write what is there so far."""
    write_json(
        asked.out,
        {
            "what": "mean Dice on validation images after equal minutes of training on the same cores, and the most "
            "memory that all processes of a training held; nnU-Net's own schedule, on a GPU, is another game",
            "command": f"python benchmarks/beside_nnunet.py --nnunet PYTHON --minutes {asked.minutes:g}",
            "split": "val, one seed",
            "threads": asked.threads,
            "rows": rows,
            "environment": environment(choose_device("cpu")),
        },
    )


if __name__ == "__main__":
    main()
