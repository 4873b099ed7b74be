"""Readers and writers of image files."""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.data.image_file import is_image, orientation_of
from amsunet.data.images import Array, read_image, write_image
from amsunet.data.masks.files import read_mask
from amsunet.errors import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 20), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)
WIDE = RNG.integers(0, 2**16, (24, 20), dtype=np.uint16)
WIDE_COLOUR = RNG.integers(0, 2**16, (24, 20, 4), dtype=np.uint16)
LOSSLESS = [".png", ".bmp", ".tif", ".tiff", ".ppm"]


def png_bytes(width: int, height: int, bits: int, kind: int, rows: bytes, orientation: int = 1) -> bytes:
    tag = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)),
        (b"eXIf", tag),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    packed = (struct.pack(">I", len(b)) + t + b + struct.pack(">I", zlib.crc32(t + b)) for t, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def write_wide_png(path: Path, pixels: Array, orientation: int = 1) -> None:
    """16-bit PNG of any kind, which Pillow cannot write."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    path.write_bytes(png_bytes(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], rows, orientation))


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "rgb"])
def test_lossless_formats_come_back_unchanged(tmp_path: Path, suffix: str, pixels: Array) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pixels).save(path)
    assert np.array_equal(read_image(path), pixels.reshape(24, 20, -1))
    assert np.array_equal(read_mask(path), pixels)


@pytest.mark.parametrize(
    ("suffix", "options"), [(".jpg", {"quality": 95}), (".webp", {"lossless": True}), (".gif", {})]
)
def test_other_formats_keep_the_picture(tmp_path: Path, suffix: str, options: dict[str, object]) -> None:
    smooth = np.asarray(Image.fromarray(COLOUR[:3, :3]).resize((40, 30), Image.Resampling.BICUBIC))
    path = tmp_path / f"a{suffix}"
    Image.fromarray(smooth).save(path, **options)
    image = read_image(path)
    assert image.shape == (30, 40, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - smooth).mean() < 12


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(WIDE).save(path)
    assert np.array_equal(read_image(path)[..., 0], WIDE) and read_image(path).dtype == np.uint16
    assert np.array_equal(read_mask(path), WIDE)


TIFF_KINDS = {
    "little": {"byteorder": "<"},
    "big": {"byteorder": ">"},
    "packed": {"compression": "zlib"},
    "tiled": {"tile": (16, 16)},
    "planar": {"planarconfig": "separate"},
}


@pytest.mark.parametrize("kind", TIFF_KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_tiff_of_any_kind(tmp_path: Path, kind: str, dtype: type) -> None:
    pixels = WIDE_COLOUR[..., :3].astype(dtype)
    stored = np.moveaxis(pixels, 2, 0) if kind == "planar" else pixels
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **TIFF_KINDS[kind])
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == dtype and np.array_equal(image, pixels)


def test_float_tiff_stays_float(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY / np.float32(255))
    assert np.array_equal(read_image(tmp_path / "a.tif")[..., 0], GREY / np.float32(255))
    tifffile.imwrite(tmp_path / "nan.tif", np.full((8, 8), np.nan, np.float32))
    with pytest.raises(InputError, match=r"nan\.tif holds values that are not finite"):
        read_image(tmp_path / "nan.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_left_out(tmp_path: Path, mode: str) -> None:
    opaque = Image.fromarray(COLOUR).convert(mode[:-1])
    clear = opaque.copy()
    clear.putalpha(Image.fromarray(GREY))
    clear.save(tmp_path / "a.png")
    expected = np.asarray(opaque)
    assert np.array_equal(read_image(tmp_path / "a.png"), expected.reshape(24, 20, -1))
    assert np.array_equal(read_mask(tmp_path / "a.png"), expected)


def test_what_pages_may_be_is_advised_only_where_it_works(tmp_path: Path) -> None:
    """Colours and masks are no channels, and pages of different sizes are one image, and smaller ones of it."""
    path = tmp_path / "a.tif"
    _pages(path)
    with pytest.raises(InputError, match=r"or set --axes ZYX if they are images$"):
        read_image(path)
    _wide_pages(path)
    with pytest.raises(InputError, match=r"holds 2 pages, where the mask of an image has one: save one number a"):
        read_mask(path)
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 2):
            writer.write(COLOUR[::step, ::step], photometric="rgb", metadata=None)
    with pytest.raises(InputError, match=r"holds 2 pages of different sizes: save the one that is meant$"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_picture_in_transparency_alone_is_refused(tmp_path: Path, suffix: str) -> None:
    black, path = Image.new("RGB", (20, 24)), tmp_path / f"a{suffix}"
    black.putalpha(Image.fromarray(GREY))
    black.save(path)
    with pytest.raises(InputError, match="has one colour everywhere, and its picture in its transparency"):
        read_image(path)
    black.putalpha(Image.fromarray(np.uint8(255 * (GREY > 99))))  # a blank image, cut to a shape
    black.save(path)
    assert not read_image(path).any()


@pytest.mark.parametrize("kind", ["P3", "P6"])
@pytest.mark.parametrize("white", [255, 4095, 65535])
def test_portable_colours_keep_their_bits(tmp_path: Path, kind: str, white: int) -> None:
    values = (WIDE_COLOUR[..., :3] & white).astype(">u2" if white > 255 else np.uint8)
    stored = values.tobytes() if kind == "P6" else b" ".join(str(value).encode() for value in values.ravel())
    (tmp_path / "a.ppm").write_bytes(f"{kind} 20 24 {white}\n".encode() + stored)
    image = read_image(tmp_path / "a.ppm")
    assert image.dtype == (np.uint8 if white == 255 else np.uint16)
    assert np.array_equal(image, np.round(values / white * np.iinfo(image.dtype).max))


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp"])
def test_palette_masks_are_read_as_indices_and_images_as_colours(tmp_path: Path, suffix: str) -> None:
    indices = (np.arange(48).reshape(6, 8) % 3).astype(np.uint8)
    picture = Image.fromarray(indices, "P")
    picture.putpalette([0, 0, 0, 200, 10, 30, 10, 220, 40])
    picture.save(tmp_path / f"a{suffix}")
    assert np.array_equal(read_mask(tmp_path / f"a{suffix}"), indices)
    assert read_image(tmp_path / f"a{suffix}")[0, 1].tolist() == [200, 10, 30]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pbm"])
def test_one_bit_images_are_black_and_white(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(GREY > 99).save(tmp_path / f"a{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a{suffix}")[..., 0] == 255, GREY > 99)
    assert np.array_equal(read_mask(tmp_path / f"a{suffix}") != 0, GREY > 99)


TURNS = {3: lambda a: a[::-1, ::-1], 6: lambda a: np.rot90(a, -1), 8: np.rot90, 2: lambda a: a[:, ::-1]}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exif_orientation_is_followed(tmp_path: Path, suffix: str, orientation: int) -> None:
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:8, :8] = 255  # one corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", exif=exif)
    turn: Callable[[Array], Array] = TURNS[orientation]
    assert np.array_equal(read_image(tmp_path / f"a{suffix}")[..., 0] > 127, turn(pixels) > 127)
    assert np.array_equal(read_mask(tmp_path / f"a{suffix}") > 127, turn(pixels) > 127)


TURNED = {
    "grey 16": (WIDE, {}),
    "float": (GREY / np.float32(255), {}),
    "signed": (GREY.astype(np.int16) - 99, {}),
    "rgb 16": (WIDE_COLOUR[..., :3], {"photometric": "rgb"}),
    "rgb float": (COLOUR / np.float32(255), {"photometric": "rgb"}),
    "planes": (np.moveaxis(WIDE_COLOUR[..., :3], 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
    "packed": (COLOUR / np.float32(255), {"photometric": "rgb", "compression": "zlib"}),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", TURNED)
def test_every_type_is_turned_as_eight_bits_are(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels, settings = TURNED[kind]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, extratags=[(274, 3, 1, orientation, False)], **settings)
    numbers = np.moveaxis(pixels, 0, 2) if kind == "planes" else pixels
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.arange(24 * 20).reshape(24, 20).astype(np.uint16)).save(tmp_path / "a.png", exif=exif)
    order = read_image(tmp_path / "a.png")[..., 0]  # as Pillow turns it
    assert np.array_equal(read_image(path), numbers.reshape(24 * 20, -1)[order])
    assert orientation_of(path) == orientation_of(tmp_path / "a.png") == orientation


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("orientation", [1, 6])
def test_wide_png_keeps_sixteen_bits_and_is_turned(tmp_path: Path, channels: int, orientation: int) -> None:
    pixels = WIDE_COLOUR[..., :channels]
    write_wide_png(tmp_path / "a.png", pixels, orientation)
    image = read_image(tmp_path / "a.png")
    expected = pixels[..., : {1: 1, 2: 1, 3: 3, 4: 3}[channels]]
    assert image.dtype == np.uint16 and np.array_equal(image, np.rot90(expected, -(orientation == 6)))


def _pages(path: Path) -> None:
    tifffile.imwrite(path, np.stack([COLOUR, COLOUR]), photometric="rgb")


def _wide_pages(path: Path) -> None:
    tifffile.imwrite(path, np.stack([WIDE, WIDE]))


def _channels(path: Path, count: int, planar: str = "contig") -> None:
    pixels = RNG.integers(0, 2**16, (24, 20, count), dtype=np.uint16)
    pixels = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig=planar)


def _huge_png(path: Path) -> None:
    path.write_bytes(png_bytes(50_000, 50_000, 8, 2, b""))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "pages.tif": (_pages, r"holds 2 pages.*: save (each page as a file of its own|one number a pixel)"),
    "wide_pages.tif": (_wide_pages, r"holds 2 pages"),
    "film.gif": (lambda p: Image.fromarray(GREY).save(p, save_all=True, append_images=[Image.new("L", (20, 24))]),
                 r"holds 2 pages"),
    "empty.png": (lambda p: p.write_bytes(b""), r"is empty \(0 bytes\): copy it again"),
    "text.png": (lambda p: p.write_text("no picture"), r"is not an image, despite its suffix"),
    "phone.jpg": (lambda p: p.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0"), r"is a HEIC image, .*: save it as PNG"),
    "scan.png": (lambda p: p.write_bytes(bytes(128) + b"DICM"), r"is a DICOM file, despite its suffix: name it \.dcm"),
    "page.jpg": (lambda p: p.write_text("\n<!DOCTYPE html>"), r"is a web page in place of the file"),
    "pointer.tif": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1"), r"is a pointer of Git LFS"),
    "text.tif": (lambda p: p.write_text("no picture"), r"is damaged"),
    "huge.png": (_huge_png, r"has 50000 x 50000 pixels, more than the 500 million .*: cut it into tiles"),
    "three_pages.tif": (lambda p: tifffile.imwrite(p, np.stack([WIDE] * 3), photometric="minisblack"),
                        r"holds 3 pages.*: (if these are red, green and blue|save one number)"),
    "as_pages.tif": (lambda p: tifffile.imwrite(p, np.zeros((24, 20, 2), np.uint16)),
                     r"holds 24 pages, each 2 pixels wide: if these are 2 channels of one image of 20 x 24 pixels"),
    "lab.tif": (lambda p: tifffile.imwrite(p, WIDE_COLOUR[..., :3], photometric="cielab"), r"its colours as CIELAB"),
    "absent.png": (lambda p: None, r"does not exist: check the path"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "int64", "float16", "float64"])
@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 3)])
@pytest.mark.parametrize("settings", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_other_types_become_float_exactly(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], settings: dict[str, str]
) -> None:
    least = 0 if dtype[0] == "u" else -100
    pixels = RNG.integers(least, 100, shape).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if len(shape) == 3 else "minisblack", **settings)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == np.float32 and np.array_equal(image, pixels.reshape(24, 20, -1))


def test_long_numbers_do_not_wrap_round(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 2**32 - 256, np.uint32))
    assert (read_image(tmp_path / "a.tif") == 2**32 - 256).all()
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 1e300))
    with pytest.raises(InputError, match="not finite"):
        read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 1j, np.complex64))
    with pytest.raises(InputError, match="holds complex64 values"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("pixels", "settings"),
    [
        (WIDE_COLOUR, {"photometric": "rgb"}),
        (WIDE_COLOUR.astype(np.uint8), {"photometric": "rgb"}),
        (WIDE_COLOUR[..., 2:], {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
        (WIDE_COLOUR[..., 2:].astype(np.uint8), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    ],
)
def test_alpha_that_a_tiff_names_is_left_out(tmp_path: Path, pixels: Array, settings: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, planarconfig="contig", **settings)
    assert np.array_equal(read_image(tmp_path / "a.tif"), pixels[..., :-1])


def test_a_channel_that_only_fills_up_is_left_out(tmp_path: Path) -> None:
    filled = np.dstack([COLOUR, np.full((24, 20), 255, np.uint8)])
    tifffile.imwrite(tmp_path / "a.tif", filled, photometric="rgb", extrasamples=["unspecified"])
    assert np.array_equal(read_image(tmp_path / "a.tif"), COLOUR)


@pytest.mark.parametrize("first", [True, False])
def test_a_preview_beside_the_image_does_not_count(tmp_path: Path, first: bool) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        if first:
            file.write(COLOUR[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(COLOUR, photometric="rgb")
        if not first:
            file.write(COLOUR[::4, ::4], photometric="rgb", subfiletype=1)
    assert np.array_equal(read_image(tmp_path / "a.tif"), COLOUR)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_may_be_zero(tmp_path: Path, dtype: type, byteorder: str) -> None:
    pixels = WIDE.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", byteorder=byteorder)
    assert np.array_equal(read_image(tmp_path / "a.tif")[..., 0], np.iinfo(dtype).max - pixels)
    tifffile.imwrite(tmp_path / "a.tif", pixels.astype(np.float32), photometric="miniswhite")
    with pytest.raises(InputError, match="white as zero"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("settings", [{}, {"compression": "zlib"}])
def test_truth_that_tifffile_wrote_is_white(tmp_path: Path, settings: dict[str, str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY > 200, **settings)
    assert np.array_equal(read_image(tmp_path / "a.tif")[..., 0] == 255, GREY > 200)
    assert np.array_equal(read_mask(tmp_path / "a.tif") != 0, GREY > 200)
    tifffile.imwrite(tmp_path / "a.tif", GREY > 200, software="another", **settings)
    assert np.array_equal(read_image(tmp_path / "a.tif")[..., 0] == 0, GREY > 200), "white is zero, as tag 262 declares"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_palette_and_cmyk_tiffs_show_their_colours(tmp_path: Path, dtype: type) -> None:
    table = RNG.integers(0, 2**16, (3, np.iinfo(dtype).max + 1), dtype=np.uint16)
    indices = WIDE.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=table)
    assert np.array_equal(read_image(tmp_path / "a.tif"), (table.T[indices] >> 8).astype(np.uint8))
    ink = np.asarray(Image.fromarray(COLOUR).convert("CMYK")).astype(dtype) * (np.iinfo(dtype).max // 255)
    tifffile.imwrite(tmp_path / "b.tif", ink.astype(dtype), photometric="separated")
    assert np.array_equal(read_image(tmp_path / "b.tif"), COLOUR)


def test_lab_and_cmyk_photographs_keep_their_colours(tmp_path: Path) -> None:
    lab = np.full((4, 4, 3), (136, 80, 67), np.uint8)  # red, and a white row
    lab[0] = 255, 0, 0
    tifffile.imwrite(tmp_path / "a.tif", lab, photometric="cielab")
    assert np.abs(read_image(tmp_path / "a.tif")[:2, 0].astype(int) - [(255, 255, 255), (254, 0, 0)]).max() < 16
    flat = np.full((16, 16, 3), (200, 60, 30), np.uint8)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "a.jpg", quality=98)  # which stores it inverted
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - flat).max() < 6


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: _channels(p, 2), r"has 2 channels, none of them marked as transp"),
        (lambda p: _channels(p, 4), r"has 4 channels, where masks have one or three: save"),
        (lambda p: _channels(p, 5, "separate"), r"has 5 channels, where .*: save it as grey or RGB"),
        (lambda p: _channels(p, 3, "separate"), r"has 3 channels, where .*: save it as grey or RGB"),
        (
            lambda p: tifffile.imwrite(p, np.stack([WIDE] * 2), imagej=True, metadata={"axes": "CYX"}),
            r"holds 2 channels, a page each: save the one that is meant",
        ),
        (
            lambda p: tifffile.imwrite(p, WIDE_COLOUR, photometric="rgb", extrasamples=["unspecified"]),
            r"has 4 channels, none of them marked as transparency",
        ),
    ],
)
def test_channels_of_a_mask_are_refused(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    write(tmp_path / "mask.tif")
    with pytest.raises(InputError, match=message):
        read_mask(tmp_path / "mask.tif")


@pytest.mark.parametrize(
    ("name", "read"),
    # Masks may hold signed numbers and those of 32 bits: see test_mask_files.
    [
        *((name, read_image) for name in REFUSED),
        *((name, read_mask) for name in REFUSED if name not in ("signed.tif", "deep.tif")),
    ],
)
def test_refusals_name_the_file_and_advise(tmp_path: Path, name: str, read: Callable[[Path], Array]) -> None:
    write, message = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as refusal:
        read(tmp_path / name)
    assert name in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".gif", ".ppm", ".webp"])
def test_a_damaged_file_is_read_or_refused_but_nothing_else(tmp_path: Path, suffix: str) -> None:
    whole, broken = tmp_path / f"whole{suffix}", tmp_path / f"broken{suffix}"
    Image.fromarray(COLOUR).save(whole)
    data, rng, refused = whole.read_bytes(), np.random.default_rng(1), 0
    cuts = [data[:length] for length in range(1, len(data) - 1, max(1, len(data) // 60))]
    flips = []
    for _ in range(60):
        flipped = bytearray(data)
        for place in rng.integers(0, min(len(data), 400), 3):
            flipped[place] = rng.integers(256)
        flips.append(bytes(flipped))
    for content in cuts + flips:
        broken.write_bytes(content)
        try:
            assert read_image(broken).ndim == 3
        except InputError as error:
            assert broken.name in str(error)
            refused += 1
    assert refused > len(cuts) / 2


@pytest.mark.parametrize("pixels", [GREY, COLOUR, WIDE], ids=["grey", "rgb", "16 bit"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_written_images_come_back(tmp_path: Path, suffix: str, pixels: Array) -> None:
    write_image(tmp_path / "new" / f"a{suffix}", pixels)
    assert np.array_equal(read_mask(tmp_path / "new" / f"a{suffix}"), pixels)


def test_a_full_disk_leaves_the_old_file_and_no_partial_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_image(path, GREY)

    def fail(self: Image.Image, target: Path, **settings: object) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(InputError, match=r"a\.png could not be written \(No space left on device\): free some space"):
        write_image(path, 255 - GREY)
    assert np.array_equal(read_mask(path), GREY)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "expected"), [("a.PNG", True), ("a.btf", True), ("a.JpEg", True), (".a.png", False), ("a.txt", False)]
)
def test_images_are_recognised_by_their_names(name: str, expected: bool) -> None:
    assert is_image(Path(name)) is expected
