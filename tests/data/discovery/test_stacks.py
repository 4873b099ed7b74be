"""TIFF files of several slices or moments as data sets, where a user sets their axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from amsunet.data.dataset import open_dataset
from amsunet.data.options import DataOptions
from amsunet.errors import InputError

PIXELS = np.random.default_rng(3).integers(0, 255, (3, 4, 32, 36), dtype=np.uint8)
MASKS = np.zeros((3, 4, 32, 36), np.uint8)
for _number in range(3):
    MASKS[_number, :, 4 + _number : 20, 6:20] = 1


@pytest.fixture
def stacks(tmp_path: Path) -> Callable[..., Path]:
    def make(pixels: np.ndarray = PIXELS, masks: np.ndarray = MASKS, axes: str = "") -> Path:
        for folder, arrays in (("images", pixels), ("masks", masks)):
            (tmp_path / folder).mkdir()
            for number, array in enumerate(arrays):
                metadata = {"axes": axes} if axes and folder == "images" else None
                tifffile.imwrite(
                    tmp_path / folder / f"s{number}.tif", array, photometric="minisblack", metadata=metadata
                )
        return tmp_path

    return make


@pytest.mark.parametrize("axes", ["ZYX", "tyx"])
def test_every_plane_is_a_sample_of_its_file(stacks: Callable[..., Path], axes: str) -> None:
    dataset = open_dataset(stacks(), DataOptions(axes=axes))
    letter = axes[0].lower()
    names = [sample.name for sample in dataset.samples]
    assert names == [f"s{number}_{letter}{plane:03}" for number in range(3) for plane in range(4)]
    assert {sample.group for sample in dataset.samples} == {"s0", "s1", "s2"}
    image, labels = dataset.read(dataset.samples[6])
    assert np.array_equal(image[..., 0], PIXELS[1, 2]) and np.array_equal(labels, MASKS[1, 2])


def test_planes_of_several_channels(stacks: Callable[..., Path]) -> None:
    pixels = np.stack([PIXELS, 255 - PIXELS], axis=2)
    dataset = open_dataset(stacks(pixels, axes="ZCYX"), DataOptions(axes="ZCYX"))
    assert len(dataset.samples) == 12 and {scan.channels for scan in dataset.scans} == {2}
    assert np.array_equal(dataset.read(dataset.samples[5])[0], np.moveaxis(pixels[1, 1], 0, 2))


def test_pages_as_channels_have_one_mask(stacks: Callable[..., Path]) -> None:
    dataset = open_dataset(stacks(masks=MASKS[:, 0]), DataOptions(axes="CYX"))
    assert [scan.channels for scan in dataset.scans] == [4, 4, 4]
    assert [sample.name for sample in dataset.samples] == ["s0", "s1", "s2"]


def test_without_axes_nothing_is_guessed(stacks: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"s0.tif holds 4 pages: .*--axes CYX if they are channels, --axes ZYX if"):
        open_dataset(stacks())


def test_masks_of_fewer_planes_are_refused(stacks: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"s0.tif holds 4 slices or moments, its mask .*s0.tif 3: give it a mask"):
        open_dataset(stacks(masks=MASKS[:, :3]), DataOptions(axes="ZYX"))


@pytest.mark.parametrize("axes", ["XYZ", "ZZYX", "YXZ", "", "ZYXCS"])
def test_axes_that_no_file_has_are_refused_at_once(axes: str) -> None:
    with pytest.raises(InputError, match=r"--axes .*: write some of T, Z and C"):
        DataOptions(axes=axes)
