"""Masks of slides: those of the whole image, in memory that a tile needs, and after a kill."""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from filelock import FileLock

from amsunet.data.image_file import count_pixels
from amsunet.data.image_spacing import spacing_of
from amsunet.data.images import read_image
from amsunet.data.out_of_distribution import learn_image_statistics
from amsunet.data.slides import SlideError, is_slide
from amsunet.errors import InputError
from amsunet.inference import slide as slide_module
from amsunet.inference import tiled_mask
from amsunet.inference.inputs import find_inputs
from amsunet.inference.outcome import REVIEW_LIST
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.inference.slide import SlideTask
from amsunet.inference.sliding_window import Tiling
from amsunet.progress import reported_to

_TILING = Tiling(tile=96, overlap=32, whole=0)
_SIZE = 234, 299
_RECORD = ("predictions.jsonl", ".predictions.lock")
"""What a prediction leaves beside its masks."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Everything in several parts."""
    monkeypatch.setattr(slide_module, "_LABELLED", 100)
    monkeypatch.setattr(tiled_mask, "SIDE", 64)


@pytest.fixture
def path(tmp_path, picture):
    image = picture(*_SIZE, channels=3)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as tiff:
        settings = {"tile": (64, 64), "compression": "zlib", "photometric": "rgb"}
        tiff.write(image, subifds=1, **settings)
        tiff.write(image[::2, ::2], subfiletype=1, **settings)
    return tmp_path / "slide.tif"


@pytest.fixture(scope="module")
def halves() -> dict[str, float]:
    """The probability that half of the slide exceeds, by what a network is made with: found once."""
    return {}


@pytest.fixture
def make_tiled(make_run, device, path, halves):
    def make(*given, tta="none", **settings):
        """Of two classes, each has half of the slide."""
        options = replace(RuntimeOptions.on(device), tta=tta)
        predictor = Predictor(make_run(*given, **settings), options, tiling=_TILING)
        if predictor.description.convention.num_classes > 2 or "threshold" in settings:
            return predictor
        key = repr((given, settings))
        if key not in halves:
            plain = Predictor(make_run(*given, **settings), RuntimeOptions.on(device))
            halves[key] = float(np.median(_whole(plain, path).probability[1]))
        return Predictor(make_run(*given, **settings, threshold=halves[key]), options, tiling=_TILING)

    return make


def _whole(predictor, path, level=0):
    return predictor.predict(tifffile.imread(path, level=level))


def _same(found, expected):
    """But for single pixels whose probability is that of the threshold."""
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert (found != expected).mean() < 1e-3
    assert len(np.unique(expected)) > 1, "there is something to be found"


CONVENTIONS = {
    "values": {},
    "classes": {"values": (0, 3, 700), "names": ("background", "a", "b")},
    "instances": {"kind": "instances", "values": (0, 1)},
    "colours": {"kind": "colours", "values": (0, 0xFF0080), "names": ("background", "red")},
}


def test_a_slide_is_brought_to_the_pixels_of_the_training(make_tiled, path, tmp_path):
    predictor = make_tiled(in_channels=3, smallest_object=20)
    known = predictor.description
    measured = known.preprocessing.model_copy(update={"spacing": (0.0005, 0.0005)})
    known = known.model_copy(update={"preprocessing": measured})
    predictor.networks.members[0], predictor.description = (
        replace(predictor.networks.members[0], description=known),
        known,
    )
    image = tifffile.imread(path)
    fine = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, image, tile=(64, 64), compression="zlib", photometric="rgb", metadata=None, **fine)
    SlideTask(predictor, path, tmp_path / "out", "mask").run()
    expected = predictor.predict(path)
    assert expected.spacing == pytest.approx((0.00025, 0.00025))
    _same(tifffile.imread(tmp_path / "out" / "mask.tif"), expected.to_mask())
    assert spacing_of(tmp_path / "out" / "mask.tif") == pytest.approx((0.00025, 0.00025)), "carried on"
    predictor.spacing = (1.0, 1.0)
    with pytest.raises(InputError, match=r"slide.tif are 1 mm, and those of the training images 0.5 um"):
        SlideTask(predictor, path, tmp_path / "other", "mask").check()


@pytest.mark.parametrize(("convention", "scale"), [
    ("values", 1.0), ("values", 0.6), ("values", 1.3), ("classes", 0.6), ("instances", 1.0), ("colours", 1.0)
])  # fmt: skip
def test_the_mask_is_that_of_the_whole_image(make_tiled, path, tmp_path, convention, scale, said):
    predictor = make_tiled(**CONVENTIONS[convention], scale=scale, in_channels=3, separation=1.0)
    SlideTask(predictor, path, tmp_path / "out", "sub/mask").run()
    assert any("objects that touch have one number" in line for line in said) == (convention == "instances")
    expected = _whole(predictor, path)
    with tifffile.TiffFile(tmp_path / "out" / "sub" / "mask.tif") as tiff:
        found, page = tiff.asarray(), tiff.pages[0]
        assert page.tile == (64, 64) and page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    if convention == "instances":
        assert found.max() > 1
        _same(found > 0, expected.to_mask() > 0)
    else:
        _same(found, expected.to_mask())
    assert [one.name for one in (tmp_path / "out" / "sub").iterdir()] == ["mask.tif"], "nothing is left behind"


def test_a_folder_for_each_class(make_tiled, path, tmp_path):
    predictor = make_tiled("folders", (0, 255, 255), ("background", "a", "b"), in_channels=3)
    SlideTask(predictor, path, tmp_path / "out", "mask").run()
    expected = _whole(predictor, path).mask
    for label, name in enumerate("ab", start=1):
        _same(tifffile.imread(tmp_path / "out" / name / "mask.tif") > 0, expected == label)


@pytest.mark.parametrize("tta", ["none", "flips"])
def test_small_objects_are_left_out(make_tiled, path, tmp_path, tta):
    predictor = make_tiled(smallest_object=40, tta=tta)
    SlideTask(predictor, path, tmp_path / "out", "mask").run()
    _same(tifffile.imread(tmp_path / "out" / "mask.tif") > 0, _whole(predictor, path).mask > 0)


def test_an_ensemble_averages_probabilities(ensemble, device, tmp_path, path):
    predictor = Predictor(ensemble, RuntimeOptions.on(device), tiling=_TILING)
    task = SlideTask(predictor, path, tmp_path / "out", "mask")
    doubt = task.run()
    expected = _whole(predictor, path)
    found = tifffile.imread(tmp_path / "out" / "mask.tif") > 0
    assert (found != (expected.mask > 0)).mean() < 1e-3
    if doubt:
        assert doubt.uncertainty == pytest.approx(expected.uncertainty, abs=0.02)


def test_a_coarser_level_and_a_small_one_whole(make_tiled, path, tmp_path, said):
    predictor = make_tiled(in_channels=3)
    predictor.networks.tiling = Tiling(whole=150 * 150)
    SlideTask(predictor, path, tmp_path / "out", "mask", level=1).run()
    assert "150 x 117 pixels, read from level 1, in 1 tile" in said[0]
    _same(tifffile.imread(tmp_path / "out" / "mask.tif"), _whole(predictor, path, level=1).to_mask())


def test_a_seam_is_no_larger_than_what_lies_between(make_tiled, path, tmp_path, monkeypatch):
    """Where a tile ends probabilities do not jump."""
    predictor = make_tiled(in_channels=3)
    canvas = np.zeros(_SIZE, np.float32)
    whole = _whole(predictor, path).probability[1]
    task = SlideTask(predictor, path, tmp_path / "out", "mask")
    to_labels, places = slide_module.to_labels, []
    monkeypatch.setattr(slide_module, "to_labels", lambda p, *more: places.append(p[1].copy()) or to_labels(p, *more))
    write = slide_module.Scratch

    class Watched(write):
        def __init__(self, *given):
            super().__init__(*given)
            inner = self.labels.write
            self.labels.write = lambda y, x, part: canvas.__setitem__((y, x), places.pop()) or inner(y, x, part)

    monkeypatch.setattr(slide_module, "Scratch", Watched)
    task.run()
    np.testing.assert_allclose(canvas, whole, atol=1e-4)


class _KilledError(Exception):
    """A kill."""


@pytest.mark.parametrize("tiles", [1, 5, 12, 20])
def test_after_a_kill_it_goes_on_and_gives_the_same(make_tiled, path, tmp_path, tiles, progress, logged):
    predictor = make_tiled(uncertainty_limit=0.0, image_statistics=None)
    unbroken = SlideTask(predictor, path, tmp_path / "unbroken", "mask").run()

    def stop(done, total, unit):
        if done == tiles:
            raise _KilledError

    task = SlideTask(predictor, path, tmp_path / "out", "mask")
    with pytest.raises(_KilledError), reported_to(stop):
        task.run()
    assert not (tmp_path / "out" / "mask.tif").exists()
    progress.clear()
    with logged() as said:
        assert task.run() == unbroken
    rows_done = tiles // 5
    left = 20 - 5 * rows_done
    assert progress == [(done, left, "tile") for done in range(1, left + 1)]
    assert said[1:] == [f"going on where it was stopped: {rows_done} of 4 rows of tiles are done"] * bool(rows_done)
    one, two = (tifffile.imread(tmp_path / name / "mask.tif") for name in ("unbroken", "out"))
    assert np.array_equal(one, two)
    assert not (tmp_path / "out" / ".mask.partial").exists()


@pytest.mark.parametrize("changed", ["slide", "network", "state"])
def test_what_was_begun_for_something_else_is_not_gone_on_with(make_tiled, path, tmp_path, picture, changed, logged):
    def stop(done, total, unit):
        if done == 13:
            raise _KilledError

    with pytest.raises(_KilledError), reported_to(stop):
        SlideTask(make_tiled(), path, tmp_path / "out", "mask").run()
    if changed == "slide":
        tifffile.imwrite(path, picture(*_SIZE, channels=3, seed=9), photometric="rgb")
    if changed == "state":
        (tmp_path / "out" / ".mask.partial" / "state.json").write_text(json.dumps({"rows_done": 4}))
    predictor = make_tiled(**({"threshold": 0.8} if changed == "network" else {}))
    with logged() as said:
        SlideTask(predictor, path, tmp_path / "out", "mask").run()
    assert len(said) == 1
    _same(tifffile.imread(tmp_path / "out" / "mask.tif"), _whole(predictor, path).to_mask())


def test_a_damaged_slide_leaves_nothing_behind(make_tiled, path, tmp_path):
    predictor = make_tiled()
    with tifffile.TiffFile(path) as tiff:
        begin = tiff.pages[0].dataoffsets[-1]
    content = bytearray(path.read_bytes())
    content[begin : begin + 40] = bytes(40)
    path.write_bytes(content)
    outcome = predict_files(predictor, find_inputs([str(path)]), tmp_path / "out")
    assert "is damaged" in outcome.failures[str(path)]
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"failures.txt", *_RECORD}


def test_two_commands_do_not_work_on_one_slide(make_tiled, path, tmp_path):
    folder = tmp_path / "out" / ".mask.partial"
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"), pytest.raises(InputError, match="worked on by another command"):
        SlideTask(make_tiled(), path, tmp_path / "out", "mask").run()


def test_a_slide_is_worked_on_where_the_file_system_knows_no_locks(make_tiled, path, tmp_path, monkeypatch, said):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    SlideTask(make_tiled(), path, tmp_path / "out", "mask").run()
    assert [line for line in said if "knows no locks" in line] == [
        f"warning: the file system of {tmp_path / 'out' / '.mask.partial'} knows no locks: make sure that no other "
        "command writes there meanwhile"
    ]
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["mask.tif"]


def test_too_little_room_is_said_before_work_starts(make_tiled, path, tmp_path, monkeypatch, picture):
    monkeypatch.setattr(shutil, "disk_usage", lambda where: SimpleNamespace(free=100_000))
    tifffile.imwrite(tmp_path / "small.tif", picture(40, 40))
    jobs = find_inputs([str(path), str(tmp_path / "small.tif")])
    with pytest.raises(InputError, match=r"slide.tif may need [\d,]+ MB .* free some space"):
        predict_files(make_tiled(), jobs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_room_that_is_asked_for_is_enough(make_tiled, path, tmp_path, monkeypatch):
    predictor, asked = make_tiled("instances", (0, 1)), []
    task = SlideTask(predictor, path, tmp_path / "out", "mask")
    refuse = SlideTask._refuse_without_room
    monkeypatch.setattr(SlideTask, "_refuse_without_room", lambda self, room: asked.append(room) or refuse(self, room))
    taken = []
    monkeypatch.setattr(slide_module.Scratch, "remove", lambda scratch: taken.append(
        sum(file.stat().st_size for file in (tmp_path / "out").rglob("*"))
    ))  # fmt: skip
    task.run()
    assert 0 < taken[0] <= asked[0] + 10_000


def test_slides_beside_images_with_lists_and_failures(make_tiled, path, tmp_path, picture, progress):
    images = tmp_path / "images"
    images.mkdir()
    shutil.copy(path, images / "b.tif")
    tifffile.imwrite(images / "a.tif", picture(40, 48))
    (images / "c.svs").write_bytes(b"no slide")
    assert is_slide(images / "b.tif") and not is_slide(images / "a.tif")
    image_statistics = learn_image_statistics((picture(40, 48, channels=3, seed=seed) for seed in range(4)), [])
    predictor = make_tiled(uncertainty_limit=0.0, image_statistics=image_statistics, in_channels=3)
    outcome = predict_files(predictor, find_inputs([str(images)]), tmp_path / "out")
    assert outcome.written == 2 and list(outcome.failures) == [str(images / "c.svs")]
    assert progress[0] == (1, 3, "image") and progress[-1] == (20, 20, "tile")
    assert {str(one.relative_to(tmp_path / "out")) for one in (tmp_path / "out").iterdir()} == set(_RECORD) | {
        "a.png", "b.tif", "failures.txt", REVIEW_LIST
    }  # fmt: skip
    doubt = next(one for one in outcome.review if one.image.endswith("b.tif"))
    expected = predictor.predict(read_whole(path))
    assert doubt.uncertainty == pytest.approx(expected.uncertainty, abs=1e-3)
    assert doubt.out_of_distribution == expected.out_of_distribution


def read_whole(path):
    return tifffile.imread(path, level=0)


def test_what_is_there_is_not_replaced_unasked(make_tiled, path, tmp_path):
    predictor = make_tiled()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "slide.tif").write_bytes(b"drawn by hand")
    with pytest.raises(InputError, match=r"slide.tif is there already"):
        predict_files(predictor, find_inputs([str(path)]), tmp_path / "out")
    assert (tmp_path / "out" / "slide.tif").read_bytes() == b"drawn by hand"
    predict_files(predictor, find_inputs([str(path)]), tmp_path / "out", PredictionOptions(overwrite=True))
    assert read_image(tmp_path / "out" / "slide.tif").shape[:2] == _SIZE
    with pytest.raises(InputError, match="would take the place of"):
        predict_files(predictor, find_inputs([str(path)]), tmp_path, PredictionOptions(overwrite=True))


@pytest.mark.parametrize("lost", ["labels", "state.json"])
def test_a_kill_while_cleaning_up_costs_no_mask(make_tiled, path, tmp_path, monkeypatch, lost):
    """Whatever of its notes is left, the next run makes the mask anew, and replaces no other."""

    def killed(scratch):
        (scratch.folder / lost).unlink()
        raise _KilledError

    predictor = make_tiled()
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(slide_module.Scratch, "remove", killed)
        SlideTask(predictor, path, tmp_path / "out", "mask").run()
    made = tifffile.imread(tmp_path / "out" / "mask.tif")
    if lost == "state.json":
        with pytest.raises(InputError, match="is there already"):
            SlideTask(predictor, path, tmp_path / "out", "mask").run()
    SlideTask(predictor, path, tmp_path / "out", "mask", overwrite=True).run()
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "mask.tif"), made)


@pytest.mark.parametrize("asked", [{"overlay": True}, {"probability": True}])
def test_what_needs_the_whole_image_is_refused(make_tiled, path, tmp_path, asked):
    with pytest.raises(InputError, match="too large for overlay and probability"):
        predict_files(make_tiled(), find_inputs([str(path)]), tmp_path / "out", PredictionOptions(**asked))


def test_a_level_without_a_pyramid_is_refused(make_tiled, path, tmp_path, picture):
    tifffile.imwrite(tmp_path / "small.tif", picture(40, 40))
    with pytest.raises(InputError, match="level is for pyramids"):
        predict_files(
            make_tiled(),
            find_inputs([str(tmp_path / "small.tif")]),
            tmp_path / "out",
            options=PredictionOptions(level=1),
        )
    outcome = predict_files(
        make_tiled(), find_inputs([str(path)]), tmp_path / "out", options=PredictionOptions(level=5)
    )
    assert "no level 5: choose 0 to 1" in outcome.failures[str(path)]


def test_a_real_large_image(shared, device, tmp_path):
    """A micrograph under the network that comes with the package: as a slide it gives what it gives as an image, and
    that is nearly what the whole image gives.
    """
    paths = [path for path in (shared("DSB2018") / "images").iterdir() if path.suffix == ".png"]
    image = read_image(max(paths, key=lambda path: (count_pixels(path), path.name)))
    assert image.shape[0] * image.shape[1] > 1_000_000
    image = image[300:620, 300:700]  # in twelve tiles
    tifffile.imwrite(tmp_path / "cells.tif", image.squeeze(), tile=(128, 128), compression="zlib")
    predictor = Predictor("nuclei", RuntimeOptions.on(device), tiling=Tiling(tile=160, overlap=64, whole=0))
    SlideTask(predictor, tmp_path / "cells.tif", tmp_path / "out", "cells").run()
    found = tifffile.imread(tmp_path / "out" / "cells.tif")
    _same(found, predictor.predict(image).to_mask())
    predictor.networks.tiling = Tiling(whole=image.size)
    assert (found != predictor.predict(image).to_mask()).mean() < 0.05


def test_a_slide_of_several_channels_is_for_a_network_of_as_many(make_tiled, path, tmp_path, picture):
    of_grey, image = make_tiled(), picture(*_SIZE, channels=4)
    tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig", tile=(64, 64), compression="zlib")
    with pytest.raises(SlideError, match=r"slide.tif has 4 channels, and the network takes one channel"):
        SlideTask(of_grey, path, tmp_path / "out", "mask").run()
    predictor = make_tiled(in_channels=4)
    SlideTask(predictor, path, tmp_path / "out", "mask").run()
    _same(tifffile.imread(tmp_path / "out" / "mask.tif"), _whole(predictor, path).to_mask())
