"""Damaged images without end, each known by its seed: real files of every format, changed at random.

As a program, it reads them in a process of its own, whose memory is limited: ``mutations.py FIRST COUNT MEGABYTES``.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile
from made_hostile import png
from PIL import Image

from amsunet.data.builtin_samples import locate
from amsunet.data.containers import addresses, is_container
from amsunet.data.image_file import count_pixels, orientation_of
from amsunet.data.images import read_image
from amsunet.data.masks.files import open_mask
from amsunet.data.slides import is_slide, open_slide
from amsunet.errors import InputError

SIDE = 96
_EXTREME = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 20_000, 65_500)
Random = np.random.Generator


def seeds() -> dict[str, bytes]:
    """Small files of every format that is read, cut out of the images and masks that come with the package."""
    pictures, masks = (sorted((locate("sample:nuclei") / "test" / part).iterdir()) for part in ("images", "masks"))
    grey = np.asarray(Image.open(pictures[0]).convert("L"))[:SIDE, :SIDE]
    mask = np.asarray(Image.open(masks[0]).convert("L"))[:SIDE, :SIDE]
    colour = np.dstack([grey, grey.T, mask])
    indexed = Image.fromarray(colour).quantize(16)
    wide = grey.astype(np.uint16) * 200
    found: dict[str, bytes] = {}

    def save(name: str, picture: Any, **options: Any) -> None:
        stream = io.BytesIO()
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[1], name.split(".")[1].upper())
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(stream, kind, **options)
        found[name] = stream.getvalue()

    def tiff(name: str, pixels: Any, **options: Any) -> None:
        stream = io.BytesIO()
        with tifffile.TiffWriter(
            stream, bigtiff=name == "big", byteorder=">" if name == "big" else "<", ome=name == "ome"
        ) as writer:
            writer.write(pixels, **options)
            if options.get("subifds"):  # the coarser level of a pyramid
                writer.write(pixels[::2, ::2], subfiletype=1, tile=(32, 32))
        found[f"{name}.tif"] = stream.getvalue()

    for name, picture in {"grey": grey, "colour": colour, "mask": mask, "wide": wide, "bit": mask > 0}.items():
        save(f"{name}.png", picture)
    save("indexed.png", indexed, transparency=3)
    save("alpha.png", np.dstack([colour, mask]))
    found["interlaced.png"] = png(64, 64, b"".join(bytes(1 + w) * h for w, h in
                                                   [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)]),
                                  interlaced=1)  # fmt: skip
    save("grey.jpg", grey)
    save("colour.jpg", colour, progressive=True, exif=_turned())
    save("indexed.gif", indexed)
    save("film.gif", indexed, save_all=True, append_images=[indexed.rotate(90)])
    save("colour.bmp", colour)
    save("indexed.bmp", indexed)
    save("colour.ppm", colour)
    save("lossy.webp", colour)
    save("lossless.webp", mask, lossless=True)
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"):
        save(f"{compression}.tif", colour, compression=compression)
    save("fax.tif", mask > 0, compression="group4")
    save("indexed.tif", indexed)
    tiff("raw", grey)
    tiff("tiled", colour, tile=(32, 32), compression="zlib", photometric="rgb", predictor=True)
    tiff("float", grey / np.float32(255))
    tiff("planar", np.moveaxis(colour, 2, 0), photometric="rgb", planarconfig="separate")
    tiff("big", wide)
    tiff("pyramid", grey, subifds=1, tile=(32, 32))
    tiff("ome", np.stack([grey, mask]), photometric="minisblack", metadata={"axes": "CYX"})
    return found | (_of_clinic(grey, mask) if all(map(find_spec, ("h5py", "nibabel", "pydicom"))) else {})


def _of_clinic(grey: Any, mask: Any) -> dict[str, bytes]:
    """Small files of the extra clinic, of an image each."""
    import h5py
    import nibabel
    import pydicom

    volume = nibabel.Nifti1Image(grey[..., None], np.eye(4)).to_bytes()
    pair, archive = io.BytesIO(), io.BytesIO()
    with h5py.File(pair, "w") as content:
        content.create_dataset("image", data=grey, compression="gzip", chunks=(32, 32))
        content.create_dataset("label", data=mask)
    examples = Path(pydicom.__file__).parent / "data" / "test_files"
    scans = [(examples / name).read_bytes() for name in ("MR_small.dcm", "MR_small_RLE.dcm", "image_dfl.dcm")]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("IM1", scans[0])
    return dict(
        zip(
            ("volume.nii", "packed.nii.gz", "pair.h5", "plain.dcm", "rle.dcm", "deflated.dcm", "archive.zip"),
            (volume, gzip.compress(volume), pair.getvalue(), *scans, archive.getvalue()),
            strict=True,
        )
    )


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def mutated(content: bytes, random: Random) -> bytes:
    """Content changed once or several times in one of five ways; checksums of a PNG are made right again, mostly."""
    changes: list[Callable[[bytes, Random], bytes]] = [_flip, _flip, _cut, _field, _field, _repeat, _leave_out]
    out = content
    for _ in range(random.integers(1, 4)):
        out = changes[random.integers(len(changes))](out, random) or b"\0"
    return _with_checksums(out) if out[:4] == b"\x89PNG" and random.random() < 0.8 else out


def _flip(content: bytes, random: Random) -> bytes:
    out = bytearray(content)
    for place in random.integers(len(out), size=random.integers(1, 9)):
        out[place] ^= 1 << int(random.integers(8))
    return bytes(out)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.integers(len(content))]


def _field(content: bytes, random: Random) -> bytes:
    """Another number in place of a field of the header, or of a TIFF's tags at its end."""
    value, width = _EXTREME[random.integers(len(_EXTREME))], (1, 2, 4)[random.integers(3)]
    place = int(random.integers(min(len(content), 160)))
    place = len(content) - 1 - place if random.random() < 0.2 else place
    packed = (value & ((1 << 8 * width) - 1)).to_bytes(width, ("big", "little")[random.integers(2)])
    return content[:place] + packed + content[place + width :]


def _repeat(content: bytes, random: Random) -> bytes:
    start, length = int(random.integers(len(content))), int(random.integers(1, 200))
    return content[:start] + content[start : start + length] * int(random.integers(2, 20)) + content[start:]


def _leave_out(content: bytes, random: Random) -> bytes:
    start = int(random.integers(len(content)))
    return content[:start] + content[start + int(random.integers(1, 200)) :]


def _with_checksums(content: bytes) -> bytes:
    out, place = bytearray(content), 8
    while place + 12 <= len(out):
        end = place + 8 + struct.unpack(">I", out[place : place + 4])[0]
        if end + 4 > len(out):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[place + 4 : end]))
        place = end + 4
    return bytes(out)


def mutation(number: int, of: dict[str, bytes]) -> tuple[str, bytes]:
    """The mutation of a number: the name of its file, and the content."""
    random = np.random.default_rng(number)
    name = list(of)[number % len(of)]
    return name, mutated(of[name], random)


def read_all(path: Path) -> list[str]:
    """What each reader makes of a file: ``read`` or ``refused``.

    Raises:
        AssertionError: If a refusal is not one sentence that names the file.
    """
    made = []
    for read in (read_image, open_mask, _read_slide, count_pixels, orientation_of):
        try:
            read(addresses(path)[0] if is_container(path) else path)
            made.append("read")
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error), str(error)
            made.append("refused")
    return made


def _read_slide(path: Path) -> None:
    if is_slide(path):
        with open_slide(path) as slide:
            slide.read(0, slice(0, min(64, slide.sizes[0][0])), slice(0, min(64, slide.sizes[0][1])))


def main(first: int, count: int, megabytes: int) -> None:
    """Read mutations, and print the number of each before it is read and all figures at the end."""
    of = seeds()
    # With what the interpreter and its libraries have, most of which they never use.
    have = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (have + (megabytes << 20), resource.RLIM_INFINITY))
    before, slowest, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, (0.0, -1), {"read": 0, "refused": 0}
    with TemporaryDirectory() as folder:
        for number in range(first, first + count):
            print(number, flush=True)
            name, content = mutation(number, of)
            path = Path(folder) / name
            path.write_bytes(content)
            start = time.process_time()
            found[read_all(path)[0]] += 1
            slowest = max(slowest, (time.process_time() - start, number))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({**found, "megabytes": peak >> 10, "slowest": slowest}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
