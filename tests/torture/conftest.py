"""What the tests of ``make torture`` work on, and the server that runs their commands."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from commands import COMMANDS, SMALL

from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import load

_HOME = Path(__file__).parent
Run = Callable[..., SimpleNamespace]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HOME):
            item.add_marker(pytest.mark.torture)


_ran: Counter[str] = Counter()
_processor_seconds: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _cost(tally: Callable[..., None]) -> Iterator[None]:
    """What a test, and what was made for it, ran."""
    yield
    for name, times in _ran.items():
        tally("ran", name, times=times, processor_seconds=round(_processor_seconds[name], 2))
    _ran.clear()
    _processor_seconds.clear()


@pytest.fixture(scope="session")
def amsunet_in_fork(tmp_path_factory: pytest.TempPathFactory, made_once: Callable[..., Path]) -> Iterator[Run]:
    """Run a command in a fork of a process that has imported everything: exit code, output, what the fault told."""
    base, numbers = tmp_path_factory.mktemp("forks"), itertools.count()
    captures = str(made_once("captures", lambda folder: folder.mkdir()))
    paths = [str(_HOME), str(_HOME.parent), str(_HOME.parent / "data"), os.environ.get("PYTHONPATH", "")]
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(_HOME / "fork_server.py")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None
    assert server.stdout.readline() == "ready\n"

    def run(words: list[str], fault: dict[str, Any] | None = None, **more: Any) -> SimpleNamespace:
        told = str(base / str(next(numbers)))
        job = {"words": words, "fault": fault or {}, "told": told, "folder": str(base), "captures": captures, **more}
        print(json.dumps(job), file=server.stdin, flush=True)
        done = SimpleNamespace(**json.loads(server.stdout.readline()))
        name = more.get("call", words[0]).partition(":")[0]
        _ran[name] += 1
        _processor_seconds[name] += done.processor_seconds
        return done

    yield run
    server.stdin.close()
    server.wait()


@pytest.fixture(scope="session")
def material(
    made_once: Callable[..., Path],
    amsunet_in_fork: Run,
    picture: Callable[..., np.ndarray],
    disc: Callable[..., np.ndarray],
    save: Callable[..., Path],
) -> dict[str, Path]:
    """A data set, a finished run, the same one with a network that finds something, images, volumes, and a slide."""

    def make(folder: Path) -> None:
        for number in range(8):
            save(folder / "data" / "images" / f"{number}.png", picture(number))
            save(folder / "data" / "masks" / f"{number}.png", np.uint8(255) * disc(number))
        (folder / "data" / "split.json").write_text(json.dumps({"test": ["6", "7"]}), encoding="utf-8")
        shutil.copytree(folder / "data" / "images", folder / "images")
        (folder / "images" / "7.png").write_bytes(b"damaged")
        (folder / "volumes").mkdir()
        for number in range(3):
            slices = np.stack([picture(number), picture(number + 9)], axis=-1)
            nibabel.Nifti1Image(slices, np.eye(4)).to_filename(folder / "volumes" / f"{number}.nii.gz")
        with tifffile.TiffWriter(folder / "scan.tif") as tiff:
            image = np.kron(picture(0, 52, 80), np.ones((16, 16), np.uint8))  # two rows of tiles
            tiff.write(image, subifds=1, tile=(256, 256), compression="zlib")
            tiff.write(image[::2, ::2], subfiletype=1, tile=(256, 256), compression="zlib")
        words = f"--epochs 2 --steps-per-epoch 2 --deterministic {SMALL}".split()
        done = amsunet_in_fork(["train", str(folder / "data"), "--out", str(folder / "run"), *words])
        assert done.code == 0, done.err
        _make_decisive(Path(shutil.copytree(folder / "run", folder / "net")), picture(99))

    folder = made_once("material", make)
    return {name: folder / name for name in ("data", "run", "net", "images", "volumes")} | {"scan": folder / "scan.tif"}


def _make_decisive(run: Path, image: np.ndarray) -> None:
    """Give a network random weights in its last layer, and a threshold that half of an image exceeds: what its weights
    are shows in its masks.
    """
    network, description = load_model(run / FILE_NAME)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.head.weight, std=3.0)
    torch.nn.init.zeros_(network.head.bias)
    save_model(run / FILE_NAME, network, description)
    half = float(np.median(load(run).predict(image).probability[1]))
    save_model(run / FILE_NAME, network, description.model_copy(update={"threshold": half}))


@pytest.fixture(scope="session")
def unbroken(material: dict[str, Path], amsunet_in_fork: Run, made_once: Callable[..., Path]) -> Callable[..., Any]:
    """What a command ends with where nothing hinders it, all that it did to files, and what of it changed names."""
    watched = {"kind": "disk", "error": "EIO", "at": None}

    def of(name: str) -> SimpleNamespace:
        def make(folder: Path) -> None:
            folder.mkdir()
            command, out = COMMANDS[name], folder / "out"
            if name.startswith("export"):  # the time of a capture is not that of an export
                amsunet_in_fork(command.split(material | {"out": folder / "before"}))
            done = amsunet_in_fork(command.split(material | {"out": out}), {**watched, "below": str(out)})
            assert done.code in (0, 1) and "Traceback" not in done.err, done.err
            done.result = command.result(out)
            done.changes = [line for line in done.told if not line.startswith("open ")]
            (folder / "done.json").write_text(json.dumps(vars(done)), encoding="utf-8")

        key = f"unbroken-{name}".replace(" ", "-")
        return SimpleNamespace(**json.loads((made_once(key, make) / "done.json").read_text(encoding="utf-8")))

    return of
