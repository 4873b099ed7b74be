"""What it costs that nothing is lost in silence: flushing (fsync) and checksums, of a checkpoint, a model and an image.

    python benchmarks/durability.py [--repeats 20] [--folder PLACE]

Each step is timed whole, and without the part in question, in turn; medians. The disk is that of the folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

from amsunet.atomic_io import write_json
from amsunet.device import Device, environment
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.prediction_record import checksum
from amsunet.inference.predictor import load
from amsunet.training.checkpoint import LAST, save_checkpoint

RESULT = Path(__file__).parents[1] / "results" / "reliability" / "durability.json"
_SIDE = 512
"""Of the image, in pixels."""


def medians(repeats: int, forms: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each form of a step, which are done in turn."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(repeats):
        for name, do in forms.items():
            start = time.perf_counter()
            do()
            times[name].append(time.perf_counter() - start)
    return {name: round(statistics.median(of), 6) for name, of in times.items()}


def _with(name: str, function: Callable[..., object], do: Callable[[], object]) -> Callable[[], None]:
    """The same with another function in the place of one of the package's."""

    def form() -> None:
        with patch(f"amsunet.{name}", function):
            do()

    return form


def checkpoint(folder: Path, weights: dict[str, torch.Tensor], repeats: int) -> dict[str, Any]:
    """A state as large as a training's: the weights, their moving average, and two moments of each."""
    state = {part: {name: value.clone() for name, value in weights.items()} for part in ("now", "ema", "m", "v")}

    def save() -> None:
        save_checkpoint(folder, lambda path: torch.save(state, path))

    def nothing(*_: object) -> None:
        pass

    forms = {
        "whole": save,
        "without flushing": _with("atomic_io.flush", nothing, save),
        "without its checksum": _with("training.checkpoint._seal", nothing, save),
    }
    seconds = medians(repeats, forms)
    return {"step": "save a checkpoint", "bytes": (folder / LAST).stat().st_size, "seconds": seconds}


def model(path: Path, repeats: int) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        known = file.metadata()["sha256"]
    unchecked = _with("inference.model_file._checksum", lambda *_: known, lambda: load_model(path))
    seconds = medians(repeats, {"whole": lambda: load_model(path), "without its checksum": unchecked})
    return {"step": "load a model", "bytes": path.stat().st_size, "seconds": seconds}


def image(folder: Path, model: ModelRef, repeats: int) -> dict[str, Any]:
    """An image as ``predict`` records it, beside what its mask takes."""
    path, pixels = folder / "image.png", np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    predictor = load(model)
    seconds = medians(repeats, {"predict": lambda: predictor.predict(pixels), "checksum": lambda: checksum(path)})
    return {"step": f"predict an image of {_SIDE} x {_SIDE}", "bytes": path.stat().st_size, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zoo:nuclei", help="a network of the zoo, or a run")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="on the disk in question; the system's place for such if left out")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    ref = ModelRef.resolve(options.model)
    weights = dict(load_model(ref.weights)[0].state_dict())
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        rows = [
            checkpoint(folder, weights, options.repeats),
            model(ref.weights, options.repeats),
            image(folder, ref, max(1, options.repeats // 4)),
        ]
    for row in rows:
        print(row["step"], row["bytes"], "bytes", row["seconds"])
    device = Device("cpu", "float32", torch.get_num_threads())
    command = f"python benchmarks/durability.py --model {options.model} --repeats {options.repeats}"
    write_json(options.out, {"command": command, "rows": rows, "environment": environment(device)})


if __name__ == "__main__":
    main()
