"""Images of any number of channels: one array and one list of names, however they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from made_tiff import without_extra_samples
from PIL import Image

from amsunet.data import containers
from amsunet.data.channel_files import image_name, split_channels
from amsunet.data.channels import channel_names, common_names, numbered, refuse_channels
from amsunet.data.containers import addresses, file_of, files_of, find_address
from amsunet.data.image_file import count_pixels
from amsunet.data.images import read_image
from amsunet.data.slides import open_slide
from amsunet.errors import InputError
from amsunet.inference.prediction_record import checksum, stamp

RNG = np.random.default_rng(4)
NAMES = ("DAPI", "GFP", "actin", "TOM20", "brightfield")


def _pixels(count: int, dtype: str = "uint16") -> np.ndarray:
    return RNG.integers(0, 200, (24, 20, count)).astype(dtype)


def _named(count: int) -> dict[str, Any]:
    return {"axes": "CYX", "Channel": {"Name": list(NAMES[:count])}}


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("way", "named"),
    [
        ({"photometric": "minisblack", "planarconfig": "separate"}, False),
        ({"photometric": "minisblack", "planarconfig": "separate", "compression": "zlib"}, False),
        ({"ome": True, "metadata": _named}, True),
        ({"ome": True, "metadata": {"axes": "CYX"}, "compression": "zlib"}, False),
        ({"imagej": True, "metadata": {"axes": "CYX"}}, False),
        ({"imagej": True, "metadata": lambda count: {"axes": "CYX", "Labels": list(NAMES[:count])}}, True),
        ({"photometric": "minisblack", "metadata": _named}, True),
        ({"photometric": "minisblack", "metadata": _named, "bigtiff": True, "byteorder": ">"}, True),
    ],
)
def test_planes_and_pages_are_channels(tmp_path: Path, count: int, way: dict[str, Any], named: bool) -> None:
    pixels, metadata = _pixels(count), way.get("metadata")
    settings = way | {"metadata": metadata(count) if callable(metadata) else metadata}
    if metadata is None:
        settings.pop("metadata")
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(np.moveaxis(pixels, 2, 0)), **settings)
    assert np.array_equal(read_image(tmp_path / "a.tif"), pixels)
    assert channel_names(tmp_path / "a.tif", count) == (NAMES[:count] if named else numbered(count))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_samples_that_no_tag_explains_are_channels(tmp_path: Path, dtype: str, tile: tuple[int, int] | None) -> None:
    for count in (2, 4, 12):
        pixels = _pixels(count, dtype)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig", tile=tile)
        assert np.array_equal(read_image(tmp_path / "a.tif"), pixels)
        with open_slide(tmp_path / "a.tif") as slide:
            assert np.array_equal(slide.read(0, slice(3, 20), slice(5, 19)), pixels[3:20, 5:19])


def test_colours_keep_their_further_channels_without_transparency(tmp_path: Path) -> None:
    pixels = _pixels(5, "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha", "unspecified"])
    kept = pixels[..., [0, 1, 2, 4]]
    assert np.array_equal(read_image(tmp_path / "a.tif"), kept)
    assert channel_names(tmp_path / "a.tif", 4) == numbered(4)
    with open_slide(tmp_path / "a.tif") as slide:
        assert np.array_equal(slide.read(0, slice(0, 24), slice(0, 20)), kept)


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_four_channels_without_the_tag_are_asked_for(tmp_path: Path, photometric: str) -> None:
    pixels = _pixels(4, "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, planarconfig="contig")
    path = without_extra_samples(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a.tif has 4 channels and does not say .*--axes YXC if .*, --axes YXS if"):
        read_image(path)
    assert np.array_equal(read_image(path / "YXC"), pixels)
    assert channel_names(path / "YXC", 4) == numbered(4)
    assert np.array_equal(read_image(path / "YXS"), pixels[..., :3])
    assert channel_names(path / "YXS", 3) == ()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_and_colours_with_or_without_alpha_have_no_names(tmp_path: Path, mode: str, suffix: str) -> None:
    Image.fromarray(_pixels(4, "uint8"), "RGBA").convert(mode).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.shape[2] == (3 if "RGB" in mode else 1)
    assert channel_names(tmp_path / f"a{suffix}", image.shape[2]) == ()


@pytest.mark.parametrize("names", [["a", "a"], ["a"], ["a", ""], "ab", [1, 2], None, ["a", "b", "c"]])
def test_names_that_name_nothing_are_numbers(tmp_path: Path, names: Any) -> None:
    metadata = {"axes": "CYX", "Channel": {"Name": names}}
    pixels = np.moveaxis(_pixels(2), 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata=metadata)
    assert channel_names(tmp_path / "a.tif", 2) == ("channel 1", "channel 2")


def test_names_cannot_steer_a_terminal(tmp_path: Path) -> None:
    metadata = {"axes": "CYX", "Channel": {"Name": ["a\x1b[2J", "b" * 1000]}}
    pixels = np.moveaxis(_pixels(2), 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata=metadata)
    first, second = channel_names(tmp_path / "a.tif", 2)
    assert "\x1b" not in first and len(second) < 100


@pytest.mark.parametrize(
    ("pages", "metadata", "message"),
    [
        (np.zeros((65, 8, 8), np.uint8), {"axes": "CYX"}, "holds 65 channels, more than 64"),
        (np.zeros((2, 8, 8, 3), np.uint8), {"axes": "CYXS"}, "differ in size, type or colours"),
    ],
)
def test_too_many_channels_and_channels_of_colours_are_refused(
    tmp_path: Path, pages: np.ndarray, metadata: dict[str, Any], message: str
) -> None:
    photometric = "rgb" if pages.ndim == 4 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric=photometric, metadata=metadata)
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "a.tif")


def test_a_file_for_each_channel(save, tmp_path: Path) -> None:
    pixels = _pixels(2, "uint8")
    for at, name in enumerate(("DAPI", "GFP")):
        save(tmp_path / f"cell_{name}.png", pixels[..., at])
    path = tmp_path / "cell_{GFP,DAPI}.png"
    assert np.array_equal(read_image(path), pixels[..., ::-1])
    assert channel_names(path, 2) == ("GFP", "DAPI")
    assert image_name(path) == "cell" and count_pixels(path) == 24 * 20
    assert files_of(path) == [tmp_path / "cell_GFP.png", tmp_path / "cell_DAPI.png"]
    before, of_files = stamp(path), checksum(path)
    assert before is not None and of_files
    save(tmp_path / "cell_DAPI.png", pixels[..., 0] // 2)
    assert checksum(path) != of_files and stamp(path) != before
    save(tmp_path / "cell_DAPI.png", pixels[4:, :, 0])
    with pytest.raises(InputError, match=r"cell_GFP.png and .*cell_DAPI.png are channels of one image, and differ"):
        read_image(path)
    save(tmp_path / "cell_DAPI.png", np.dstack([pixels, pixels[..., :1] + 1]))
    with pytest.raises(InputError, match=r"cell_DAPI.png is one channel of an image, and has 3"):
        read_image(path)
    (tmp_path / "cell_DAPI.png").unlink()
    assert stamp(path) is None and checksum(path) == ""
    with pytest.raises(InputError, match=r"cell_DAPI.png does not exist"):
        read_image(path)


def test_a_file_of_several_images_for_each_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Volumes do it so: the places are those of the first file, and each image is of the same place in all."""
    monkeypatch.setitem(containers.READERS, ".many", "made_reader")
    for name, value in (("0000", 3), ("0001", 5)):
        np.save(tmp_path / f"case_{name}.many.npy", np.full((4, 24, 20), value, np.uint8))
        (tmp_path / f"case_{name}.many.npy").rename(tmp_path / f"case_{name}.many")
    case = tmp_path / "case_{0000,0001}.many"
    assert addresses(case) == [case / f"z{at:03}" for at in range(4)]
    assert find_address(case / "z002") == (tmp_path / "case_0000.many", "z002")
    assert file_of(case / "z002") == tmp_path / "case_0000.many"
    assert files_of(case / "z002") == [tmp_path / "case_0000.many", tmp_path / "case_0001.many"]
    assert np.array_equal(read_image(case / "z002"), np.full((24, 20, 2), (3, 5), np.uint8))
    assert channel_names(case / "z002", 2) == ("0000", "0001")


@pytest.mark.parametrize("name", ["a{b}.png", "a{b,c.png", "{}.png", "a{b,}.png", "a{b,b}.png"])
def test_other_braces_are_part_of_a_name(tmp_path: Path, name: str) -> None:
    assert split_channels(tmp_path / name) == {}


def test_a_file_with_braces_in_its_name_is_itself(save, tmp_path: Path) -> None:
    path = save(tmp_path / "a{b,c}.png", _pixels(1, "uint8")[..., 0])
    assert split_channels(path) == {} and read_image(path).shape == (24, 20, 1)


def test_names_are_kept_where_all_images_have_them() -> None:
    assert common_names([NAMES, NAMES]) == NAMES
    assert common_names([NAMES[:2], ("405", "488")]) == ("channel 1", "channel 2")


@pytest.mark.parametrize(
    ("count", "names", "wanted", "wanted_names", "message"),
    [
        (1, (), 3, (), ""),
        (3, (), 1, (), ""),
        (4, NAMES[:4], 4, NAMES[:4], ""),
        (4, (), 4, NAMES[:4], ""),
        (4, numbered(4), 4, NAMES[:4], ""),
        (4, numbered(4), 4, (), ""),
        (2, ("405", "488"), 2, NAMES[:2], ""),
        (
            3,
            (),
            4,
            NAMES[:4],
            r"has 3 channels \(red, green, blue\), and the network takes 4 channels \(DAPI, GFP, act",
        ),
        (4, numbered(4), 3, (), r"has 4 channels, and the network takes 3 channels \(red, green, blue\)"),
        (1, (), 3, NAMES[:3], r"has one channel \(grey\), and the network takes 3 channels \(DAPI"),
        (3, NAMES[:3], 3, (), r"has 3 channels \(DAPI, GFP, actin\), and the network takes 3 channels \(red"),
        (2, NAMES[1::-1], 2, NAMES[:2], r"2 channels \(GFP, DAPI\), and .* 2 channels \(DAPI, GFP\), in this order"),
        (2, ("GFP", "Cy5"), 2, NAMES[:2], r"2 channels \(GFP, Cy5\), and .* 2 channels \(DAPI, GFP\), in this order"),
        (2, ("Cy5", "GFP"), 2, NAMES[:2], ""),
    ],
)
def test_a_network_takes_the_channels_that_it_was_trained_on(
    count: int, names: tuple[str, ...], wanted: int, wanted_names: tuple[str, ...], message: str
) -> None:
    if not message:
        refuse_channels("a.tif", count, names, wanted, wanted_names)
        return
    with pytest.raises(InputError, match=f"^a.tif {message}|^a.tif has {message}"):
        refuse_channels("a.tif", count, names, wanted, wanted_names)
