"""Damaged texts without end, each known by its number: descriptions of networks, records of runs and studies, settings,
manifests, lists of splits and patients, changed byte by byte or value by value.

``main FIRST COUNT`` reads them and prints what came of it.
"""

from __future__ import annotations

import copy
import json
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mutations import mutated
from safetensors.torch import save
from tally import draws

from amsunet.data.dataset import open_dataset
from amsunet.errors import InputError
from amsunet.evaluation.study import Study, read_study
from amsunet.evaluation.variant import Variant
from amsunet.inference.ensemble import read_folds
from amsunet.inference.model_file import _checksum, load_model
from amsunet.inference.model_metadata import METADATA, parse_description
from amsunet.inference.prediction_record import PredictionRecord
from amsunet.inference.predictor import load
from amsunet.training.run_folder import read_run
from amsunet.training.settings_file import read_settings

_WRONG: tuple[Any, ...] = (
    None, -1, 0, 1e300, 10**40, 2**31, 0.5, "", "x", "../../x", "a/b", "a\nb", "\x1b[2J", "\u202e", "=1+1", "x" * 5000,
    [], {}, [1] * 3000, [[[[[[[1]]]]]]], {"a": 1}, True, [None], ["x", "x"], "/dev/zero", "NaN", "1e999",
)  # fmt: skip
_CELLS = (
    "",
    "=1+1",
    "../x.png",
    "/dev/zero",
    "images",
    "test",
    "train,val",
    '"',
    "\0",
    "\n",
    ";",
    "\t",
    "é" * 200,
    "0",
)
SLOW = 20
"""Seconds of processor time that none may take."""


class Material:
    """Sound texts by kind, and how each is read.

    Args:
        run: A finished run.
        data: A folder of images and masks.
        folder: To write into.
    """

    def __init__(self, run: Path, data: Path, folder: Path) -> None:
        self.folder, self.data = folder, Path(shutil.copytree(data, folder / "data"))
        self.run = Path(shutil.copytree(run, folder / "run"))
        network, description = load_model(run / "model.safetensors")
        self.weights = {name: value.clone() for name, value in network.state_dict().items()}
        names = sorted(path.stem for path in (data / "images").iterdir())
        rows = [f"images/{name}.png,masks/{name}.png,p{name},train" for name in names]
        fold = {"images": 4, "epochs": 1, "dice_at": {"0.5": 0.5}}
        folds = {"count": 2, "fold_of": {name: int(name) % 2 for name in names}, "scores": {"0": fold, "1": fold}}
        prediction = {"name": "a", "image": "a.png", "network": "n", "outputs": {"a.png": 5}, "uncertainty": 0.25}
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        self.kinds: dict[str, tuple[str, Path, Callable[[], object]]] = {
            "description": (description.model_dump_json(), folder / "m.safetensors", self._read_description),
            "description of an export": (
                description.model_dump_json(), folder / "m.onnx",
                lambda: parse_description(self._now, folder / "m.onnx"),
            ),
            "config.json": (json.dumps(config), self.run / "config.json", lambda: (read_run(self.run), load(self.run))),
            "data.json": (
                (run / "data.json").read_text(encoding="utf-8"), self.run / "data.json",
                lambda: (read_run(self.run), load(self.run)),
            ),
            "folds.json": (json.dumps(folds), folder / "folds.json", lambda: read_folds(folder)),
            "study.json": (_study().model_dump_json(), folder / "study.json", lambda: read_study(folder)),
            "settings": (json.dumps({"minutes": 5, "crop": [64, 64], "model": "unet", "model_options": {"a": 1},
                                     "learning_rate": 0.01, "ema": True}),
                         folder / "settings.json", lambda: read_settings(folder / "settings.json")),
            "predictions.jsonl": (json.dumps(prediction) + '\n{"begun": ["a"]}\n', folder / "predictions.jsonl",
                                  lambda: PredictionRecord(folder).read()),
            "manifest": ("\n".join(["image,mask,group,split", *rows]), self.data / "manifest.csv", self._open_data),
            "split.json": (json.dumps({"train": names[:5], "val": names[5:6], "test": names[6:]}),
                           self.data / "split.json", self._open_data),
            "patients": ("\n".join(["image,patient", *(f"{name}.png,p{name}" for name in names)]),
                         self.data / "patients.csv", self._open_data),
            "list of test images": ("\n".join(names[:3]), self.data / "test.txt", self._open_data),
        }  # fmt: skip
        self._now = ""

    def read(self, kind: str, content: bytes) -> str:
        """Write a text where it belongs and read it: ``read`` or ``refused``.

        Raises:
            AssertionError: If a refusal is not one sentence.
        """
        _, path, read = self.kinds[kind]
        before = path.read_bytes() if path.exists() else None
        self._now = content.decode("utf-8", "replace")
        path.write_bytes(content)
        try:
            read()
        except InputError as error:
            text = str(error)
            # A name in a table may hold the end of a line, which the console escapes.
            assert ("\n" not in text or read == self._open_data) and len(text) < 3000, text[:500]
            return "refused"
        finally:
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)
        return "read"

    def _read_description(self) -> None:
        """Of a model file whose checksum is right: it was made so."""
        path = self.folder / "m.safetensors"
        path.write_bytes(save(self.weights, {METADATA: self._now, "sha256": _checksum(self.weights, self._now)}))
        load(path)

    def _open_data(self) -> None:
        open_dataset(self.data)


def _study() -> Study:
    return Study(
        title="t", source="sample:nuclei", group=None, skip_broken=False, mask_options=None, checksums={"a": "1"},
        splits=[{"a": "test"}], folds=None, plan={"crop": (64, 64), "minutes": 1.0}, device="cpu", precision="float32",
        threads=2, seeds=2, variants=(Variant(name="unet", model="unet"),),
    )  # fmt: skip


def mutation(number: int, sound: dict[str, str]) -> tuple[str, bytes]:
    """The mutation of a number: of which kind it is, and the text."""
    kind, random = list(sound)[number % len(sound)], draws("text", number)
    text = sound[kind]
    if random.random() < 0.4:
        return kind, mutated(text.encode(), random)
    for _ in range(random.integers(1, 4)):
        text = _other_value(text, random) if text.startswith("{") else _other_cell(text, random)
    return kind, text.encode("utf-8", "surrogatepass")


def _other_value(text: str, random: np.random.Generator) -> str:
    lines = text.splitlines(keepends=True)
    try:
        content = json.loads(lines[0])
    except ValueError:
        return text
    inner, places = content, 0
    while isinstance(inner, dict | list) and inner:
        key = list(inner)[random.integers(len(inner))] if isinstance(inner, dict) else int(random.integers(len(inner)))
        places += 1
        if not isinstance(inner[key], dict | list) or not inner[key] or random.random() < 0.25:
            _change(inner, key, random)
            break
        inner = inner[key]
    return json.dumps(content) + "\n" * (len(lines) > 1) + "".join(lines[1:])


def _change(inner: Any, key: Any, random: np.random.Generator) -> None:
    choice = random.random()
    if choice < 0.15 and isinstance(inner, dict):
        del inner[key]
    elif choice < 0.25 and isinstance(inner, dict):
        inner[f"{key}x"] = copy.deepcopy(inner[key])
    else:
        inner[key] = copy.deepcopy(_WRONG[random.integers(len(_WRONG))])


def _other_cell(text: str, random: np.random.Generator) -> str:
    lines = text.split("\n")
    row = int(random.integers(len(lines)))
    cells = lines[row].split(",")
    cells[random.integers(len(cells))] = _CELLS[random.integers(len(_CELLS))]
    lines[row] = ",".join(cells)
    if random.random() < 0.2:
        lines.insert(row, lines[int(random.integers(len(lines)))])
    return "\n".join(lines)


def main() -> None:
    """Read mutations: ``RUN DATA FIRST COUNT``. Prints figures, and what crashed."""
    run, data, first, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    found: dict[str, Any] = {"read": 0, "refused": 0, "crashes": [], "slow": []}
    with TemporaryDirectory() as folder:
        material = Material(run, data, Path(folder))
        sound = {kind: text for kind, (text, _, _) in material.kinds.items()}
        before, largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
        for number in range(first, first + count):
            kind, content = mutation(number, sound)
            start = time.process_time()
            try:
                found[material.read(kind, content)] += 1
            except Exception:
                found["crashes"].append({"number": number, "kind": kind, "text": repr(content[:300]),
                                         "error": traceback.format_exc()[-1200:]})  # fmt: skip
            largest = max(largest, time.process_time() - start)
            if time.process_time() - start > SLOW:
                found["slow"].append({"number": number, "kind": kind})
        found["megabytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        found["slowest"] = largest
    print(json.dumps(found))
