"""What several tests need."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import pickle
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from made_device import CPU
from PIL import Image

from amsunet.data.images import Array
from amsunet.evaluation.trial import STOPPED, run_trial
from amsunet.inference.model_file import for_inference, load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.progress import reported_to
from amsunet.training.train import train

pytest_plugins = ["tally"]
SHARED = Path(__file__).parents[2] / "shared" / "data"
_GOLDEN = (Path(__file__).parent / "golden", SHARED.parent / "golden")
_TINY: dict[str, Any] = {
    "model": "amsunet",
    "base_channels": 4,
    "crop": (64, 64),
    "batch_size": 4,
    "steps_per_epoch": 2,
}
_QUICK: dict[str, Any] = {
    "model": "unet",
    "base_channels": 4,
    "crop": (32, 32),
    "batch_size": 2,
    "steps_per_epoch": 2,
    "deterministic": True,
}


_LONGEST = (
    "test_export.py",
    "test_ray_engine.py",
    "test_zoo.py",
    "test_docs.py",
    "test_evaluate.py",
    "test_distributed.py",
    "test_slide.py",
    "test_cli.py",
    "test_ray_trials.py",
    "test_interruption.py",
    "test_networks.py",
    "test_compare.py",
    "test_train.py",
    "test_page_networks.py",
    "test_cost.py",
    "test_process_state.py",
    "test_light_study.py",
    "test_readme.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first: workers that get whole files then end at the same time."""
    rank = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_collection_finish() -> None:
    """No garbage is looked for in what was imported, by any test nor at the end."""
    gc.freeze()
    atexit.register(gc.freeze)


@pytest.fixture
def ended() -> Iterator[None]:
    """A test that waits for ever is ended."""
    previous = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it never ends"))
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """The folder of a public data set beside the repository; a test that asks for one that is absent is skipped."""

    def folder(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"needs the public data set {name} in shared/data beside the repository")
        return SHARED / name

    return folder


def _picture(seed: int, height: int = 40, width: int = 48) -> Array:
    """A smooth grey image of noise (H, W) of uint8, another one for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def _disc(seed: int, height: int = 40, width: int = 48) -> Array:
    """A mask (H, W) of bool with one disc somewhere."""
    rng = np.random.default_rng(seed)
    row, column = rng.integers(12, height - 12), rng.integers(12, width - 12)
    rows, columns = np.ogrid[:height, :width]
    return (rows - row) ** 2 + (columns - column) ** 2 < rng.integers(5, 10) ** 2


def _save(path: Path, array: Array) -> Path:
    """Write an image straight with Pillow, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


@pytest.fixture(scope="session")
def picture() -> Callable[..., Array]:
    return _picture


@pytest.fixture(scope="session")
def disc() -> Callable[..., Array]:
    return _disc


@pytest.fixture(scope="session")
def save() -> Callable[[Path, Array], Path]:
    return _save


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write ``count`` images with masks of values 0 and ``foreground`` into images/ and masks/ of a new folder."""

    def make(count: int = 12, *, foreground: int = 255, suffix: str = ".png", name: str = "set") -> Path:
        for number in range(count):
            _save(tmp_path / name / "images" / f"{number:02}{suffix}", _picture(number))
            _save(tmp_path / name / "masks" / f"{number:02}.png", np.uint8(foreground) * _disc(number))
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def save_volume() -> Callable[..., Path]:
    """Write an array (X, Y, Z) as NIfTI, with voxels of 0.8 x 0.8 x 5 mm where no affine is given."""
    nibabel = pytest.importorskip("nibabel", reason="needs the extra clinic")

    def save(path: Path, array: Array, affine: Array | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(array, np.diag([-0.8, -0.8, 5.0, 1.0]) if affine is None else affine), path)
        return path

    return save


@pytest.fixture
def make_volumes(tmp_path: Path, save_volume: Callable[..., Path]) -> Callable[..., Path]:
    """Write ``count`` volumes of 48 x 40 x 5 voxels as nnU-Net has them; a disc is in all slices but the outer ones."""

    def make(count: int = 4, *, name: str = "volumes", suffix: str = ".nii.gz") -> Path:
        for number in range(count):
            pictures = np.stack([_picture(10 * number + z).T for z in range(5)], axis=-1).astype(np.int16)
            discs = np.stack([_disc(number).T & (0 < z < 4) for z in range(5)], axis=-1)
            pictures[discs] += 300
            save_volume(tmp_path / name / "imagesTr" / f"case_{number:03}_0000{suffix}", pictures)
            save_volume(tmp_path / name / "labelsTr" / f"case_{number:03}{suffix}", discs.astype(np.uint8))
        return tmp_path / name

    return make


@contextmanager
def _logged() -> Iterator[list[str]]:
    """The lines that amsunet logs meanwhile, as the command line prints them."""
    lines: list[str] = []

    class _Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{'warning: ' * (record.levelno >= logging.WARNING)}{record.getMessage()}")

    logger, handler = logging.getLogger("amsunet"), _Lines()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.setLevel(before)
    logger.removeHandler(handler)


@pytest.fixture(scope="session")
def logged() -> Callable[[], AbstractContextManager[list[str]]]:
    return _logged


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines that amsunet logs in this test."""
    with _logged() as lines:
        yield lines


@pytest.fixture
def progress() -> Iterator[list[tuple[int, int, str]]]:
    """What is reported in this test: done, total, unit."""
    seen: list[tuple[int, int, str]] = []
    with reported_to(lambda done, total, unit, **_: seen.append((done, total, unit))):
        yield seen


def _drawn(names: np.ndarray, shapes: np.ndarray) -> dict[str, np.ndarray]:
    """The input and the weights that a golden file without them was computed from; RandomState never changes."""
    rng = np.random.RandomState(0)
    arrays = {"input0": np.random.RandomState(1).standard_normal((1, 3, 64, 96))}
    for name, text in zip(names, shapes, strict=True):
        shape = tuple(map(int, text.split()))
        if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            arrays[f"state/{name}"] = rng.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            arrays[f"state/{name}"] = rng.uniform(-0.3, 0.3, shape)
        else:
            arrays[f"state/{name}"] = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Read the golden arrays of one name; a test that asks for those beside the repository may be skipped."""

    def read(name: str) -> dict[str, np.ndarray]:
        path = next((folder / f"{name}.npz" for folder in _GOLDEN if (folder / f"{name}.npz").is_file()), None)
        if path is None:
            pytest.skip(f"needs {name}.npz, which is too large for the repository, in shared/golden beside it")
        with np.load(path) as file:
            arrays = dict(file)
        return arrays | _drawn(arrays["names"], arrays["shapes"]) if "names" in arrays else arrays

    return read


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Settings of a training of seconds, but for its budget."""
    return _TINY


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
    """The same of a network of few parts, for what is about trainings and not about AMSUnet: a third of the time."""
    return _QUICK


@pytest.fixture(scope="session")
def repeatable(tiny) -> dict[str, Any]:
    """Settings of a tiny training whose weights are always the same."""
    return {**tiny, "epochs": 3, "deterministic": True}


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A folder that the first worker who asks for it fills, for all of them."""
    base = tmp_path_factory.getbasetemp()
    top = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        path = top / "made" / name
        path.parent.mkdir(exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.with_suffix(".done").exists():
                make(path)
                path.with_suffix(".done").touch()
        return path

    return folder


@pytest.fixture(scope="session")
def whole(repeatable, made_once) -> Any:
    """A training that came to its end, and the lines it said; to read from."""

    def make(folder: Path) -> None:
        with _logged() as said:
            training = train("sample:nuclei", repeatable, out=folder / "run", device=CPU)
        (folder / "training.pickle").write_bytes(pickle.dumps((training, "\n".join(said))))

    training, said = pickle.loads((made_once("whole", make) / "training.pickle").read_bytes())
    return SimpleNamespace(training=training, run=training.run, said=said)


@pytest.fixture(scope="session")
def run(whole, tmp_path_factory) -> Path:
    """A copy of the run of ``whole``, to write into."""
    return Path(shutil.copytree(whole.run, tmp_path_factory.mktemp("runs") / "copy"))


@pytest.fixture(scope="session")
def ensemble(quick, made_once) -> Path:
    """A network for each of three folds, to read from."""

    def make(folder: Path) -> None:
        train("sample:nuclei", quick | {"epochs": 2}, out=folder / "run", folds=3, device=CPU)

    return made_once("ensemble", make) / "run"


@pytest.fixture(scope="session")
def captured_once(whole, made_once) -> Callable[[], Any]:
    """Within it every file of ONNX or OpenVINO is made from one capture, that of the run of ``whole``."""

    @contextlib.contextmanager
    def within() -> Iterator[None]:
        from amsunet.deployment import exporters

        capture = exporters._write_onnx

        def copy(_: torch.nn.Module, path: Path) -> None:
            def make(folder: Path) -> None:
                folder.mkdir()
                network, known = load_model(whole.run / FILE_NAME)
                fused, seen = for_inference(network, known.temperature), known.preprocessing
                capture(exporters.ExportModule(fused, seen.mean, seen.std), folder / "network.onnx")

            shutil.copyfile(made_once("captured", make) / "network.onnx", path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exporters, "_write_onnx", copy)
            yield

    return within


def _here(out: Path, trial: Any, threads: int) -> Any:
    """What ``compare`` asks of the process of a trial, of one that ran in this process."""
    log = out / "cells" / f"{trial.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        try:
            code = 0 if run_trial(out, trial.name) else STOPPED
        except Exception:
            traceback.print_exc(file=file)
            code = 1
    return SimpleNamespace(returncode=code, reason="", poll=lambda: code)


@pytest.fixture(scope="session")
def trials_here() -> Callable[[], Any]:
    """Within it a study runs its trials in this process: one of its own for each would spend seconds on imports."""

    @contextlib.contextmanager
    def within() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("amsunet.evaluation.trial_queue._start", _here)
            yield

    return within
