"""Images of every kind that the page is held against the package on, made of a real one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from amsunet.data.builtin_samples import locate
from amsunet.data.images import Array

_TISSUE = np.array([0.35, 0.75, 0.45])
"""How much of each colour a stain takes away."""


def _stained(grey: Array, seed: int = 3) -> Array:
    """Bright field of what was bright on dark, with noise in each channel."""
    noise = np.random.default_rng(seed).normal(0, 3, (*grey.shape, 3))
    return np.clip(245 - grey[..., None] * _TISSUE + noise, 0, 255).astype(np.uint8)


def _file(array: Any, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def make_images() -> dict[str, tuple[str, bytes]]:
    """The suffix and the content of the file of each kind."""
    grey = np.asarray(Image.open(locate("sample:brain") / "test/images/brain_z092.png", formats=("PNG",)))[
        30:126, 20:132
    ]
    nuclei = np.asarray(Image.open(locate("sample:nuclei") / "test/images/nuclei_y256_x384.png", formats=("PNG",)))
    rgb = _stained(grey)
    deep = (grey.astype(np.uint16) * 200 + np.random.default_rng(4).integers(0, 90, grey.shape)).astype(np.uint16)
    alpha = np.dstack([rgb, np.arange(rgb[..., 0].size).reshape(grey.shape) % 256]).astype(np.uint8)
    large = np.asarray(Image.fromarray(grey).resize((2000, 1500), Image.Resampling.BICUBIC))
    return {
        "grey": (".png", _file(nuclei)),
        "rgb": (".png", _file(rgb)),
        "16 bits": (".png", _file(deep)),
        "tiff": (".tif", _file(rgb, "TIFF", compression="tiff_lzw")),
        "jpeg": (".jpg", _file(rgb, "JPEG")),
        "alpha": (".png", _file(alpha)),
        "dark": (".png", _file(rgb // 12)),
        "33 x 47": (".png", _file(rgb[:47, :33])),
        "31 x 200": (".png", _file(_stained(np.tile(grey, (3, 1)))[:200, :31])),
        "fractions": (".tif", _file(deep.astype(np.float32) / 51_234, "TIFF")),
        "2,000 x 1,500": (".png", _file(_stained(large), compress_level=1)),
    }
