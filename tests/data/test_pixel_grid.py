"""Image and mask on one grid of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.discovery.layout import Sample
from amsunet.data.pixel_grid import refuse_other_size, warn_of_turned_apart
from amsunet.data.scan import scan_samples
from amsunet.errors import InputError


def _save(path: Path, width: int, height: int, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (width, height), 9).save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("mask", "orientation", "remedy"),
    [
        ((20, 40), 1, "one of them lies on its side: turn it"),
        ((20, 40), 6, r"only the image is marked as turned \(orientation 6\): save both upright"),
        ((20, 10), 1, "if both show the same, resize the mask .*by nearest neighbour"),
        ((79, 39), 1, "if both show the same, resize the mask"),
        ((40, 21), 1, "export both at the same size and of the same part"),
        ((30, 30), 1, "export both at the same size and of the same part"),
    ],
)
def test_a_mask_of_another_size_is_refused_with_what_keeps_it_true(tmp_path, mask, orientation, remedy):
    path = _save(tmp_path / "a.jpg", 40, 20, orientation)
    with pytest.raises(InputError, match=f"40 x 20 pixels, its mask .* {mask[0]} x {mask[1]}: {remedy}"):
        refuse_other_size(np.zeros((20, 40, 1)), np.zeros(mask[::-1]), path, tmp_path / "m.png")


@pytest.mark.parametrize(("orientation", "warned"), [(0, False), (1, False), (3, True), (9, False)])
def test_an_orientation_that_is_none_is_upright(tmp_path, orientation, warned):
    """Cameras write 0 where they do not know."""
    image, mask = _save(tmp_path / "a.jpg", 40, 20, orientation), _save(tmp_path / "m.png", 40, 20)
    scans, _ = scan_samples([Sample("a", image, {"": mask})])
    assert bool(warn_of_turned_apart(scans)) == warned
