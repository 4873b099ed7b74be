"""Untrained models in a file: what prediction does with a network does not depend on its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from amsunet.data.images import write_image
from amsunet.data.masks import MaskConvention
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device
from amsunet.inference.model_file import save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.open_model import Member
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import create_model


@pytest.fixture(scope="session")
def device() -> Device:
    return Device("cpu", "float32", torch.get_num_threads())


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Path]:
    """Write a run folder with a model of some convention; further settings are those of its description."""

    def make(
        kind: str = "values",
        values: tuple[int, ...] = (0, 255),
        names: tuple[str, ...] = ("background", "foreground"),
        *,
        in_channels: int = 1,
        scale: float = 1.0,
        normalization: str = "depth",
        channel_names: tuple[str, ...] = (),
        **settings: Any,
    ) -> Path:
        torch.manual_seed(0)
        arguments = {"in_channels": in_channels, "num_classes": len(names), "base_channels": 4}
        network = create_model("unet", **arguments)  # of few parts, which are soon made, read and run
        # Untrained logits hardly differ; these let every class win somewhere.
        torch.nn.init.normal_(network.head.weight, std=50.0)
        torch.nn.init.zeros_(network.head.bias)
        description = ModelDescription(
            model="unet",
            arguments=arguments,
            preprocessing=Preprocessing(
                in_channels=in_channels,
                channel_names=channel_names,
                normalization=normalization,
                scale=scale,
                mean=(0.5,) * in_channels,
                std=(0.2,) * in_channels,
            ),
            convention=MaskConvention(kind=kind, values=values, class_names=names),
            **settings,
        )
        run = tmp_path / "run"
        save_model(run / FILE_NAME, network, description)
        return run

    return make


@pytest.fixture
def make_light_predictor(monkeypatch) -> Callable[..., Predictor]:
    """A predictor that finds what is brighter than its surroundings, in NumPy: it survives a fork, and is fast."""

    def make(
        checksum: str = "weights",
        *,
        change: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
        names: tuple[str, ...] = ("background", "foreground"),
        kind: str = "values",
        **settings: Any,
    ) -> Predictor:
        def runtime(images: np.ndarray) -> np.ndarray:
            bright = (images[:, :1].astype(np.float32) - 128) / 50
            return change(np.concatenate([-bright, *[bright] * (len(names) - 1)], axis=1))

        description = ModelDescription(
            model="amsunet",
            arguments={},
            preprocessing=Preprocessing(in_channels=1, normalization="depth", scale=1.0, mean=(0.5,), std=(0.2,)),
            convention=MaskConvention(kind=kind, values=(0, 255, 128)[: len(names)], class_names=names),
            **settings,
        )
        with monkeypatch.context() as patch:
            members = [Member(runtime, description, checksum)]
            patch.setattr("amsunet.inference.predictor.open_members", lambda *_: (members, None))
            patch.setattr("amsunet.inference.model_ref.ModelRef.resolve", lambda name: name)
            return Predictor("light")

    return make


@pytest.fixture
def make_predictor(make_run, device) -> Callable[..., Predictor]:
    """Load a predictor of a model as ``make_run`` writes it."""

    def make(*given: Any, tta: str = "none", flips_allowed: str = "both", **settings: Any) -> Predictor:
        options = RuntimeOptions(device=device.type, precision=device.precision, tta=tta)
        return Predictor(make_run(*given, flips=flips_allowed, **settings), options)

    return make


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """A seeded grey or colour image with structure at several scales."""

    def draw(height: int, width: int, *, channels: int = 0, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        blocks = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, max(1, channels)))
        image = np.kron(blocks, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)
        return image if channels else image[..., 0]

    return draw


@pytest.fixture(scope="session")
def write_pyramid() -> Callable[[Path, np.ndarray], None]:
    """Write an image as a slide: a pyramid of two levels, in tiles."""

    def write(path: Path, image: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = {"tile": (64, 64), "compression": "zlib", "photometric": "minisblack"}
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(image, subifds=1, **settings)
            tiff.write(image[::2, ::2], subfiletype=1, **settings)

    return write


@pytest.fixture
def images(tmp_path, picture):
    """A folder of images of several sizes, types and depths of folder; every name by its size."""
    sizes = {"a": (40, 48), "b": (40, 48), "c": (33, 70), "sub/d": (12, 20), "e.with.dots": (40, 48)}
    for seed, (name, size) in enumerate(sizes.items()):
        write_image(tmp_path / "images" / f"{name}.png", picture(*size, seed=seed))
    (tmp_path / "images" / "notes.md").write_text("no image")
    (tmp_path / "images" / ".hidden.png").write_text("no image")
    return tmp_path / "images", sizes
