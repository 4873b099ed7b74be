"""Commands that write: how each is given, how one goes on with it after a fault, and what it must end with."""

from __future__ import annotations

import csv
import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tifffile
from tally import REPEATS, spread

from amsunet.inference.runtime import open_runtime

SMALL = "--model unet --base-channels 4 --crop 32 --batch-size 2 --device cpu"
"""Of the networks U-Net is the one that is trained and captured soonest; ``compare`` has others."""
_BRIEF = f"--epochs 2 --steps-per-epoch 1 --deterministic {SMALL}"
_IMAGE = np.linspace(0, 255, 40 * 48, dtype=np.float32).reshape(1, 1, 40, 48)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _trained(out: Path) -> dict[str, Any]:
    """The weights, and the figures but for the time."""
    found = _written("*.safetensors")(out)
    for path in _files(out, "metrics.csv"):
        with path.open(newline="", encoding="utf-8") as lines:
            found[str(path.relative_to(out))] = [
                {name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(lines)
            ]
    return found


def _files(out: Path, pattern: str) -> list[Path]:
    return sorted(path for path in out.rglob(pattern) if path.is_file())


def _written(*patterns: str) -> Callable[[Path], dict[str, Any]]:
    def read(out: Path) -> dict[str, Any]:
        files = {path for pattern in patterns for path in _files(out, pattern)}
        return {str(path.relative_to(out)): _sha(path.read_bytes()) for path in files}

    return read


def _slide(out: Path) -> dict[str, Any]:
    return {path.name: _sha(tifffile.imread(path).tobytes()) for path in _files(out, "*.tif")}


def output_of(network: Path) -> str:
    """What an exported network gives for one image, as a checksum."""
    return _sha(open_runtime(network)(_IMAGE).tobytes())


def _exported(out: Path) -> dict[str, Any]:
    """What the network gives; of the record beside it, which network it is of."""
    (network,) = [path for suffix in ("onnx", "xml") for path in _files(out, f"net.{suffix}")]
    record = json.loads((out / f"{network.name}.parity.json").read_text(encoding="utf-8"))
    return {"gives": output_of(network), "parity": record["images"]}


@dataclass(frozen=True)
class Command:
    """A command of ``amsunet``. Words are those of a shell, with {data}, {net}, {images}, {volumes}, {scan} and
    {out} in them.
    """

    words: str
    result: Callable[[Path], dict[str, Any]]
    """What must be as after an unbroken one."""
    more: tuple[str, ...] = ("",)
    """How one goes on: what stands behind the same words; the first that works."""
    others: tuple[str, ...] = ()
    """Other commands to go on with."""
    weight: int = 1
    """How long it takes, next to a prediction."""

    def split(self, places: dict[str, Path], words: str | None = None) -> list[str]:
        return shlex.split((self.words if words is None else words).format_map(places))

    def ways(self, places: dict[str, Path]) -> list[list[str]]:
        """The commands to go on with, in turn."""
        return [self.split(places, f"{self.words} {more}") for more in self.more] + [
            self.split(places, other) for other in self.others
        ]


_PREDICTION = _written("*.png", "*.csv", "*.txt")
COMMANDS = {
    "train": Command(f"train {{data}} --out {{out}} {_BRIEF}", _trained, others=("train --resume {out}",), weight=4),
    "folds": Command(
        f"train {{data}} --out {{out}} --folds 2 {_BRIEF}", _trained, others=("train --resume {out}",), weight=8
    ),
    "predict": Command("predict {net} {images} --out {out} --overlay --device cpu", _PREDICTION, ("--resume",)),
    "predict forms": Command(
        "predict {net} {images} --out {out} --also labels,geojson,rois,coco,objects,counts --device cpu",
        _written("*.png", "*.tif", "*.geojson", "*.zip", "*.json", "*.csv", "*.txt"),
        ("--resume",),
        weight=2,
    ),
    "predict volumes": Command(
        "predict {net} {volumes} --out {out} --device cpu", _written("*.nii.gz", "*.csv"), ("--resume",)
    ),
    "slide": Command("predict {net} {scan} --out {out} --device cpu", _slide, ("", "--resume"), weight=2),
    "export onnx": Command("export {net} {data} --to onnx --out {out}/net.onnx", _exported, ("", "--overwrite")),
    "export openvino": Command(
        "export {net} {data} --to openvino --out {out}/net.xml", _exported, ("", "--overwrite"), weight=2
    ),
    "evaluate": Command("evaluate {net} {data} --out {out} --device cpu", _written("images.csv"), weight=2),
    "compare": Command(
        "compare {data} --models amsunet_xs,unext --seeds 1 --out {out} --epochs 1 --steps-per-epoch 1 --crop 32 "
        "--batch-size 2 --device cpu",
        _written("images.csv"),
        weight=10,
    ),
}


def most_faults(name: str, part: int = 1) -> int:
    """How many faults of a kind a command gets, by how long it takes; ``part`` for a kind that gets fewer.

    With REPEATS=10 most commands are killed at each of their changes; with 1 there is time for a twentieth.
    """
    return max(1, 6 * (2 * REPEATS - 1) // COMMANDS[name].weight // part)


def some(sizes: Sequence[int], name: str) -> list[int]:
    """Some of the sizes that are tried of a fault: each command gets others, and those that take long get few."""
    return [sizes[number] for number in spread(len(sizes), most_faults(name, 4), *sizes, name)]


def assert_clean(done: SimpleNamespace) -> None:
    """A fault ends well, or in one sentence."""
    assert done.code in (0, 1, 2), (done.code, done.err[-2000:])
    assert "Traceback" not in done.out + done.err, done.err[-2000:]
    sentences = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(sentences) == (done.code == 2), done.err[-2000:]


def trouble_of(
    done: SimpleNamespace,
    name: str,
    material: dict[str, Path],
    out: Path,
    run: Callable[..., SimpleNamespace],
    wanted: Any,
) -> str:
    """What is wrong with how a command ended under a fault, or with how it goes on; empty where nothing is."""
    try:
        assert_clean(done)
    except AssertionError as problem:
        return str(problem)
    return go_on(name, material, out, run, wanted)


def go_on(name: str, material: dict[str, Path], out: Path, run: Callable[..., SimpleNamespace], wanted: Any) -> str:
    """Go on after a fault. Returns what is wrong in the end, if anything is."""
    command, tried = COMMANDS[name], []
    for words in command.ways(material | {"out": out}):
        done = run(words)
        tried.append(done.err[-600:])
        if done.code in (0, 1) and "Traceback" not in done.err:
            break
    else:
        return f"no way to go on: {tried}"
    if left := [str(path.relative_to(out)) for path in out.rglob("*.partial*")]:
        return f"left behind: {left}"
    found = command.result(out)
    differ = {place for place in found.keys() | wanted.keys() if found.get(place) != wanted.get(place)}
    return f"another result: {sorted(differ)}" if differ else ""
