"""Objects as a TIFF in which each pixel holds the number of its object: 16 bits, 32 above 65,535 objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from amsunet.atomic_io import atomic_write
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.calibration import calibrate

suffix = ".tif"
_MOST = 65_535


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write objects as numbers, see ``result_formats.Writer``.

    The size of a pixel stands where ImageJ looks for it. ImageJ's form has no integers of 32 bits: those are in the
    form of OME.
    """
    pixel = calibrate(result.spacing)
    settings: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack"}
    if len(objects) <= _MOST:
        numbers, of_imagej = objects.numbers.astype(np.uint16), True
        settings["metadata"] = {"axes": "YX"}
        if pixel is not None:
            settings["metadata"]["unit"] = {"µm": "micron"}.get(pixel.unit, pixel.unit)  # its text is ASCII
            settings["resolution"] = (1 / pixel.width, 1 / pixel.height)
    else:
        numbers, of_imagej = objects.numbers.astype(np.uint32), False
        settings["metadata"] = {"axes": "YX"}
        if pixel is not None:
            settings["metadata"] |= {
                "PhysicalSizeX": pixel.width,
                "PhysicalSizeXUnit": pixel.unit,
                "PhysicalSizeY": pixel.height,
                "PhysicalSizeYUnit": pixel.unit,
            }
    with atomic_write(path, durable=False) as temporary:
        tifffile.imwrite(temporary, numbers, imagej=of_imagej, ome=not of_imagej, **settings)
