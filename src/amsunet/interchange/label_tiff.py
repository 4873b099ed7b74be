"""Objects as a TIFF in which each pixel holds the number of its object: 16 bits, 32 above 65,535 objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from amsunet.atomic_io import atomic_write
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.inference.volume_segmentation import VolumeSegmentation
from amsunet.interchange.calibration import Calibration, calibrate

suffix = ".tif"
_MOST = 65_535


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write objects as numbers, see ``result_formats.Writer``.

    The size of a pixel stands where ImageJ looks for it. ImageJ's form has no integers of 32 bits: those are in the
    form of OME.
    """
    _write(objects, calibrate(result.spacing), None, path)


def write_volume(result: VolumeSegmentation, path: Path) -> None:
    """Write the objects of a volume as a stack of slices, which lie as those that the network saw."""
    voxel = result.voxel
    pixel = calibrate(voxel and voxel[1:])
    _write(result.objects, pixel, voxel[0] * pixel.per_millimetre if voxel and pixel else None, path)


def _write(objects: Objects, pixel: Calibration | None, distance: float | None, path: Path) -> None:
    """Write (H, W) or (n, H, W); ``distance`` is from slice to slice, in the unit of the pixel."""
    axes = "YX" if objects.numbers.ndim == 2 else "ZYX"
    settings: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack", "metadata": {"axes": axes}}
    of_imagej = len(objects) <= _MOST
    if pixel is not None and of_imagej:
        settings["metadata"]["unit"] = {"µm": "micron"}.get(pixel.unit, pixel.unit)  # its text is ASCII
        settings["metadata"] |= {} if distance is None else {"spacing": distance}
        settings["resolution"] = (1 / pixel.width, 1 / pixel.height)
    elif pixel is not None:
        sizes = {"X": pixel.width, "Y": pixel.height} | ({} if distance is None else {"Z": distance})
        for name, size in sizes.items():
            settings["metadata"] |= {f"PhysicalSize{name}": size, f"PhysicalSize{name}Unit": pixel.unit}
    numbers = objects.numbers.astype(np.uint16 if of_imagej else np.uint32)
    with atomic_write(path, durable=False) as temporary:
        tifffile.imwrite(temporary, numbers, imagej=of_imagej, ome=not of_imagej, **settings)
