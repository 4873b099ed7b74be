"""One look at every file of a data set."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from made_tiff import without_extra_samples
from PIL import Image

from amsunet.data.discovery.layout import Sample
from amsunet.data.scan import scan_samples, warn_of_blank, warn_of_same_files, with_same_channels
from amsunet.memory import MemoryBudget


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_mean_and_deviation_are_those_of_the_pixels(save, tmp_path, kind):
    rng = np.random.default_rng(0)
    image = rng.normal(0.4, 0.1, (60, 50)).clip(0, 1)
    top = np.iinfo(kind).max if kind != "float32" else 1
    image = (image * top).astype(kind)
    path = save(tmp_path / ("a.tif" if kind == "float32" else "a.png"), image)
    mask = save(tmp_path / "m.png", np.zeros((60, 50), np.uint8))
    (scan,), problems = scan_samples([Sample("a", path, {"mask": mask})])
    assert not problems
    assert scan.mean == pytest.approx(((image.astype(float) / top).mean(),), abs=1e-9)
    assert scan.std == pytest.approx(((image.astype(float) / top).std(),), abs=1e-9)


def test_colours_are_measured_apart(save, tmp_path):
    image = np.random.default_rng(0).integers(0, [10, 100, 250], (60, 50, 3), np.uint8)
    path = save(tmp_path / "a.png", image)
    mask = save(tmp_path / "m.png", np.zeros((60, 50), np.uint8))
    (scan,), _ = scan_samples([Sample("a", path, {"mask": mask})])
    assert scan.mean == pytest.approx(image.reshape(-1, 3).mean(axis=0) / 255)
    assert scan.std == pytest.approx(image.reshape(-1, 3).std(axis=0) / 255)
    small = np.asarray(Image.fromarray(image.mean(axis=2, dtype=np.float32)).resize((16, 16), Image.Resampling.BOX))
    centred = small - small.mean()
    assert scan.thumbnail == pytest.approx(centred / np.linalg.norm(centred), abs=1e-5)


def test_progress_has_the_total(save, tmp_path, progress):
    samples = []
    for name in "abc":
        path = save(tmp_path / f"{name}.png", np.full((8, 8), 9, np.uint8))
        samples.append(Sample(name, path, {"mask": path}))
    scan_samples(samples)
    assert progress == [(done, 3, "image") for done in (1, 2, 3)]


def test_what_keeps_a_sample_from_being_used_has_its_own_kind(save, tmp_path):
    image = save(tmp_path / "a.png", np.full((32, 32), 9, np.uint8))
    disc = np.zeros((32, 32), np.uint8)
    disc[4:20, 4:20] = 255
    first, second = save(tmp_path / "a_mask.png", disc), save(tmp_path / "a_mask_1.png", disc)
    many = tmp_path / "six channels.tif"
    tifffile.imwrite(many, np.zeros((32, 32, 6), np.uint8), photometric="minisblack", planarconfig="contig")
    without_extra_samples(many)
    broken = tmp_path / "of 9 pixels, its masks cannot be joined, are masks of one image and mark the same object.png"
    broken.write_bytes(b"no image")
    samples = [
        Sample("two", image, {"": first}, more_masks={"": (second,)}),
        Sample("six", many, {"": first}),
        Sample("broken", broken, {"": first}),
        Sample("small", image, {"": save(tmp_path / "small.png", disc[1:])}),
    ]
    _, problems = scan_samples(samples)
    assert [problem.kind for problem in problems] == [
        "masks that mark one object twice",
        "channels that are not read",
        "unreadable files",
        "sizes that differ",
    ]


def test_masks_that_are_all_equal_or_equal_their_images_are_warned_of(save, tmp_path):
    rng = np.random.default_rng(0)
    disc = np.zeros((32, 32), np.uint8)
    disc[4:20, 4:20] = 255
    images = [save(tmp_path / f"{n}.png", rng.integers(0, 255, (32, 32), np.uint8)) for n in range(3)]
    masks = [save(tmp_path / f"{n}_mask.png", np.roll(disc, n)) for n in range(3)]
    same = [Sample(str(n), image, {"": masks[0]}) for n, image in enumerate(images)]
    (text,) = warn_of_same_files(scan_samples(same)[0])
    assert text.startswith("all 3 masks are equal, as ") and str(masks[0]) in text
    apart = [Sample(str(n), image, {"": mask}) for n, (image, mask) in enumerate(zip(images, masks, strict=True))]
    assert warn_of_same_files(scan_samples(apart)[0]) == []
    apart[1] = Sample("1", masks[1], {"": masks[1]})
    (text,) = warn_of_same_files(scan_samples(apart)[0])
    assert text.startswith(f"1 mask equals its image, as {masks[1]}")


def test_blank_images_whose_masks_mark_something_are_warned_of(save, tmp_path):
    blank, other = np.full((32, 32), 7, np.uint8), np.arange(1024, dtype=np.uint8).reshape(32, 32)
    mask = save(tmp_path / "mask.png", other)
    samples = [Sample(name, save(tmp_path / f"{name}.png", image), {"": mask})
               for name, image in (("a", blank), ("b", other), ("c", blank))]  # fmt: skip
    scans, _ = scan_samples(samples)
    (text,) = warn_of_blank(scans, {"a": 0.0, "b": 0.2, "c": 0.2})
    assert text.startswith(f"1 image holds one value everywhere, and the mask marks something, as {tmp_path / 'c.png'}")
    assert warn_of_blank(scans, {"a": 0.0, "b": 0.2, "c": 0.0}) == []


def test_dead_pixels_make_no_two_images_look_the_same(save, tmp_path):
    rng = np.random.default_rng(0)
    mask = save(tmp_path / "mask.png", np.zeros((64, 64), np.uint8))
    samples = []
    for name in "ab":
        image = rng.integers(0, 500, (4, 4)).astype(np.uint16).repeat(16, 0).repeat(16, 1)
        image[5, 7] = image[40, 3] = 65535
        samples.append(Sample(name, save(tmp_path / f"{name}.png", image), {"": mask}))
    a, b = (scan.thumbnail.ravel() for scan in scan_samples(samples)[0])
    assert a @ b < 0.5


def test_an_image_without_room_is_its_own_failure(tmp_path, monkeypatch):
    """The others are scanned, whatever step of the scan ran out of memory."""
    samples = []
    for index in range(4):
        path, mask = tmp_path / f"{index}.png", tmp_path / f"{index}_mask.png"
        Image.new("L", (16 + index, 16), 9).save(path)
        Image.new("L", (16 + index, 16), 1).save(mask)
        samples.append(Sample(str(index), path, {"": mask}))

    def full(grey):
        if grey.shape[1] == 18:
            raise MemoryError
        return grey

    monkeypatch.setattr("amsunet.data.scan.thumbnail_of", full)
    scans, problems = scan_samples(samples)
    assert [scan.sample.name for scan in scans] == ["0", "1", "3"]
    assert [problem.message for problem in problems] == [
        f"{tmp_path / '2.png'} does not fit into memory: close other programs, or cut it into tiles"
    ]


def test_threads_that_scan_share_memory(tmp_path, monkeypatch):
    """Each takes what its image, or a larger mask of it, needs."""
    taken = []

    class Budget(MemoryBudget):
        def take(self, size):
            taken.append(size)
            return super().take(size)

    monkeypatch.setattr("amsunet.data.scan.MemoryBudget", lambda: Budget(1_000_000))
    samples = []
    for index in range(6):
        path, mask = tmp_path / f"{index}.png", tmp_path / f"{index}_mask.png"
        Image.new("L", (200, 100), 9).save(path)
        Image.new("L", (200, 200) if index == 5 else (200, 100), 1).save(mask)
        samples.append(Sample(str(index), path, {"": mask}))
    scans, problems = scan_samples(samples)
    assert (len(scans), len(problems)) == (5, 1)
    pixels = sorted(size / min(taken) for size in taken)
    assert pixels == [1, 1, 1, 1, 1, 2]


def test_channels_of_all_images_are_the_same(save, tmp_path):
    rng = np.random.default_rng(0)
    mask = save(tmp_path / "mask.png", np.eye(32, dtype=np.uint8))
    names = {
        "a": ("DAPI", "GFP"),
        "b": ("DAPI", "GFP"),
        "c": ("GFP", "DAPI"),
        "d": ("405", "488"),
        "e": ("x", "y", "z"),
    }
    for name, channels in names.items():
        pixels = rng.integers(0, 255, (len(channels), 32, 32), dtype=np.uint8)
        metadata = {"axes": "CYX", "Channel": {"Name": list(channels)}}
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="minisblack", metadata=metadata)
    save(tmp_path / "f.tif", pixels[0])
    samples = [Sample(name, tmp_path / f"{name}.tif", {"": mask}) for name in (*names, "f")]
    scans, problems = with_same_channels(scan_samples(samples)[0])
    assert [scan.sample.name for scan in scans] == ["a", "b", "d"], "d may have the same channels by other names"
    assert [problem.path.stem for problem in problems] == ["c", "e", "f"]
    assert {problem.kind for problem in problems} == {"channels that differ"}
    assert "c.tif has 2 channels (GFP, DAPI), and" in problems[0].message
    assert "a.tif 2 channels (DAPI, GFP)" in problems[0].message


def test_grey_and_colours_go_together(save, tmp_path):
    rng = np.random.default_rng(0)
    mask = save(tmp_path / "mask.png", np.eye(32, dtype=np.uint8))
    grey, colour = (
        save(tmp_path / f"{n}.png", rng.integers(0, 255, s, np.uint8)) for n, s in (("a", (32, 32)), ("b", (32, 32, 3)))
    )
    scans, _ = scan_samples([Sample("a", grey, {"": mask}), Sample("b", colour, {"": mask})])
    assert with_same_channels(scans) == (scans, [])
    assert with_same_channels([]) == ([], [])
