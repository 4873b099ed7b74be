"""Objects as COCO JSON: run lengths of their pixels, which holds and touching objects keep exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.atomic_io import atomic_write, printable
from amsunet.data.images import Array
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.object_values import measure_objects
from amsunet.interchange.runs import find_runs
from amsunet.text_files import read_json

suffix = ".json"
joined = "coco.json"


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write the objects of one image as a data set of its own, see ``result_formats.Writer``."""
    height, width = objects.numbers.shape
    values = measure_objects(result, objects)
    name = printable(result.name)
    # The mask of a.jpg beside a.png has the whole name of its image.
    file_name = name if Path(name).name == printable(image.name) else f"{name}{image.suffix}"
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": int(objects.classes[number - 1]),
            "segmentation": {"size": [height, width], "counts": counts},
            "area": int(values.pixels[number - 1]),
            "bbox": box,
            "iscrowd": 0,
            "score": round(float(values.probabilities[number - 1]), 4),
        }
        for number, (counts, box) in enumerate(_run_lengths(objects.numbers), start=1)
    ]
    categories = [{"id": label, "name": one} for label, one in enumerate(result.class_names) if label]
    _write(path, [{"id": 1, "file_name": file_name, "height": height, "width": width}], annotations, categories)


def join(parts: Sequence[Path], path: Path) -> None:
    """Join the data sets of single images into one; images, objects and classes are numbered anew."""
    ids: dict[str, int] = {}
    images = []
    for number, part in enumerate(parts, start=1):
        content = _read(part)
        images.append({**content["images"][0], "id": number})
        for category in content["categories"]:
            ids.setdefault(category["name"], len(ids) + 1)

    def annotations() -> Iterator[dict[str, Any]]:
        count = 0
        for number, part in enumerate(parts, start=1):
            content = _read(part)
            names = {category["id"]: category["name"] for category in content["categories"]}
            for one in content["annotations"]:
                count += 1
                yield {**one, "id": count, "image_id": number, "category_id": ids[names[one["category_id"]]]}

    _write(path, images, annotations(), [{"id": label, "name": name} for name, label in ids.items()])


def _read(part: Path) -> Any:
    remedy = "remove it, and predict its image again"
    return read_json(part, damaged=remedy, missing=remedy)


def _write(path: Path, images: Any, annotations: Any, categories: Any) -> None:
    """Write a data set, one entry a line and one at a time: all images of a large prediction are in one file."""
    with atomic_write(path, durable=False) as temporary, temporary.open("w", encoding="utf-8") as file:
        parts = (("images", images), ("annotations", annotations), ("categories", categories))
        for start, (name, entries) in zip(("{", ",\n", ",\n"), parts, strict=True):
            file.write(f'{start}"{name}":[')
            for index, entry in enumerate(entries):
                file.write(",\n" if index else "\n")
                file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
            file.write("\n]")
        file.write("}\n")


def _run_lengths(numbers: Array) -> Iterator[tuple[list[int], list[int]]]:
    """The run lengths of each object, column by column and beginning with what is outside, and its box."""
    height, width = numbers.shape
    runs = find_runs(numbers.T)
    starts, stops = runs.rows * height + runs.starts, runs.rows * height + runs.stops
    ends = [*(np.flatnonzero(np.diff(runs.numbers)) + 1).tolist(), len(runs.numbers)]
    begin = 0
    for end in ends if len(runs.numbers) else []:
        changes = np.column_stack([starts[begin:end], stops[begin:end]]).ravel()
        # A run that goes on at the top of the next column is one with it.
        changes = changes.reshape(-1)
        inner = np.flatnonzero(changes[1:-1:2] == changes[2::2])
        changes = np.delete(changes, [*(2 * inner + 1), *(2 * inner + 2)])
        counts = np.diff(changes, prepend=0, append=height * width).tolist()
        left, right = int(runs.rows[begin]), int(runs.rows[end - 1]) + 1
        top, bottom = int(runs.starts[begin:end].min()), int(runs.stops[begin:end].max())
        yield counts, [left, top, right - left, bottom - top]
        begin = end
