"""What results for other programs cost: 661 objects of 2,000 x 1,500 pixels, and 70,000 of one pixel, in each form.

The objects are drawn: ellipses of many sizes, one in five with a hole. Each form is written to a file on this disk and,
where it can be a mask to train on, read back and compared with what was written, pixel by pixel. Times are those of the
processor, the least of several, because machines do other things too; objects are found before.

    python benchmarks/interchange.py [--repeats 5] [--out results/interchange.json]
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.atomic_io import write_json
from amsunet.data.components import number_objects
from amsunet.data.images import Array, read_image
from amsunet.data.masks import MaskConvention
from amsunet.data.masks.files import read_objects
from amsunet.data.readers import outlines
from amsunet.device import choose_device, environment
from amsunet.inference.objects import Objects, find_objects
from amsunet.inference.result_formats import open_writer
from amsunet.inference.segmentation import Segmentation

RESULT = Path(__file__).parents[1] / "results" / "interchange.json"
_IMAGE = Path("a.png")
_FORMS = ("labels", "geojson", "rois", "coco")
"""Those that are read back as objects."""
_CELL = 68, 64
"""Height and width of the part of the image that holds one object."""


def draw_ellipses(count: int = 661, size: tuple[int, int] = (1_500, 2_000), seed: int = 0) -> Array:
    """Draw a mask of ellipses that do not touch, every fifth with a hole: (H, W) of uint8."""
    rng, mask = np.random.default_rng(seed), np.zeros(size, np.uint8)
    height, width = _CELL
    y, x = np.indices(_CELL)
    places = [(row, column) for row in range(size[0] // height) for column in range(size[1] // width)]
    for number, (row, column) in enumerate(places[:count]):
        angle, (long, short) = rng.uniform(0, np.pi), rng.uniform(8, 30, 2)
        along = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
        across = (y - height / 2) * np.cos(angle) - (x - width / 2) * np.sin(angle)
        distance = (along / long) ** 2 + (across / short) ** 2
        cell = (distance < 1) & ~((distance < 0.1) & (number % 5 == 0))
        mask[row * height : (row + 1) * height, column * width : (column + 1) * width] = cell
    return mask


def scatter(count: int = 70_000) -> Objects:
    """Objects of one pixel each, none beside another."""
    numbers = np.zeros((500, 560), np.int32)
    numbers[::2, ::2] = np.arange(1, count + 1).reshape(250, 280)
    return Objects(numbers, np.ones(count, np.uint8))


def measure(objects: Objects, folder: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """Write and read objects in each form.

    Args:
        objects: Of one class.
        folder: For the files.
        repeats: How often each is timed.

    Returns:
        By form the seconds, the bytes, and whether the objects that are read are those that were written.
    """
    mask = (objects.numbers > 0).astype(np.uint8)
    convention = MaskConvention(kind="values", values=(0, 255), class_names=("background", "nucleus"))
    result = Segmentation("a", np.stack([1 - mask, mask]).astype(np.float32), mask, convention, (0.0005, 0.0005))
    rows = {}
    for form in _FORMS:
        writer = open_writer(form)
        path = folder / f"a{writer.suffix}"
        written = _seconds(lambda writer=writer, path=path: writer.write(result, objects, _IMAGE, path), repeats)
        address = outlines.address_of(path, mask.shape, str(_IMAGE) if form == "coco" else "")
        read: Callable[[], Array] = lambda address=address: _read(address)  # noqa: E731
        rows[form] = {
            "write_seconds": written,
            "read_seconds": _seconds(read, repeats),
            "bytes": path.stat().st_size,
            "same_objects": bool(np.array_equal(read(), objects.numbers)),
        }
    return rows


def _read(address: Path) -> Array:
    outlines._load.cache_clear()  # as the first time
    if address.parent.suffix == ".tif":
        return read_image(address.parent)[..., 0]
    return read_objects(address)


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return round(min(times), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    mask = draw_ellipses()
    found = find_objects(mask)
    with tempfile.TemporaryDirectory() as folder:
        drawn = (
            f"{len(found)} drawn ellipses in {mask.shape[1]} x {mask.shape[0]} pixels (seed 0, every fifth with a hole)"
        )
        result = {
            "what": "processor seconds to write and read back objects in each form, the least of several runs",
            "command": f"python benchmarks/interchange.py --repeats {asked.repeats}",
            "data": f"{drawn}, and 70,000 objects of one pixel in 560 x 500",
            "find_objects_seconds": _seconds(lambda: number_objects(mask), asked.repeats),
            "661 objects": measure(found, Path(folder), asked.repeats),
            "70000 objects": measure(scatter(), Path(folder), 1),
            "packages": {name: version(name) for name in ("numpy", "roifile", "shapely", "tifffile")},
            "machine": platform.machine(),
            "environment": environment(choose_device("cpu", "float32")),
        }
    write_json(asked.out, result)
    for name in ("661 objects", "70000 objects"):
        for form, row in result[name].items():
            print(f"{name}, {form:>8}: {row}")


if __name__ == "__main__":
    main()
