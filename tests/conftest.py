"""What several tests need."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amsunet.data.images import Array
from amsunet.progress import reported_to
from amsunet.training.train import train

SHARED = Path(__file__).parents[2] / "shared" / "data"
_GOLDEN = SHARED.parent / "golden"
_TINY: dict[str, Any] = {
    "base_channels": 4,
    "crop": (64, 64),
    "batch_size": 4,
    "steps_per_epoch": 2,
    "device": "cpu",
    "precision": "float32",
}


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


@pytest.fixture
def picture() -> Callable[..., Array]:
    return _picture


@pytest.fixture
def disc() -> Callable[..., Array]:
    return _disc


@pytest.fixture
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


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Read the golden arrays of one name."""

    def read(name: str) -> dict[str, np.ndarray]:
        path = _GOLDEN / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"the golden file {path.name} does not lie beside the repository")
        with np.load(path) as file:
            return dict(file)

    return read


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Settings of a training of seconds, but for its budget."""
    return _TINY


@pytest.fixture(scope="session")
def repeatable(tiny) -> dict[str, Any]:
    """Settings of a tiny training whose weights are always the same."""
    return {**tiny, "epochs": 3, "deterministic": True}


@pytest.fixture(scope="session")
def whole(repeatable, tmp_path_factory) -> Any:
    """A training that came to its end, and the lines it said."""
    with _logged() as said:
        training = train("sample:nuclei", out=tmp_path_factory.mktemp("runs") / "whole", **repeatable)
    yield SimpleNamespace(training=training, run=training.run, said="\n".join(said))


@pytest.fixture(scope="session")
def run(whole, tmp_path_factory) -> Path:
    """A copy of the run of ``whole``, to write into."""
    return Path(shutil.copytree(whole.run, tmp_path_factory.mktemp("runs") / "copy"))


@pytest.fixture(scope="session")
def ensemble(repeatable, tmp_path_factory) -> Path:
    """A network for each of three folds, to read from."""
    out = tmp_path_factory.mktemp("runs") / "ensemble"
    train("sample:nuclei", out=out, folds=3, **repeatable | {"epochs": 2})
    return out
