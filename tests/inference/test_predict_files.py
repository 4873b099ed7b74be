"""Many images to many mask files."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

import amsunet
from amsunet.data.images import read_image, write_image
from amsunet.data.masks.files import read_mask
from amsunet.data.out_of_distribution import learn_image_statistics
from amsunet.errors import InputError
from amsunet.inference import predict_files as predict_files_module
from amsunet.inference import prediction_plan
from amsunet.inference import process_engine as module
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.outcome import REVIEW_LIST
from amsunet.inference.outputs import Outputs
from amsunet.inference.predict_files import predict, predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.predictor import Predictor
from amsunet.inference.segmentation import PendingSegmentation


def _files(out: Path) -> set[str]:
    """All but the record of what was predicted."""
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and "predictions." not in path.name}


@pytest.mark.parametrize("batch_pixels", [1, 2 * 40 * 48, 10**9])
def test_names_and_sizes_are_kept_whatever_the_batches(
    images, tmp_path, make_predictor, monkeypatch, batch_pixels, progress
):
    where, sizes = images
    monkeypatch.setattr(module, "_BATCH_PIXELS", batch_pixels)
    predictor = make_predictor()
    outcome = predict_files(predictor, find_inputs([str(where)]), tmp_path / "out")
    assert (outcome.written, outcome.failures) == (5, {})
    assert progress[-1] == (5, 5, "image")
    assert _files(tmp_path / "out") == {f"{name}.png" for name in sizes}
    for name, size in sizes.items():
        mask = read_mask(tmp_path / "out" / f"{name}.png")
        assert mask.shape == size
        assert np.array_equal(mask, predictor.predict(where / f"{name}.png").mask * 255)


def test_masks_to_be_checked_are_listed_the_worst_first(images, tmp_path, make_predictor, picture):
    where, sizes = images
    image_statistics = learn_image_statistics(
        (picture(*size, seed=seed)[..., None] for seed, size in enumerate(sizes.values())), []
    )
    write_image(where / "foreign.png", picture(40, 48) // 64 + 190)
    predictor = make_predictor(image_statistics=image_statistics, uncertainty_limit=0.0)
    outcome = predict_files(predictor, find_inputs([str(where)]), tmp_path / "out")
    with (tmp_path / "out" / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["image"] for row in rows] == [doubt.image for doubt in outcome.review]
    assert rows[0]["image"] == str(where / "foreign.png")
    assert "does not look like the training images" in rows[0]["reason"]
    assert {Path(row["image"]).stem for row in rows} == {Path(name).name for name in sizes} | {"foreign"}
    uncertainty = [float(row["uncertainty"]) for row in rows[1:]]
    assert uncertainty == sorted(uncertainty, reverse=True)
    assert not any("look like" in row["reason"] for row in rows[1:])
    sure = make_predictor(image_statistics=image_statistics, uncertainty_limit=1.0)
    predict_files(
        sure, find_inputs([str(where / "a.png")]), tmp_path / "out", options=PredictionOptions(overwrite=True)
    )
    with (tmp_path / "out" / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        assert list(csv.DictReader(lines)) == [row for row in rows if Path(row["image"]).stem != "a"]
    predict_files(sure, find_inputs([str(where)]), tmp_path / "again")
    (tmp_path / "again" / REVIEW_LIST).write_text("image\n", encoding="utf-8")
    predict_files(
        sure, find_inputs([str(where / "a.png")]), tmp_path / "again", options=PredictionOptions(overwrite=True)
    )
    assert not (tmp_path / "again" / REVIEW_LIST).exists(), "nothing is left in doubt"


def test_masks_go_into_a_folder(images, tmp_path, make_predictor):
    where, _ = images
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="out is a file: name a folder"):
        predict_files(make_predictor(), find_inputs([str(where)]), tmp_path / "out")


def test_the_header_of_an_image_is_opened_once(images, tmp_path, make_predictor, monkeypatch):
    opened, real = [], prediction_plan.count_pixels
    monkeypatch.setattr(prediction_plan, "count_pixels", lambda path: opened.append(path) or real(path))
    inputs = find_inputs([str(images[0])])
    predict_files(make_predictor(), inputs, tmp_path / "out", PredictionOptions(overlay=True))
    assert sorted(opened) == sorted(one.image for one in inputs)


def test_images_of_one_size_share_a_batch(images, tmp_path, make_predictor, monkeypatch):
    predictor, batches = make_predictor(), []
    compute = predictor.compute
    monkeypatch.setattr(predictor, "compute", lambda im: batches.append([one.name for one in im]) or compute(im))
    predict_files(predictor, find_inputs([str(images[0])]), tmp_path / "out")
    assert batches == [["a", "b"], ["c"], ["e.with.dots"], ["sub/d"]]


def test_a_broken_file_is_listed_and_does_not_stop_the_rest(images, tmp_path, make_predictor):
    where, sizes = images
    (where / "aa.png").write_bytes((where / "a.png").read_bytes()[:60])
    (where / "empty.png").touch()
    jobs = [*find_inputs([str(where)]), InputImage(where / "gone.png", "gone")]
    outcome = predict_files(make_predictor(), jobs, tmp_path / "out")
    assert outcome.written == 5
    assert {Path(path).name for path in outcome.failures} == {"aa.png", "empty.png", "gone.png"}
    assert _files(tmp_path / "out") == {f"{name}.png" for name in sizes} | {"failures.txt"}
    listed = dict(line.split("\t") for line in (tmp_path / "out" / "failures.txt").read_text().splitlines())
    assert listed == outcome.failures
    assert "0 bytes" in listed[str(where / "empty.png")]


_STEPS = {
    "prepare": (Predictor, lambda predictor, image, name, spacing: [name]),
    "compute": (Predictor, lambda predictor, images: [one.name for one in images]),
    "finish": (PendingSegmentation, lambda pending: [pending.image.name]),
    "write": (Outputs, lambda outputs, segmentation, image, source: [segmentation.name]),
}
"""What is done with an image, and how it is known there."""


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
@pytest.mark.parametrize("step", _STEPS)
def test_an_image_without_memory_is_a_failure_of_its_own(
    images, tmp_path, make_light_predictor, monkeypatch, step, error
):
    """The other one of its batch is predicted, and so is it once there is room."""
    predictor, (kind, names) = make_light_predictor(), _STEPS[step]
    real = getattr(kind, step)

    def full(*given):
        if "b" in names(*given):
            raise error
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(kind, step, full)
        outcome = predict_files(predictor, find_inputs([str(images[0])]), tmp_path / "out")
    assert outcome.written == 4
    ((path, message),) = outcome.failures.items()
    assert Path(path).name == "b.png" and message.startswith(f"{path} does not fit into memory: close other programs")
    again = predict_files(
        predictor, find_inputs([str(images[0])]), tmp_path / "out", options=PredictionOptions(resume=True)
    )
    assert (again.written, again.passed_over, again.failures) == (1, 4, {})


def test_another_error_of_a_network_is_no_want_of_memory(images, tmp_path, make_light_predictor, monkeypatch):
    def fail(self, given):
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(Predictor, "compute", fail)
    with pytest.raises(RuntimeError, match="illegal"):
        predict_files(make_light_predictor(), find_inputs([str(images[0])]), tmp_path / "out")


@pytest.mark.parametrize(
    ("convention", "allowed"),
    [
        (("values", (0, 255), ("background", "foreground")), {0, 255}),
        (("values", (0, 1), ("background", "foreground")), {0, 1}),
        (("values", (3, 10, 700), ("background", "one", "two")), {3, 10, 700}),
        (("threshold", (0, 255), ("background", "foreground")), {0, 255}),
        (("colours", (0, 0xFF0000, 0x00FF80), ("background", "red", "green")), {0, 0xFF0000, 0x00FF80}),
    ],
    ids=["0 and 255", "0 and 1", "16 bits", "threshold", "colours"],
)
def test_masks_come_back_as_the_training_masks_were(images, tmp_path, make_predictor, convention, allowed):
    where, _ = images
    predictor = make_predictor(*convention)
    predict_files(predictor, find_inputs([str(where / "c.png")]), tmp_path / "out")
    stored = read_mask(tmp_path / "out" / "c.png")
    labels = predictor.predict(where / "c.png").mask
    assert len(np.unique(labels)) > 1, "an empty result tests nothing"
    assert np.array_equal(predictor.description.convention.decode(stored, Path("c")), labels)
    if stored.ndim == 3:
        stored = stored.astype(int) @ [0x10000, 0x100, 1]
    assert set(np.unique(stored)) <= allowed


def test_objects_are_numbered(images, tmp_path, make_predictor):
    where, _ = images
    predictor = make_predictor("instances", (0, 1), threshold=0.9)
    predict_files(predictor, find_inputs([str(where / "c.png")]), tmp_path / "out")
    stored, labels = read_mask(tmp_path / "out" / "c.png"), predictor.predict(where / "c.png").mask
    assert np.array_equal(stored > 0, labels > 0)
    assert stored.max() > 1
    assert set(np.unique(stored)) == set(range(stored.max() + 1))


def test_one_folder_for_each_class(images, tmp_path, make_predictor):
    where, _ = images
    predictor = make_predictor("folders", (0, 1, 2), ("background", "cup", "disc"))
    predict_files(predictor, find_inputs([str(where / "c.png")]), tmp_path / "out")
    assert _files(tmp_path / "out") == {"cup/c.png", "disc/c.png"}
    labels = predictor.predict(where / "c.png").mask
    for label, name in enumerate(("cup", "disc"), start=1):
        assert np.array_equal(read_mask(tmp_path / "out" / name / "c.png"), (labels == label) * 255)


def test_overlay_and_probability_are_written_when_asked(images, tmp_path, make_predictor):
    where, sizes = images
    predictor = make_predictor()
    predict_files(
        predictor,
        find_inputs([str(where)]),
        tmp_path / "out",
        options=PredictionOptions(overlay=True, probability=True),
    )
    places = ("", "overlays/", "probabilities/")
    assert _files(tmp_path / "out") == {f"{place}{name}.png" for name in sizes for place in places}
    probability = read_image(tmp_path / "out" / "probabilities" / "c.png")
    assert probability.dtype == np.uint16
    expected = predictor.predict(where / "c.png").probability[1]
    np.testing.assert_allclose(probability[..., 0] / 65535, expected, atol=1e-4)
    assert read_image(tmp_path / "out" / "overlays" / "c.png").shape == (33, 70, 3)


def test_with_more_classes_each_has_its_probability(images, tmp_path, make_predictor):
    predictor = make_predictor("values", (0, 1, 2), ("background", "class 1", "class 2"))
    predict_files(
        predictor,
        find_inputs([str(images[0] / "c.png")]),
        tmp_path / "out",
        options=PredictionOptions(probability=True),
    )
    assert _files(tmp_path / "out" / "probabilities") == {"c_background.png", "c_class_1.png", "c_class_2.png"}


def test_images_are_never_replaced_by_their_masks(images, make_predictor):
    where, _ = images
    before = {path: path.read_bytes() for path in where.rglob("*.png")}
    with pytest.raises(InputError, match=r"would take the place of .*: choose another out"):
        predict_files(make_predictor(), find_inputs([str(where)]), where)
    assert {path: path.read_bytes() for path in where.rglob("*.png")} == before


def test_names_that_are_not_utf_8_get_masks_and_stand_escaped_in_the_lists(images, tmp_path, make_predictor):
    where = tmp_path / "strange"
    where.mkdir()
    good, broken = (Path(os.fsdecode(os.fsencode(where) + name)) for name in (b"/good\xff.png", b"/broken\xe4.png"))
    try:
        shutil.copy(images[0] / "a.png", good)
    except OSError:
        pytest.skip("this file system takes no such names")
    broken.write_bytes(b"no image")
    for _ in range(2):  # the second time what stands in the list is read
        outcome = predict_files(
            make_predictor(uncertainty_limit=0.0),
            find_inputs([str(where)]),
            tmp_path / "out",
            options=PredictionOptions(overlay=True, overwrite=True),
        )
    assert outcome.written == 1 and (tmp_path / "out" / good.name).is_file()
    with (tmp_path / "out" / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        assert [Path(row["image"]).name for row in csv.DictReader(lines)] == [r"good\udcff.png"]
    assert r"broken\udce4.png" in (tmp_path / "out" / "failures.txt").read_text(encoding="utf-8")


def test_results_of_two_images_are_never_one_file(tmp_path, make_predictor, picture):
    for name in ("x.png", "overlays/x.png"):
        write_image(tmp_path / "in" / name, picture(16, 16))
    with pytest.raises(InputError, match=r"would both be .*x\.png: predict them into different folders"):
        predict_files(
            make_predictor(),
            find_inputs([str(tmp_path / "in")]),
            tmp_path / "out",
            options=PredictionOptions(overlay=True),
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("there", ["disc/c.png", "overlays/c.png", "probabilities/c_cup.png"])
def test_nothing_that_is_there_is_replaced_unasked(images, tmp_path, make_predictor, there):
    predictor = make_predictor("folders", (0, 1, 2), ("background", "cup", "disc"))
    drawn = tmp_path / "out" / there
    drawn.parent.mkdir(parents=True)
    drawn.write_bytes(b"drawn by hand")
    with pytest.raises(InputError, match=rf"{drawn.name} is there already"):
        predict_files(
            predictor,
            find_inputs([str(images[0] / "c.png")]),
            tmp_path / "out",
            options=PredictionOptions(overlay=True, probability=True),
        )
    assert drawn.read_bytes() == b"drawn by hand" and _files(tmp_path / "out") == {there}


def test_an_image_in_the_folder_of_a_class_is_not_replaced(images, tmp_path, make_predictor):
    predictor = make_predictor("folders", (0, 1, 2), ("background", "cup", "disc"))
    image = tmp_path / "disc" / "c.png"
    image.parent.mkdir()
    shutil.copy(images[0] / "c.png", image)
    before = image.read_bytes()
    with pytest.raises(InputError, match="would take the place of"):
        predict_files(predictor, find_inputs([str(image.parent)]), tmp_path, PredictionOptions(overwrite=True))
    assert image.read_bytes() == before


def test_what_was_found_before_an_end_is_listed(images, tmp_path, make_predictor, monkeypatch):
    """Ctrl-C, a full disk: masks that are written are told apart from those to be checked."""

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.SlideTask, "run", stopped)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as tiff:
        tiff.write(np.zeros((64, 64), np.uint8), tile=(32, 32), subifds=1)
        tiff.write(np.zeros((32, 32), np.uint8), tile=(32, 32), subfiletype=1)
    jobs = find_inputs([str(images[0] / "c.png"), str(tmp_path / "slide.tif")])
    with pytest.raises(KeyboardInterrupt):
        predict_files(make_predictor(uncertainty_limit=0.0), jobs, tmp_path / "out")
    assert _files(tmp_path / "out") == {"c.png", REVIEW_LIST}


def test_a_file_where_the_folder_should_be_is_said_before_the_work(images, tmp_path, make_predictor):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file where a folder should: choose another place"):
        predict_files(make_predictor(), find_inputs([str(images[0])]), tmp_path / "file" / "out")


def test_a_large_image_that_is_no_slide_is_told(images, tmp_path, make_predictor, monkeypatch, said):
    monkeypatch.setattr(predict_files_module, "LARGE_PIXELS", 1)
    predict_files(make_predictor(), find_inputs([str(images[0] / "c.png")]), tmp_path / "out")
    assert len(said) == 1 and "c.png is predicted whole, which takes more than 2 GB of memory" in said[0]


def test_a_mask_that_cannot_be_written_ends_it_without_half_a_file(images, tmp_path, make_predictor, monkeypatch):
    def full(self, target, *_, **__):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    with pytest.raises(InputError, match="No space left on device"):
        predict_files(make_predictor(), find_inputs([str(images[0])]), tmp_path / "out")
    assert _files(tmp_path / "out") == set()


def test_no_image_is_lost_between_large_and_broken_ones(tmp_path, make_predictor, picture, monkeypatch):
    """Large images are not read ahead; the order stays."""
    monkeypatch.setattr(module, "_BATCH_PIXELS", 16 * 16)
    monkeypatch.setattr(module, "_LARGE_PIXELS", 32 * 32)
    monkeypatch.setattr(module, "_PIXELS_AHEAD", 3 * 20 * 20)
    names = [f"{number:02}" for number in range(12)]
    for number, name in enumerate(names):
        side = 48 if number % 3 else 20
        write_image(tmp_path / "in" / f"{name}.png", picture(side, side, seed=number))
    (tmp_path / "in" / "05.png").write_bytes(b"")
    predictor, order = make_predictor(), []
    compute = predictor.compute
    monkeypatch.setattr(predictor, "compute", lambda im: order.extend(one.name for one in im) or compute(im))
    outcome = predict_files(predictor, find_inputs([str(tmp_path / "in")]), tmp_path / "out")
    assert order == [name for name in names if name != "05"]
    assert (outcome.written, len(outcome.failures)) == (11, 1)
    assert outcome.images_per_second > 0


def test_one_call_does_what_the_command_does(run, tmp_path, images, monkeypatch):
    where, sizes = images
    first = predict(run, where, tmp_path / "a", overlay=True, probability=True)
    assert first.written == len(sizes) and not first.failures
    predictor = amsunet.load(run)
    monkeypatch.setattr(predict_files_module, "load", None)  # is not called for what is loaded
    second = predict(predictor, sorted(where.rglob("*.png")), str(tmp_path / "b"))
    assert second.written == len(sizes)
    masks = _files(tmp_path / "b")
    assert {f"{name}.png" for name in sizes} <= _files(tmp_path / "a")
    for name in masks & _files(tmp_path / "a"):
        if name.endswith(".png"):
            assert np.array_equal(read_mask(tmp_path / "a" / name), read_mask(tmp_path / "b" / name))
    with pytest.raises(InputError, match="already"):
        predict(predictor, where, tmp_path / "a")


def test_another_modality_than_that_of_the_training_images_is_a_reason_to_check(make_predictor, tmp_path):
    pydicom = pytest.importorskip("pydicom.data", reason='needs pip install "amsunet[clinic]"')
    for name in ("CT_small.dcm", "MR_small.dcm"):
        shutil.copy(pydicom.get_testdata_file(name), tmp_path / name)
    predictor = make_predictor(modalities=("CR", "CT"), normalization="percentiles")
    images = [InputImage(tmp_path / name, name) for name in ("CT_small.dcm", "MR_small.dcm")]
    outcome = predict_files(predictor, images, tmp_path / "masks")
    (item,) = outcome.review
    assert item.image.endswith("MR_small.dcm")
    assert item.out_of_distribution == "modality MR, and the training images have CR and CT"
    assert "modality" in predictor.predict(tmp_path / "MR_small.dcm").review_reasons[0]
    assert not predictor.predict(tmp_path / "CT_small.dcm").review_reasons
