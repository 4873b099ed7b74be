"""Any part of a large image, as it lies in the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from amsunet.data import slides
from amsunet.data.images import Array, read_image
from amsunet.data.slides import SlideError, TiffSlide, is_slide, open_slide
from amsunet.errors import InputError
from amsunet.optional import install_command

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (301, 403, 3), dtype=np.uint8)
PARTS = [np.s_[0:301, 0:403], np.s_[0:1, 0:1], np.s_[100:200, 37:300], np.s_[290:301, 400:403], np.s_[63:65, 127:129]]

needs_codecs = pytest.mark.skipif(find_spec("imagecodecs") is None, reason='needs pip install "amsunet[slides]"')


def _write(path: Path, image: Array = IMAGE, **settings: Any) -> Path:
    tifffile.imwrite(path, image, photometric="rgb" if image.ndim == 3 else "minisblack", **settings)
    return path


def _pyramid(path: Path, image: Array = IMAGE, *, inside: bool = True, **settings: Any) -> Path:
    """A TIFF with two coarser levels, inside the first page or as pages behind it."""
    settings = {"tile": (64, 128), "compression": "zlib", "photometric": "rgb"} | settings
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(image, subifds=2 if inside else 0, metadata=None, **settings)
        for step in (2, 4):
            tiff.write(image[::step, ::step], subfiletype=1, metadata=None, **settings)
    return path


@pytest.mark.parametrize(
    "settings",
    [
        {"tile": (64, 128)},
        {"tile": (64, 128), "compression": "zlib"},
        {"tile": (64, 128), "compression": "zlib", "bigtiff": True},
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "compression": "zlib"},
        {"rowsperstrip": 1, "compression": "zlib", "byteorder": ">"},
        {"tile": (64, 128), "planarconfig": "separate", "compression": "zlib"},
        {"planarconfig": "separate"},
    ],
)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "grey", "alpha"])
def test_parts_are_those_of_the_whole_image(tmp_path: Path, settings: dict[str, Any], kind: str) -> None:
    image, expected = IMAGE, IMAGE
    if kind in ("uint16", "float32"):
        image = expected = (IMAGE.astype(kind) * 100).astype(kind)
    if kind == "grey":
        if "planarconfig" in settings:
            pytest.skip("grey has one plane")
        image, expected = IMAGE[..., 0], IMAGE[..., :1]
    if kind == "alpha":
        image = np.concatenate([IMAGE, IMAGE[..., :1]], axis=2)
    stored = np.moveaxis(image, 2, 0) if settings.get("planarconfig") == "separate" else image
    path = _write(tmp_path / "image.tif", stored, **settings)
    with open_slide(path) as slide:
        assert slide.sizes == [(301, 403)]
        for rows, columns in PARTS:
            part = slide.read(0, rows, columns)
            assert part.dtype == expected.dtype and np.array_equal(part, expected[rows, columns])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("settings", [{"tile": (64, 64), "compression": "zlib"}, {"byteorder": ">"}])
def test_white_may_be_zero(tmp_path: Path, dtype: type, settings: dict[str, Any]) -> None:
    path, grey = tmp_path / "image.tif", IMAGE[..., 0].astype(dtype)
    tifffile.imwrite(path, grey, photometric="miniswhite", **settings)
    with open_slide(path) as slide:
        part = slide.read(0, slice(0, 99), slice(5, 77))
    assert np.array_equal(part[..., 0], np.iinfo(dtype).max - grey[:99, 5:77])
    assert np.array_equal(read_image(path)[:99, 5:77], part), "as it is read whole"


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "float64"])
@pytest.mark.parametrize("settings", [{}, {"tile": (64, 64), "compression": "zlib"}])
def test_other_types_are_read_as_they_are_whole(tmp_path: Path, dtype: str, settings: dict[str, Any]) -> None:
    pixels = (IMAGE[..., 0].astype(int) - (0 if dtype == "uint32" else 100)).clip(-100, 127).astype(dtype)
    path = _write(tmp_path / "image.tif", pixels, **settings)
    with open_slide(path) as slide:
        part = slide.read(0, slice(9, 99), slice(5, 77))
    assert part.dtype == np.float32 and np.array_equal(part[..., 0], pixels[9:99, 5:77])
    assert np.array_equal(read_image(path)[9:99, 5:77], part)


@pytest.mark.parametrize("inside", [True, False])
def test_levels_of_a_pyramid_finest_first(tmp_path: Path, inside: bool) -> None:
    path = _pyramid(tmp_path / "image.tif", inside=inside)
    assert is_slide(path)
    with open_slide(path) as slide:
        assert slide.sizes == [(301, 403), (151, 202), (76, 101)]
        for level, step in enumerate((1, 2, 4)):
            part = slide.read(level, slice(10, 70), slice(3, 99))
            assert np.array_equal(part, IMAGE[::step, ::step][10:70, 3:99])


def test_tiles_that_are_not_stored_are_empty(tmp_path: Path) -> None:
    sparse = np.zeros_like(IMAGE)
    sparse[:64, :128] = IMAGE[:64, :128]
    tiles = (sparse[:64, :128] if number == 0 else None for number in range(5 * 4))
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, tiles, shape=IMAGE.shape, dtype=np.uint8, photometric="rgb", tile=(64, 128),
                     compression="zlib")  # fmt: skip
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(0, slice(0, 301), slice(0, 403)), sparse)


def test_what_is_unpacked_is_kept_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "image.tif", tile=(64, 64), compression="zlib")
    monkeypatch.setattr(slides, "_KEPT_BLOCKS", 3 * 64 * 64 * 3)
    unpacked: list[int] = []
    unpack = slides._unpacked
    monkeypatch.setattr(slides, "_unpacked", lambda page, index: unpacked.append(index) or unpack(page, index))
    with TiffSlide(path) as slide:
        unpacked.clear()
        for _ in range(2):
            assert np.array_equal(slide.read(0, slice(0, 60), slice(0, 180)), IMAGE[:60, :180])
        assert unpacked == [0, 1, 2], "neighbours ask again"
        slide.read(0, slice(0, 301), slice(0, 403))
        assert sum(block.nbytes for block in slide._blocks.values()) == slide._kept <= 3 * 64 * 64 * 3


def test_large_images_and_pyramids_are_slides_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _write(tmp_path / "plain.tif", tile=(64, 64), compression="zlib")
    assert not is_slide(plain) and not is_slide(tmp_path / "photograph.png") and not is_slide(tmp_path / "gone.tif")
    assert is_slide(tmp_path / "scan.svs") and is_slide(tmp_path / "SCAN.NDPI")
    (tmp_path / "broken.tif").write_bytes(plain.read_bytes()[:100])
    assert not is_slide(tmp_path / "broken.tif"), "read_image reports what is wrong"
    several = tmp_path / "several.tif"
    tifffile.imwrite(several, np.stack([IMAGE, IMAGE]), photometric="rgb")
    assert not is_slide(several)
    monkeypatch.setattr(slides, "LARGE_PIXELS", 300 * 400)
    assert is_slide(plain) and not is_slide(several)


def _with_compression(path: Path, code: int) -> Path:
    """A file that declares another compression for its tiles."""
    _write(path, tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(code)
    return path


@pytest.mark.parametrize("code", [65000, 34713])
@pytest.mark.parametrize("read", [open_slide, read_image])
def test_a_compression_that_cannot_be_read_is_named(tmp_path: Path, read: Callable[[Path], Any], code: int) -> None:
    path = _with_compression(tmp_path / "image.tif", code)
    with pytest.raises(InputError, match=r"image.tif is compressed as .*Deflate"):
        read(path)


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs is installed")
@pytest.mark.parametrize("read", [open_slide, read_image])
def test_the_extra_that_brings_a_compression_is_named(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    path = _with_compression(tmp_path / "image.tif", 34712)
    with pytest.raises(
        InputError, match=f"is compressed as JPEG2000: {re.escape(install_command('slides'))} installs the decoder"
    ):
        read(path)


@needs_codecs
@pytest.mark.parametrize("compression", ["lzw", "jpeg", "jpeg2000", "zstd", "webp"])
def test_compressions_that_the_extra_brings(tmp_path: Path, compression: str) -> None:
    smooth = np.repeat(np.repeat(IMAGE[:50, :50], 8, axis=0), 8, axis=1)
    path = _write(tmp_path / "image.tif", smooth, tile=(128, 128), compression=compression)
    whole = tifffile.imread(path)
    assert np.abs(whole.astype(int) - smooth).mean() < 10
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(0, slice(100, 300), slice(37, 399)), whole[100:300, 37:399])
    assert np.abs(read_image(path).astype(int) - smooth).mean() < 10


@pytest.mark.parametrize(
    ("settings", "image", "reason"),
    [
        ({}, IMAGE.astype(np.complex64), "stores complex64 pixels"),
        ({}, np.stack([IMAGE, IMAGE]), "holds several pages"),
        ({"tile": (64, 64), "compression": "zlib"}, np.where(IMAGE > 9, np.nan, 1).astype(np.float32), "not finite"),
    ],
)
def test_what_cannot_be_read_in_parts_is_refused(
    tmp_path: Path, settings: dict[str, Any], image: Array, reason: str
) -> None:
    tifffile.imwrite(tmp_path / "image.tif", image, photometric="rgb", **settings)
    with pytest.raises(SlideError, match=reason), open_slide(tmp_path / "image.tif") as slide:
        slide.read(0, slice(0, 50), slice(0, 50))


def test_blocks_too_large_for_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slides, "_LARGEST_BLOCK", 1 << 16)
    with pytest.raises(SlideError, match="blocks of 403 x 301 pixels, too large to be read in parts: save it in tiles"):
        open_slide(_write(tmp_path / "image.tif", rowsperstrip=301, compression="zlib"))


@pytest.mark.parametrize("cut", [0, 4, 60, 20_000])
def test_a_damaged_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = _pyramid(tmp_path / "image.tif")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SlideError, match=r"image.tif .*(damaged|holds)"), open_slide(path) as slide:
        slide.read(0, slice(0, 301), slice(0, 403))
    with pytest.raises(SlideError, match="does not exist"):
        open_slide(tmp_path / "gone.tif")


def test_a_want_of_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    path = _pyramid(tmp_path / "scan.tif")
    with open_slide(path) as slide:
        monkeypatch.setattr(TiffSlide, "_from_blocks", fail)
        with pytest.raises(MemoryError):
            slide.read(0, slice(0, 9), slice(0, 9))


def test_a_damaged_tile_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "image.tif", tile=(64, 64), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        begin = tiff.pages[0].dataoffsets[-1]
    content[begin : begin + 40] = bytes(40)
    path.write_bytes(content)
    with open_slide(path) as slide:
        slide.read(0, slice(0, 64), slice(0, 64))
        with pytest.raises(SlideError, match="is damaged"):
            slide.read(0, slice(280, 301), slice(390, 403))


class TestOpenSlide:
    """A tiled TIFF is one of the formats that OpenSlide knows, whatever its name."""

    @pytest.fixture(autouse=True)
    def openslide(self) -> None:
        pytest.importorskip("openslide", reason='needs pip install "amsunet[slides]"')

    def test_parts_are_those_of_the_levels(self, tmp_path: Path) -> None:
        image = np.tile(IMAGE, (3, 3, 1))[:896, :1200]  # halved without a rest, or OpenSlide interpolates
        path = _pyramid(tmp_path / "scan.svs", image, inside=False, tile=(64, 64))
        with open_slide(path) as slide:
            assert slide.sizes == [(896, 1200), (448, 600), (224, 300)]
            for level, step in ((0, 1), (2, 4)):
                part = slide.read(level, slice(40, 140), slice(64, 200))
                assert np.array_equal(part, image[::step, ::step][40:140, 64:200])

    @pytest.mark.parametrize("content", [b"", b"no slide at all"])
    def test_what_is_no_slide_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "scan.svs").write_bytes(content)
        with pytest.raises(SlideError, match=r"scan.svs is (damaged|no slide)"):
            open_slide(tmp_path / "scan.svs")


def test_the_extra_that_brings_openslide_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openslide", None)
    (tmp_path / "scan.svs").write_bytes(b"anything")
    with pytest.raises(SlideError, match=f"openslide is not installed: {re.escape(install_command('slides'))}"):
        open_slide(tmp_path / "scan.svs")
