"""Files of every kind are the same pixels to the page as to the package."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from browser_arrays import decoded, given, run, taken
from PIL import Image, ImageFilter

from amsunet.data.image_spacing import spacing_of
from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.data.spacing import unit_of

HEIGHT, WIDTH = 37, 53
_NOISE = np.random.default_rng(5).integers(0, 65536, (HEIGHT, WIDTH, 4), dtype=np.uint16)
_SMOOTH = Image.fromarray((_NOISE[..., :3] >> 8).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))
RGB8 = np.asarray(_SMOOTH)
RGBA8 = (_NOISE >> 8).astype(np.uint8)
RGB16, RGBA16 = _NOISE[..., :3], _NOISE
GREY8, GREY16 = RGB8[..., 0], RGB16[..., 0]
FLOATS = GREY16.astype(np.float32) / 777 - 3


def _pillow(array: Any, kind: str, **options: Any) -> bytes:
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _tiff(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **{"metadata": None} | options)
    return file.getvalue()


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _png(bits: int, colour: int, rows: bytes, width: int, height: int, *, interlaced: bool = False) -> bytes:

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _wide_png(array: Any, colour: int) -> bytes:
    """Of 16 bits a channel, each row with another filter; undone filters are noise, which is as good a picture."""
    rows = b"".join(
        bytes([number % 5]) + row.astype(">u2").tobytes() for number, row in enumerate(array.reshape(len(array), -1))
    )
    return _png(16, colour, rows, array.shape[1], len(array))


def _interlaced(array: Any) -> bytes:
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    parts = [array[top::down, left::across] for left, top, across, down in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    return _png(8, 2, rows, array.shape[1], len(array), interlaced=True)


def _grey_of(bits: int) -> bytes:
    per_row = -(-WIDTH * bits // 8)
    rows = b"".join(b"\0" + RGBA8.reshape(HEIGHT, -1)[row, :per_row].tobytes() for row in range(HEIGHT))
    return _png(bits, 0, rows, WIDTH, HEIGHT)


_PALETTED = _SMOOTH.quantize(50)
_BILEVEL = Image.fromarray(GREY8 > 120)
PNG = {
    "grey": _pillow(GREY8, "PNG"),
    "rgb": _pillow(RGB8, "PNG"),
    "alpha": _pillow(RGBA8, "PNG"),
    "grey and alpha": _pillow(RGBA8[..., :2], "PNG"),
    "16 bits": _pillow(GREY16, "PNG"),
    "rgb of 16 bits": _wide_png(RGB16, 2),
    "rgba of 16 bits": _wide_png(RGBA16, 6),
    "grey and alpha of 16 bits": _wide_png(RGBA16[..., :2], 4),
    "1 bit": _grey_of(1),
    "2 bits": _grey_of(2),
    "4 bits": _grey_of(4),
    "palette": _pillow(_PALETTED, "PNG"),
    "palette with transparency": _pillow(_PALETTED, "PNG", transparency=3),
    "palette of 2 bits": _pillow(_SMOOTH.quantize(4), "PNG", bits=2),
    "interlaced": _interlaced(RGB8),
    "on its side": _pillow(RGB8, "PNG", exif=_turned(6)),
}
JPEG = {
    "grey": _pillow(GREY8, "JPEG"),
    "4:4:4": _pillow(RGB8, "JPEG", subsampling=0),
    "4:2:2": _pillow(RGB8, "JPEG", subsampling=1),
    "4:2:0": _pillow(RGB8, "JPEG", subsampling=2, quality=60),
    "progressive": _pillow(RGB8, "JPEG", progressive=True),
    "as rgb": _pillow(RGB8, "JPEG", keep_rgb=True),
    **{f"turned by {way}": _pillow(RGB8, "JPEG", exif=_turned(way)) for way in range(2, 9)},
    "ending in grey": _pillow(np.where(np.arange(HEIGHT)[:, None] < 20, GREY8, 128).astype(np.uint8), "JPEG"),
    "with a profile": _pillow(RGB8, "JPEG", icc_profile=b"no profile at all"),
}
WEBP = {
    "lossless": _pillow(RGB8, "WEBP", lossless=True),
    "lossless with alpha": _pillow(RGBA8, "WEBP", lossless=True, exact=True),
    "lossy": _pillow(RGB8, "WEBP"),
    "lossy with alpha": _pillow(np.dstack([RGB8, RGBA8[..., 3]]), "WEBP"),
    "turned": _pillow(RGB8, "WEBP", exif=_turned(8), lossless=True),
}
BMP = {
    "grey": _pillow(GREY8, "BMP"),
    "rgb": _pillow(RGB8, "BMP"),
    "rgba": _pillow(RGBA8, "BMP"),
    "palette": _pillow(_PALETTED, "BMP"),
    "1 bit": _pillow(_BILEVEL, "BMP"),
}
TIFF = {
    "grey": _tiff(GREY8),
    "rgb": _tiff(RGB8, photometric="rgb"),
    "rgba": _tiff(RGBA8, photometric="rgb", extrasamples=["unassalpha"]),
    "rgba, associated": _tiff(RGBA8, photometric="rgb", extrasamples=["assocalpha"]),
    "rgb and a channel that is full": _tiff(np.dstack([RGB8, np.full_like(GREY8, 255)]), photometric="rgb"),
    "grey and alpha": _tiff(RGBA8[..., :2], photometric="minisblack", planarconfig="contig", extrasamples=[2]),
    "16 bits": _tiff(GREY16),
    "16 bits, big-endian": _tiff(GREY16, byteorder=">"),
    "rgb of 16 bits": _tiff(RGB16, photometric="rgb"),
    "rgba of 16 bits": _tiff(RGBA16, photometric="rgb", extrasamples=["unassalpha"]),
    "planes": _tiff(np.moveaxis(RGB8, 2, 0), photometric="rgb", planarconfig="separate"),
    "planes of 16 bits, in tiles": _tiff(
        np.moveaxis(RGB16, 2, 0), photometric="rgb", planarconfig="separate", tile=(16, 32)
    ),
    "three greys side by side": _tiff(RGB8, photometric="minisblack", planarconfig="contig"),
    "fractions": _tiff(FLOATS),
    "fractions of 64 bits": _tiff(FLOATS.astype(np.float64)),
    "fractions of 16 bits": _tiff(FLOATS.astype(np.float16)),
    "rgb in fractions": _tiff(RGB16.astype(np.float32), photometric="rgb"),
    "signed 8 bits": _tiff(GREY8.view(np.int8)),
    "signed 16 bits": _tiff(GREY16.view(np.int16)),
    "signed 32 bits": _tiff(GREY16.astype(np.int32) - 9),
    "32 bits": _tiff(GREY16.astype(np.uint32) * 256),
    "truth": _tiff(GREY8 > 120),
    "white as zero": _tiff(GREY8, photometric="miniswhite"),
    "16 bits, white as zero": _tiff(GREY16, photometric="miniswhite"),
    "1 bit": _pillow(_BILEVEL, "TIFF"),
    "palette": _pillow(_PALETTED, "TIFF"),
    "deflate": _tiff(RGB8, photometric="rgb", compression="zlib", rowsperstrip=10),
    "deflate by difference": _tiff(RGB8, photometric="rgb", compression="zlib", predictor=2),
    "16 bits, deflate by difference": _tiff(GREY16, compression="zlib", predictor=2, byteorder=">"),
    "tiles": _tiff(RGB8, photometric="rgb", tile=(16, 16), compression="zlib"),
    "BigTIFF": _tiff(RGB8, photometric="rgb", bigtiff=True),
    "lzw": _pillow(RGB8, "TIFF", compression="tiff_lzw"),
    "lzw of 16 bits": _pillow(GREY16, "TIFF", compression="tiff_lzw"),
    "lzw by difference": _pillow(RGB8, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
    "lzw of one colour": _pillow(np.full((300, 300), 7, np.uint8), "TIFF", compression="tiff_lzw"),
    "packbits": _pillow(GREY8, "TIFF", compression="packbits"),
    "jpeg": _pillow(RGB8, "TIFF", compression="jpeg"),
    "jpeg of greys": _pillow(GREY8, "TIFF", compression="jpeg"),
    "on its side": _tiff(RGB8, photometric="rgb", extratags=[(274, 3, 1, 6, True)]),
    "deflate of fractions": _tiff(FLOATS, compression="zlib"),
}
FILES = {
    f"{kind}, {name}": (f".{kind}", content)
    for kind, files in (("png", PNG), ("jpg", JPEG), ("webp", WEBP), ("bmp", BMP), ("tif", TIFF))
    for name, content in files.items()
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_those_of_the_package(name, blank_once, tmp_path):
    suffix, content = FILES[name]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    expected = read_image(path)
    found = decoded(blank_once, content)
    assert not isinstance(found, dict), found
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(found, expected), np.abs(found.astype(float) - expected).max()


def _headed(width: int, height: int) -> bytes:
    """A PNG that claims a size, without pixels for it."""
    return _png(8, 0, b"\0" * 10, width, height)


def _cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def _with_preview() -> bytes:
    """A JPEG that holds a whole one before its own pixels."""
    preview = b"Exif\0\0" + _pillow(GREY8[:8, :8], "JPEG")
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(preview)) + preview + JPEG["4:2:0"][2:]


_TWO_PAGES = _tiff(np.stack([GREY8, GREY8]), photometric="minisblack")
BAD = {
    "nothing": (b"", "empty"),
    "a text": (b"name,area\nimage,3\n", "not_an_image"),
    "a short text": (b"B", "not_an_image"),
    "a page": (b"<!doctype html><svg onload=alert(1)>", "not_an_image"),
    "a GIF": (_pillow(_PALETTED, "GIF"), "unsupported"),
    "CMYK": (_pillow(Image.fromarray(RGB8).convert("CMYK"), "JPEG"), "unsupported"),
    "a header of 50,000 x 50,000": (_headed(50_000, 50_000), "too_large"),
    "a header of 7,000 x 7,000": (_headed(7_000, 7_000), "damaged"),
    "a TIFF of 50,000 x 50,000": (_tiff(GREY8).replace(struct.pack("<I", WIDTH), struct.pack("<I", 50_000_000)), ""),
    "a PNG that is cut": (_cut(PNG["rgb"], 0.6), "damaged"),
    "a PNG that ends in its header": (PNG["rgb"][:20], "damaged"),
    "a JPEG that is cut": (_cut(JPEG["4:2:0"], 0.6), "damaged"),
    "a JPEG that is cut, with a preview": (_cut(_with_preview(), 0.8), "damaged"),
    "a JPEG that ends early": (_cut(JPEG["4:2:0"], 0.7) + b"\xff\xd9", "damaged"),
    "a grey JPEG that ends early": (_cut(JPEG["grey"], 0.7) + b"\xff\xd9", "damaged"),
    "a JPEG without pixels": (b"\xff\xd8\xff\xd9", "damaged"),
    "a TIFF that is cut": (_cut(TIFF["rgb"], 0.6), "damaged"),
    "a TIFF of eight bytes": (TIFF["rgb"][:8], "damaged"),
    "an LZW that is cut": (_cut(TIFF["lzw"], 0.5), ""),
    "a WebP that is cut": (WEBP["lossless"][:40], "damaged"),
    "a BMP that is cut": (_cut(BMP["rgb"], 0.5), "damaged"),
    "two pages": (_TWO_PAGES, "pages"),
    "five channels": (
        _tiff(np.dstack([GREY8] * 5), photometric="minisblack", planarconfig="contig"),
        "channels",
    ),
    "four channels, none of them alpha": (_tiff(RGBA8, photometric="rgb", extrasamples=["unspecified"]), "channels"),
    "numbers that are none": (_tiff(np.where(GREY8 > 100, FLOATS, np.nan)), "not_finite"),
    "complex numbers": (_tiff(FLOATS.astype(np.complex64)), "unsupported"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_one_error(name, blank_once):
    content, code = BAD[name]
    found = decoded(blank_once, content, "scan.png")
    assert isinstance(found, dict)
    assert found["code"] == code or (not code and found["code"])
    assert found["values"]["name"] == "scan.png"


def _ome(sides: str) -> bytes:
    return f'<?xml version="1.0"?><OME><Image><Pixels {sides}/></Image></OME>'.encode()


_IMAGEJ = "ImageJ=1.53t\nunit=micron\n"
SIZED = {
    "centimetres": (".tif", _tiff(GREY8, resolution=(20_000, 10_000), resolutionunit="CENTIMETER")),
    "a printer's": (".tif", _tiff(GREY8, resolution=(300, 300), resolutionunit="INCH")),
    "no word": (".tif", _tiff(GREY8)),
    "ImageJ": (".tif", _tiff(GREY8, description=_IMAGEJ, resolution=(4, 4))),
    "on its side": (".tif", _tiff(GREY8, description=_IMAGEJ, resolution=(4, 2), extratags=[(274, 3, 1, 6, True)])),
    "OME": (".tif", _tiff(GREY8, description=_ome('PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5"'))),
    "OME in mm": (".tif", _tiff(GREY8, description=_ome('PhysicalSizeX="250" PhysicalSizeY="250"'))),
    "OME, escaped": (
        ".tif",
        _tiff(GREY8, description=_ome('PhysicalSizeX = "2" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="3"')),
    ),
    "OME, one side": (".tif", _tiff(GREY8, description=_ome('PhysicalSizeX="2"'))),
    "OME, no size": (".tif", _tiff(GREY8, description=_ome('PhysicalSizeX="0" PhysicalSizeY="2"'))),
    "png": (".png", _pillow(GREY8, "PNG", dpi=(50_800, 25_400))),
    "png of a printer": (".png", _pillow(GREY8, "PNG", dpi=(300, 300))),
    "png on its side": (".png", _pillow(GREY8, "PNG", dpi=(50_800, 25_400), exif=_turned(6))),
    "png without": (".png", _pillow(GREY8, "PNG")),
}


@pytest.mark.parametrize("name", SIZED)
def test_the_size_of_a_pixel_is_that_of_the_package(name, blank_once, tmp_path):
    suffix, content = SIZED[name]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    script = "const {decode} = await import('/decode.js'); return (await decode(given($[0]), '')).spacing;"
    found, expected = run(blank_once, script, given(content)), spacing_of(path)
    if expected is None:
        assert found is None
    else:
        assert found["unit"] == {"mm": "mm", "um": "µm"}[unit_of(expected)]
        millimetres = 1 if found["unit"] == "mm" else 1e-3
        assert (found["rows"] * millimetres, found["columns"] * millimetres) == pytest.approx(expected, rel=1e-9)


CLINIC = {
    "scan": (bytes(128) + b"DICM" + bytes(40), "DICOM"),
    "scan.tif": (b"II*\0" + bytes(124) + b"DICM" + bytes(40), "DICOM"),  # a TIFF too, as its preamble may be
    "brain.nii": (bytes(344) + b"n+1\0", "NIfTI"),
    "brain.nii.gz": (b"\x1f\x8b\x08" + bytes(40), "NIfTI"),
    "slices.h5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
}


@pytest.mark.parametrize("name", CLINIC)
def test_files_of_the_clinic_are_for_the_command(name, blank_once):
    content, what = CLINIC[name]
    assert decoded(blank_once, content, name) == {"code": "for_command", "values": {"name": name, "what": what}}
    if what == "NIfTI":
        assert decoded(blank_once, content, "scan.png")["code"] == "not_an_image"


def test_archives_are_to_be_unpacked(blank_once):
    assert decoded(blank_once, b"PK\x03\x04" + bytes(40), "a.zip") == {"code": "archive", "values": {"name": "a.zip"}}


def test_a_browser_that_changes_pixels_is_told_of(blank):
    blank.evaluate(
        """() => {
          const {prototype} = OffscreenCanvasRenderingContext2D;
          const before = prototype.getImageData;
          prototype.getImageData = function (...box) {
            const found = before.apply(this, box);
            found.data[400] ^= 1;
            return found;
          };
        }"""
    )
    assert decoded(blank, JPEG["grey"])["code"] == "unsupported"
    assert decoded(blank, PNG["grey"]).shape == (HEIGHT, WIDTH, 1)


def test_a_damaged_file_is_a_picture_or_one_error(blank_once):
    """Whatever a few bytes become, no decoder fails otherwise, or makes a picture larger than the file can hold."""
    rng = np.random.default_rng(11)
    files = []
    for suffix, content in FILES.values():
        damaged = bytearray(content)
        for _ in range(3):
            damaged[rng.integers(min(len(damaged), 300))] = rng.choice([0, 1, 255, rng.integers(256)])
        if suffix != ".jpg":
            files.append(bytes(damaged))
    found = run(
        blank_once,
        """
        const {decode} = await import("/decode.js");
        const results = [];
        for (const file of $[0]) {
          try { results.push((await decode(given(file), "image")).samples.length); }
          catch (error) { results.push(error.name === "PageError" ? error.code : String(error.stack)); }
        }
        return results;
        """,
        [given(file) for file in files],
    )
    codes = {"not_an_image", "damaged", "unsupported", "pages", "channels", "not_finite", "too_large", "out_of_memory"}
    codes |= {"for_command", "archive"}
    assert len(found) == len(files)
    assert [one for one in found if isinstance(one, str) and one not in codes] == []
    assert max(one for one in found if isinstance(one, int)) <= 3 * 300 * 300


@pytest.mark.parametrize("name", ["png, palette", "png, palette of 2 bits", "tif, palette", "bmp, palette", "png, rgb"])
@pytest.mark.parametrize("reading", ["stored", "colours"])
def test_masks_are_read_as_by_the_package(reading, name, blank_once, tmp_path):
    _hold_mask(FILES[name], reading, blank_once, tmp_path)


@pytest.mark.parametrize("name", ["png, alpha", "png, grey and alpha", "png, grey", "tif, 16 bits"])
@pytest.mark.parametrize("reading", ["stored", "alpha"])
def test_masks_in_the_transparency(reading, name, blank_once, tmp_path):
    _hold_mask(FILES[name], reading, blank_once, tmp_path)


def _hold_mask(file: tuple[str, bytes], reading: Any, page: Any, folder: Any) -> None:
    suffix, content = file
    path = folder / f"mask{suffix}"
    path.write_bytes(content)
    script = """
    const {decodeMask} = await import("/decode.js");
    const {width, height, channels, samples} = await decodeMask(given($[0]), "mask", $[1]);
    return {width, height, channels, samples: packed(samples)};
    """
    found = run(page, script, given(content), reading)
    mask = taken(found["samples"]).reshape(found["height"], found["width"], found["channels"])
    expected = read_mask(path, reading)
    assert np.array_equal(mask, expected if expected.ndim == 3 else expected[..., None])
