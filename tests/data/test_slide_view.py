"""A slide's parts as the network sees them are those of the whole image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.data import slide_view
from amsunet.data.images import Array
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.slide_view import SlideView
from amsunet.data.slides import SlideError, open_slide

PARTS = [np.s_[0:64, 0:64], np.s_[32:96, 40:151], np.s_[100:150, 200:260]]


def _structure(height: int, width: int, dtype: type = np.uint8) -> Array:
    """Colours that change from part to part, darker towards one corner."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    image *= np.linspace(0.3, 1, height)[:, None, None]
    return (image * (np.iinfo(dtype).max // 255)).astype(dtype)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(image: Array, levels: int = 1) -> Path:
        settings = {"tile": (64, 64), "compression": "zlib", "photometric": "rgb"}
        with tifffile.TiffWriter(tmp_path / "slide.tif") as tiff:
            tiff.write(image, subifds=levels - 1, **settings)
            for level in range(1, levels):
                size = image.shape[1] >> level, image.shape[0] >> level
                tiff.write(np.asarray(Image.fromarray(image).resize(size)), subfiletype=1, **settings)
        return tmp_path / "slide.tif"

    return make


def _record(normalization: str, channels: int = 3, scale: float = 1.0) -> Preprocessing:
    return Preprocessing(
        in_channels=channels, normalization=normalization, scale=scale, mean=(0.5,) * channels, std=(0.2,) * channels
    )


@pytest.mark.parametrize("normalization", ["depth", "percentiles", "channels", "gamma"])
@pytest.mark.parametrize("scale", [1.0, 0.4, 0.77])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_parts_are_those_of_the_whole_image(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, normalization: str, scale: float, dtype: type
) -> None:
    monkeypatch.setattr(slide_view, "_READ", 96)
    image = _structure(500, 800, dtype)
    preprocessings = [_record(normalization, channels, scale) for channels in (1, 3)]
    with open_slide(write(image)) as slide:
        view = SlideView(slide, {kind.input_format: kind for kind in preprocessings})
        for kind in preprocessings:
            expected = kind.resize(kind.normalize(image))
            assert view.size == expected.shape[:2]
            for rows, columns in PARTS:
                found = view.read(rows, columns)[kind.input_format].astype(int)
                # Where the box begins is rounded in another way, which may change a pixel by one.
                assert np.abs(found - expected[rows, columns]).max() <= 1


def test_the_tone_of_a_large_image_is_that_of_squares_all_over_it(write: Callable[..., Path]) -> None:
    image = _structure(1500, 2100, np.uint16)
    kind = _record("gamma", 1)
    with open_slide(write(image)) as slide:
        view = SlideView(slide, {kind.input_format: kind})
        found = view.read(slice(0, 1500), slice(0, 2100))[kind.input_format].astype(int)
        sample = view.sample()[kind.input_format]
    assert np.abs(found - kind.normalize(image)).mean() < 4
    assert sample.shape[0] < 1200 and sample.shape[1] < 1200
    assert abs(sample.mean() - found.mean()) < 5


@pytest.mark.parametrize(("scale", "source"), [(1.0, 0), (0.6, 0), (0.5, 1), (0.3, 1), (0.25, 2), (0.1, 2)])
def test_pixels_come_from_the_coarsest_level_that_has_them(
    write: Callable[..., Path], scale: float, source: int
) -> None:
    image = _structure(1000, 1200)
    kind = _record("depth", 3, scale)
    with open_slide(write(image, levels=3)) as slide:
        view = SlideView(slide, {kind.input_format: kind})
        assert (view.source, view.image_size) == (source, (1000, 1200))
        rows, columns = slice(0, view.size[0]), slice(0, view.size[1])
        found = view.read(rows, columns)[kind.input_format].astype(int)
    assert np.abs(found - kind.resize(image)).mean() < 2


def test_a_level_may_be_named_and_must_be_there(write: Callable[..., Path]) -> None:
    kind = _record("depth")
    with open_slide(write(_structure(1000, 1200), levels=3)) as slide:
        assert SlideView(slide, {kind.input_format: kind}, 2).image_size == (250, 300)
        with pytest.raises(SlideError, match="no level 3: choose 0 to 2"):
            SlideView(slide, {kind.input_format: kind}, 3)
    with (
        open_slide(write(_structure(100, 100))) as slide,
        pytest.raises(SlideError, match="no level 1: leave it out"),
    ):
        SlideView(slide, {kind.input_format: kind}, 1)


def test_a_slide_of_another_type_is_seen_in_its_own_range_with_a_note(write: Callable[..., Path]) -> None:
    image, kind = _structure(300, 400), _record("depth")
    with open_slide(write(image.astype(np.uint16) * 16)) as slide:
        view = SlideView(slide, {kind.input_format: kind})
        assert np.abs(view.read(slice(0, 300), slice(0, 400))[kind.input_format].astype(int) - image).max() <= 1
        assert "seen as 0 to 4095; the training images have 8 bits" in view.guess
    with open_slide(write(image)) as slide:
        assert not SlideView(slide, {kind.input_format: kind}).guess


def test_a_look_at_one_kind_windows_no_other(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.full((128, 128, 3), 60, np.uint8)
    image[:, :64] = 190
    image += np.random.default_rng(0).integers(0, 20, (128, 128, 1), dtype=np.uint8)
    preprocessings = {kind.input_format: kind for kind in (_record("bright_on_dark", 1), _record("gamma", 1))}
    windowed: list[str] = []
    plain = Preprocessing.normalize

    def count(self: Preprocessing, *given: object) -> Array:
        windowed.append(self.normalization)
        return plain(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Preprocessing, "normalize", count)
    with open_slide(write(image)) as slide:
        chosen = SlideView(slide, preprocessings).choose_ranges(lambda key, found, look: (look(found), found)[1])
    assert len(chosen) == 1 and set(windowed) == {"bright_on_dark"}
