"""What is left to predict, and places of results that are not free."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from amsunet.data.images import write_image
from amsunet.errors import InputError
from amsunet.inference import prediction_plan, taken_names
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.outcome import FAILURES, REVIEW_LIST
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.prediction_record import RECORD
from amsunet.inference.taken_names import ignores_case


@pytest.fixture
def made(images, tmp_path, make_light_predictor):
    """Images with masks in ``out``, and what makes them."""
    predictor = make_light_predictor(uncertainty_limit=0.0)
    assert predict_files(predictor, find_inputs([str(images[0])]), tmp_path / "out").written == 5
    return images[0], tmp_path / "out", predictor


def _resume(made, *, predictor=None, **settings):
    where, out, before = made
    return predict_files(
        predictor or before, find_inputs([str(where)]), out, PredictionOptions(resume=True, **settings)
    )


def _times(out: Path) -> dict[str, int]:
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*.png")}


def test_what_is_there_is_passed_over_and_listed(made, said):
    before, listed = _times(made[1]), (made[1] / REVIEW_LIST).read_bytes()
    (made[1] / REVIEW_LIST).unlink()
    outcome = _resume(made)
    assert (outcome.written, outcome.passed_over, len(outcome.review)) == (0, 5, 5)
    assert _times(made[1]) == before
    assert (made[1] / REVIEW_LIST).read_bytes() == listed, "made anew from the record"
    assert said == ["5 of 5 images have their masks already, and are passed over"]


def test_nothing_of_an_image_that_is_passed_over_is_read(made, monkeypatch):
    monkeypatch.setattr(prediction_plan, "count_pixels", None)
    monkeypatch.setattr(prediction_plan, "is_slide", None)
    monkeypatch.setattr("amsunet.inference.prediction_record.checksum", None)
    assert _resume(made).passed_over == 5


@pytest.mark.parametrize("lost", ["missing", "empty", "begun"])
def test_what_is_lost_is_made_anew(made, lost):
    mask = made[1] / "c.png"
    content = mask.read_bytes()
    if lost == "begun":
        with (made[1] / "predictions.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"begun": ["c"]}\n')
        mask.write_bytes(b"half of a mask")
    else:
        mask.unlink()
    if lost == "empty":
        mask.touch()
    outcome = _resume(made)
    assert (outcome.written, outcome.passed_over) == (1, 4)
    assert mask.read_bytes() == content


def test_a_changed_image_is_predicted_anew_and_this_is_said(made, picture, said):
    old = made[1].joinpath("c.png").read_bytes()
    write_image(made[0] / "c.png", picture(33, 70, seed=77))
    outcome = _resume(made)
    assert (outcome.written, outcome.passed_over) == (1, 4)
    assert made[1].joinpath("c.png").read_bytes() != old
    assert said[1:] == ["1 images have changed since they were predicted, and their masks are made anew, as c"]


def test_masks_of_another_network_are_made_anew_and_this_is_said(made, make_light_predictor, said):
    for other in (make_light_predictor("others"), make_light_predictor("others", threshold=0.9)):
        said.clear()
        outcome = _resume(made, predictor=other)
        assert (outcome.written, outcome.passed_over) == (5, 0)
        (line,) = said
        assert line.startswith("5 masks are of another network or other settings, and are made anew, as ")
    assert not (made[1] / REVIEW_LIST).exists(), "the other network has no doubts"


def test_what_else_is_asked_for_is_made(made):
    outcome = _resume(made, overlay=True)
    assert outcome.written == 5 and (made[1] / "overlays" / "c.png").is_file()
    assert _resume(made, overlay=True).passed_over == _resume(made).passed_over == 5


def test_a_mask_that_a_person_changed_stays(made, make_light_predictor, said):
    mask = made[1] / "c.png"
    mask.write_bytes(b"corrected by hand")
    assert _resume(made).passed_over == 5
    assert said[1:] == ["1 masks were changed since they were predicted, and stay as they are, as c"]
    with pytest.raises(InputError, match=r"c\.png is there already, and not as a prediction of .*c\.png left it"):
        _resume(made, predictor=make_light_predictor("others"))
    assert mask.read_bytes() == b"corrected by hand"
    assert _resume(made, predictor=make_light_predictor("others"), overwrite=True).written == 5


def test_masks_of_images_of_the_same_name_elsewhere_are_not_replaced(made, tmp_path, picture):
    write_image(tmp_path / "others" / "c.png", picture(30, 30, seed=5))
    with pytest.raises(InputError, match=r"c\.png is there already, and not as a prediction of .*others/c\.png left"):
        predict_files(made[2], find_inputs([str(tmp_path / "others")]), made[1], PredictionOptions(resume=True))
    shutil.copy(made[0] / "c.png", tmp_path / "others" / "c.png")
    assert (
        predict_files(
            made[2], find_inputs([str(tmp_path / "others")]), made[1], options=PredictionOptions(resume=True)
        ).passed_over
        == 1
    )


def test_failures_are_tried_again(made):
    good = (made[0] / "a.png").read_bytes()
    (made[0] / "new.png").write_bytes(good[:60])
    assert len(_resume(made).failures) == 1 and "new.png" in (made[1] / "failures.txt").read_text()
    (made[0] / "new.png").write_bytes(good)
    outcome = _resume(made)
    assert (outcome.written, outcome.failures) == (1, {}) and not (made[1] / "failures.txt").exists()


def test_files_that_the_record_does_not_know_are_not_replaced(made):
    (made[1] / "predictions.jsonl").unlink()
    with pytest.raises(InputError, match="is there already, and not as a prediction"):
        _resume(made)


def test_without_it_the_refusal_names_it(made):
    with pytest.raises(InputError, match="is there already: set resume=True to go on with what was predicted"):
        predict_files(made[2], find_inputs([str(made[0])]), made[1])


def test_what_dead_processes_left_is_removed_and_what_the_living_hold_is_not(made):
    for place in (".0123456789ab.partial.png", "sub/.0123456789ab.partial.png", ".slide.partial.png", ".mine.partial"):
        (made[1] / place).touch()
    (made[1] / "c.png").unlink()
    (made[1] / "sub" / "d.png").unlink()
    assert _resume(made).written == 2
    assert {path.name for path in made[1].rglob("*partial*")} == {".slide.partial.png", ".mine.partial"}


def test_a_slide_is_passed_over_too(tmp_path, picture, make_light_predictor, said):
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(picture(64, 64), tile=(32, 32), subifds=1)
        tiff.write(picture(64, 64)[::2, ::2], tile=(32, 32), subfiletype=1)
    jobs, out = find_inputs([str(path)]), tmp_path / "out"
    assert predict_files(make_light_predictor(), jobs, out).written == 1
    assert predict_files(make_light_predictor(), jobs, out, PredictionOptions(resume=True)).passed_over == 1
    for predictor, level in ((make_light_predictor(), 1), (make_light_predictor("others"), 1)):
        assert predict_files(predictor, jobs, out, PredictionOptions(resume=True, level=level)).written == 1
    assert sum("of another network or other settings" in line for line in said) == 2
    os.utime(path, ns=(0, 0))
    outcome = predict_files(make_light_predictor("others"), jobs, out, PredictionOptions(resume=True, level=1))
    assert outcome.written == 1 and tifffile.imread(out / "slide.tif").shape == (32, 32)


def _clash(tmp_path, predictor, names, picture, **settings):
    jobs = []
    for number, name in enumerate(names):
        write_image(tmp_path / "in" / f"{number}.png", picture(16, 16))
        jobs.append(InputImage(tmp_path / "in" / f"{number}.png", name))
    with pytest.raises(InputError) as error:
        predict_files(predictor, jobs, tmp_path / "out", PredictionOptions(**settings))
    assert not (tmp_path / "out").exists()
    return str(error.value)


@pytest.mark.parametrize("names", [("scan", "Scan"), ("straße", "STRASSE"), ("\u00e9", "e\u0301"), ("A/x", "a/x")])
def test_names_that_differ_by_case_alone_are_one_where_case_is_ignored(
    tmp_path, make_light_predictor, picture, names, monkeypatch
):
    monkeypatch.setattr(taken_names, "ignores_case", lambda folder: True)
    assert "would both be" in _clash(tmp_path, make_light_predictor(), names, picture)
    monkeypatch.setattr(taken_names, "ignores_case", ignores_case)
    if not ignores_case(tmp_path):
        outcome = predict_files(make_light_predictor(), find_inputs([str(tmp_path / "in")]), tmp_path / "out")
        assert outcome.written == 2


def test_whether_case_is_ignored_is_tried(tmp_path):
    (tmp_path / "CASE").touch()
    assert ignores_case(tmp_path / "not" / "yet") == (tmp_path / "case").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["CASE"]


@pytest.mark.parametrize("kind", ["overlay", "probability"])
def test_results_of_other_kinds_are_results_too(tmp_path, make_light_predictor, picture, kind):
    folder = {"overlay": "overlays", "probability": "probabilities"}[kind]
    said = _clash(tmp_path, make_light_predictor(), ("x", f"{folder}/x"), picture, **{kind: True})
    assert f"would both be {tmp_path / 'out' / folder / 'x.png'}: predict them into different folders" in said


@pytest.mark.parametrize(
    "names", [("x", "x.png/y"), ("x.png/y", "x"), ("review.csv/y",), ("failures.txt/y",), ("predictions.jsonl/y",)]
)
def test_a_folder_never_has_the_name_of_a_result(tmp_path, make_light_predictor, picture, names):
    assert "would have the name of" in _clash(tmp_path, make_light_predictor(), names, picture)


@pytest.mark.parametrize("name", [REVIEW_LIST, FAILURES, RECORD])
def test_a_folder_in_the_place_of_a_list_is_said_before_the_work(tmp_path, make_light_predictor, images, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=f"{name} is a folder, where a file is to be written: choose another out"):
        predict_files(make_light_predictor(), find_inputs([str(images[0])]), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", [REVIEW_LIST, FAILURES, RECORD])
def test_a_pipe_in_the_place_of_a_list_is_said_before_the_work(tmp_path, make_light_predictor, images, name):
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / name)
    with pytest.raises(InputError, match=f"{name} is a pipe, where a file is needed"):
        predict_files(make_light_predictor(), find_inputs([str(images[0])]), tmp_path / "out")


def test_two_results_of_one_image_are_two_files(tmp_path, make_light_predictor, picture):
    predictor = make_light_predictor(kind="folders", names=("background", "overlays", "cup"))
    said = _clash(tmp_path, predictor, ("x",), picture, overlay=True)
    assert "two results of " in said and "train with other names of classes" in said


def test_a_slide_and_an_image_are_told_apart(tmp_path, make_light_predictor, picture):
    """A slide's mask is a TIFF: no image is replaced by it, and no mask of another name."""
    with tifffile.TiffWriter(tmp_path / "in" / "x.tif" if (tmp_path / "in").mkdir() is None else "") as tiff:
        tiff.write(picture(64, 64), tile=(32, 32), subifds=1)
        tiff.write(picture(64, 64)[::2, ::2], tile=(32, 32), subfiletype=1)
    write_image(tmp_path / "in" / "x.png", picture(16, 16))
    outcome = predict_files(make_light_predictor(), find_inputs([str(tmp_path / "in")]), tmp_path / "out")
    assert outcome.written == 2
    assert {path.name for path in (tmp_path / "out").glob("x*")} == {"x.png.png", "x.tif.tif"}
    jobs = [InputImage(tmp_path / "in" / "x.tif", "../in/x")]
    with pytest.raises(InputError, match="would not lie in"):
        predict_files(make_light_predictor(), jobs, tmp_path / "out", PredictionOptions(overwrite=True))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_network_without_numbers_gives_no_mask(tmp_path, make_light_predictor, images, broken):
    def change(logits):
        logits[:, -1, 0, 0][logits.shape[-1] == 70] = broken  # of one image
        return logits

    outcome = predict_files(make_light_predictor(change=change), find_inputs([str(images[0])]), tmp_path / "out")
    ((path, message),) = outcome.failures.items()
    assert outcome.written == 4 and not (tmp_path / "out" / "c.png").exists()
    assert message == (
        f"{path} has no mask, because the network gives no numbers for it (NaN or infinity): predict it with "
        "precision='float32', or train again"
    )
    with pytest.raises(InputError, match="gives no numbers"):
        make_light_predictor(change=change).predict(images[0] / "c.png")


def test_a_tile_without_numbers_costs_the_slide_its_mask(tmp_path, make_light_predictor, picture):
    with tifffile.TiffWriter(tmp_path / "slide.tif") as tiff:
        tiff.write(picture(64, 64), tile=(32, 32), subifds=1)
        tiff.write(picture(64, 64)[::2, ::2], tile=(32, 32), subfiletype=1)
    predictor = make_light_predictor(change=lambda logits: logits * np.float32(np.nan))
    outcome = predict_files(predictor, find_inputs([str(tmp_path / "slide.tif")]), tmp_path / "out")
    assert outcome.written == 0 and "gives no numbers" in outcome.failures[str(tmp_path / "slide.tif")]
    assert not [path for path in (tmp_path / "out").iterdir() if "slide" in path.name]


def test_rows_of_the_lists_name_images_as_they_were_given(made):
    with (made[1] / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        assert {row["image"] for row in csv.DictReader(lines)} == {str(path) for path in made[0].rglob("[a-z]*.png")}
