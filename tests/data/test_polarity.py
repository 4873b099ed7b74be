"""Whether an image shows dark objects on bright ground."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import find_samples
from amsunet.data.images import Array, read_image
from amsunet.data.normalization import has_dark_objects
from amsunet.data.polarity import find_polarity
from amsunet.data.preprocessing import Preprocessing

STAINS = {"haematoxylin": (0.65, 0.70, 0.29), "eosin": (0.07, 0.99, 0.11), "DAB": (0.27, 0.57, 0.78)}
"""Optical density in red, green and blue (Ruifrok and Johnston 2001)."""


def _objects(count: int, seed: int = 0) -> Array:
    """How much of an object there is at each pixel: discs, up to where little else is left."""
    rng = np.random.default_rng(seed)
    found = np.zeros((128, 128))
    for y, x in rng.integers(0, 128, (count, 2)):
        found[disk((y, x), 9, shape=found.shape)] = 1
    return found


def _tissue(count: int, *, nuclei: str = "haematoxylin", exposure: float = 1.0, gamma: float = 1.0) -> Array:
    """Light through stained nuclei in eosin, by the law of Beer and Lambert."""
    rng = np.random.default_rng(1)
    density = _objects(count)[..., None] * STAINS[nuclei] * 1.1
    density = density + np.array(STAINS["eosin"]) * (0.1 + 0.1 * rng.random((128, 128, 1)))
    light = exposure * 10 ** -(density + 0.02 * rng.random(density.shape))
    return (255 * light**gamma).round().astype(np.uint8)


def _fluorescence(count: int, colour: tuple[float, ...] = (1,), haze: float = 0.02) -> Array:
    rng = np.random.default_rng(1)
    light = haze + _objects(count) * rng.uniform(0.4, 0.9) + 0.02 * rng.random((128, 128))
    light = light[..., None] * np.array(colour)
    return (255 * np.clip(light, 0, 1)).round().astype(np.uint8)


@pytest.mark.parametrize("nuclei", ["haematoxylin", "DAB"])
@pytest.mark.parametrize("settings", [{}, {"exposure": 0.5}, {"gamma": 2.0}, {"gamma": 0.6}])
@pytest.mark.parametrize("count", [5, 40, 90])
def test_stained_tissue_is_inverted_however_dark_and_dense(count: int, settings: dict[str, float], nuclei: str) -> None:
    image = _tissue(count, nuclei=nuclei, **settings)
    for dtype in (np.uint8, np.uint16, np.float32):
        top = 1 if dtype is np.float32 else np.iinfo(dtype).max
        scaled = (image / 255 * top).astype(dtype)
        assert has_dark_objects(scaled)
    assert find_polarity(image, 0.3).sure
    framed = image.copy()
    framed[:, :40] = 0
    assert find_polarity(framed, 0.3) == (True, True, 0.0), "a black frame is left out"


@pytest.mark.parametrize("count", [5, 40, 90])
def test_tissue_in_hardly_any_light_is_in_doubt_at_most(count: int) -> None:
    found = find_polarity(_tissue(count, gamma=3.5), 0.2)
    assert found.dark_objects or not found.sure


@pytest.mark.parametrize("colour", [(0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0)])
@pytest.mark.parametrize("count", [5, 40, 120])
def test_fluorescence_in_colours_is_never_inverted(count: int, colour: tuple[float, ...]) -> None:
    image = _fluorescence(count, colour, haze=0.2)
    assert not has_dark_objects(image)
    assert find_polarity(image, 0.8).sure


@pytest.mark.parametrize("ground", [(130, 125, 115), (130, 130, 130), (110, 130, 112)], ids=["warm", "grey", "green"])
@pytest.mark.parametrize("noise", [2, 8])
@pytest.mark.parametrize("count", [5, 20])
def test_bright_cells_on_grey_ground_are_no_tissue_though_the_camera_is_tinted(
    ground: tuple[int, ...], noise: float, count: int
) -> None:
    shade = 1 + 0.45 * _objects(count)[..., None]
    image = np.array(ground) * shade + np.random.default_rng(3).normal(0, noise, (128, 128, 3))
    image = np.clip(image, 0, 255).round().astype(np.uint8)
    low, high = np.percentile(image, (0.5, 99.5))
    assert not find_polarity(image, np.clip((image - low) / (high - low), 0, 1).mean()).dark_objects


@pytest.mark.parametrize("count", [3, 20])
def test_grey_images_go_by_their_ground(count: int) -> None:
    image = _fluorescence(count)
    assert not has_dark_objects(image) and has_dark_objects(255 - image)
    assert find_polarity(image, image.mean() / 255).sure


def test_a_network_of_grey_images_knows_tissue_by_its_colours_too() -> None:
    image = _tissue(90, gamma=2.0)
    record = Preprocessing(in_channels=1, normalization="bright_on_dark", mean=(0.5,), std=(0.2,))
    found = record.find_range(image)
    assert found.low > found.high and found.other is None
    assert (
        not record.find_range(image[..., 1:2]).low > found.high or record.find_range(image[..., 1:2]).other is not None
    )


def test_a_crowd_of_grey_objects_is_in_doubt_and_the_smooth_ground_decides() -> None:
    rng = np.random.default_rng(2)
    crowd = _objects(75)
    assert 0.5 < crowd.mean() < 0.8
    image = 40 + crowd * rng.uniform(60, 200, crowd.shape)  # the objects are rough, the ground is smooth
    image = image.round().astype(np.uint8)[..., None]
    for one, dark in ((image, False), (255 - image, True)):
        found = find_polarity(one, 0.5)
        assert (found.dark_objects, found.sure) == (dark, False) and found.lead > 0
        found = Preprocessing(in_channels=1, normalization="bright_on_dark", mean=(0.5,), std=(0.2,)).find_range(one)
        if found.other is not None:
            assert (found.low > found.high) != (found.other.low > found.other.high)


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_flat_image_is_not_inverted(value: int, channels: int) -> None:
    assert not has_dark_objects(np.full((20, 20, channels), value, np.uint8))


def test_the_nuclei_that_come_with_the_package_and_their_source_stay_as_networks_were_trained(shared) -> None:
    """The rule until now was the mean of the image alone; on these images both agree."""
    for source in (locate("sample:nuclei"), shared("DSB2018")):
        for sample in find_samples(source).samples[::9]:
            image = read_image(sample.image)
            low, high = np.percentile(image, (0.5, 99.5))
            assert has_dark_objects(image) == (np.clip((image - low) / (high - low), 0, 1).mean() > 0.5)


def test_every_gland_tissue_is_inverted(shared) -> None:
    for path in sorted(shared("GlaS").rglob("*.jpg"))[::12]:
        image = read_image(path)
        darker = (255 * (image / 255.0) ** 2).astype(np.uint8)
        assert has_dark_objects(image) and has_dark_objects(darker) and has_dark_objects(darker[:128, :128]), path
