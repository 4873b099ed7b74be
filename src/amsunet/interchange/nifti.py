"""Masks as NIfTI, in class numbers: of a single image with the size of a pixel and no place in space, which one image
has not; of a volume on the volume's own grid.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from amsunet.atomic_io import atomic_write
from amsunet.data.readers.nifti_volume import write_like
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.inference.volume_segmentation import VolumeSegmentation
from amsunet.optional import require

suffix = ".nii.gz"
_UNKNOWN = 0
"""The code of NIfTI for a grid that lies nowhere in particular."""


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write the mask of one image, (columns, rows, 1) of class numbers.

    Args:
        result: The segmentation.
        objects: Not used, because the numbers are those of classes.
        image: Not used.
        path: The file.

    Raises:
        InputError: If it cannot be written, or nibabel is not installed.
    """
    nibabel = require("nibabel")
    rows, columns = result.spacing or (1.0, 1.0)
    volume = nibabel.Nifti1Image(result.mask.T[..., None], np.diag([columns, rows, 1.0, 1.0]))
    volume.set_sform(None, _UNKNOWN)
    volume.set_qform(None, _UNKNOWN)
    volume.header.set_zooms((columns, rows, 1.0))
    volume.header.set_xyzt_units("mm" if result.spacing else "unknown")
    with atomic_write(path, durable=False) as temporary:
        temporary.write_bytes(gzip.compress(volume.to_bytes(), mtime=0))


def write_volume(result: VolumeSegmentation, path: Path) -> None:
    """Write the class numbers of a volume, whatever values its mask has, see ``result_formats.VolumeWriter``."""
    write_like(result.volume, path, result.labels, result.axis)
