"""Masks that are kept are those of the files."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.masks.files import read_region
from amsunet.data.masks.joined import open_sample_mask
from amsunet.data.masks.mask_cache import MaskCache

Save = Callable[[Path, Array], Path]


@pytest.fixture
def sample(tmp_path: Path, save: Save) -> Sample:
    boxes = np.zeros((2, 20, 30, 3), np.uint8)
    boxes[0, 2:6, 3:9], boxes[1, 10:15, 20:29] = 255, 255
    image, roi = save(tmp_path / "a.png", boxes[0]), save(tmp_path / "roi.png", boxes[1])
    first, second = (save(tmp_path / f"a_mask_{number}.png", box) for number, box in enumerate(boxes))
    return Sample("a", image, {"": first}, more_masks={"": (second,)}, roi=roi)


def test_it_opens_what_the_files_hold_and_keeps_it_until_it_is_dropped(sample: Sample) -> None:
    cache = MaskCache()
    for apart in (False, True):
        found = cache.open(sample, "", apart=apart)
        assert np.array_equal(found.pixels, open_sample_mask(sample, "", apart=apart).pixels)
        assert cache.open(sample, "", apart=apart) is found
    assert np.array_equal(cache.region(sample.roi), read_region(sample.roi))
    assert cache.region(sample.roi) is cache.region(sample.roi)
    room = cache._files.room
    kept = cache.open(sample, "")
    cache.drop(sample)
    assert cache.open(sample, "") is not kept and cache._files.room > room
    cache.clear()
    assert cache.open(sample, "") is not kept


def test_a_copy_is_empty(sample: Sample) -> None:
    cache = MaskCache()
    kept = cache.open(sample, "")
    copied = pickle.loads(pickle.dumps(cache))
    assert copied.open(sample, "") is not kept and cache.open(sample, "") is kept


def test_what_is_shared_cannot_be_written_to_and_holds_no_more_than_it_shows(sample: Sample) -> None:
    pixels = MaskCache().open(sample, "").pixels
    assert pixels.base is None or pixels.base.nbytes <= pixels.nbytes
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1
