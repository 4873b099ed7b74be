"""Forms of results for other programs: written beside the masks, gone on with, and refused before work begins."""

from __future__ import annotations

import json
import sys
from typing import get_args

import numpy as np
import pytest

from amsunet.choices import ResultForm
from amsunet.data.components import number_objects
from amsunet.data.images import read_image, write_image
from amsunet.data.masks.files import read_mask
from amsunet.errors import InputError
from amsunet.inference import segmentation as module
from amsunet.inference.inputs import find_inputs
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.result_formats import FORMS, NOT_WRITABLE, choose_forms, open_writer
from amsunet.text_files import read_rows

pytest.importorskip("shapely", reason='needs pip install "amsunet[objects]"')
ALL = tuple(form for form in FORMS if form != "seg")
"""Of images that are not DICOM."""


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def _made(out) -> dict[str, list[str]]:
    return {form: sorted(str(path.relative_to(out / form)) for path in (out / form).rglob("*.*")) for form in ALL}


def test_every_form_has_a_name_that_can_be_chosen():
    assert get_args(ResultForm) == tuple(FORMS)
    assert all(open_writer(form).suffix.startswith(".") for form in FORMS)


def test_forms_may_be_named_in_one_text():
    assert choose_forms("coco, labels,coco,") == choose_forms(["coco", "labels"]) == ("coco", "labels")
    assert choose_forms("") == ()


def test_a_form_whose_package_is_missing_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    monkeypatch.delitem(sys.modules, FORMS["rois"], raising=False)
    with pytest.raises(InputError, match=r"roifile is not installed: pip install .*objects"):
        choose_forms("labels,rois")


def test_each_image_gets_each_form_in_a_folder_of_its_name(images, out, make_light_predictor):
    where, sizes = images
    outcome = predict_files(make_light_predictor(), find_inputs([str(where)]), out, PredictionOptions(also=ALL))
    assert (outcome.written, outcome.failures) == (5, {})
    assert _made(out) == {form: sorted(f"{name}{open_writer(form).suffix}" for name in sizes) for form in ALL}
    content = json.loads((out / "coco.json").read_text(encoding="utf-8"))
    assert [one["file_name"] for one in content["images"]] == [f"{name}.png" for name in sorted(sizes)]
    for name in sizes:
        mask = read_mask(out / f"{name}.png") > 0
        assert mask.any()
        assert np.array_equal(read_image(out / "labels" / f"{name}.tif")[..., 0] > 0, mask)


def test_resume_makes_what_is_missing_and_joins_all(images, out, make_light_predictor):
    where, sizes = images
    first, *_ = jobs = find_inputs([str(where)])
    predictor = make_light_predictor()
    predict_files(predictor, jobs[:2], out, PredictionOptions(also=("coco",)))
    assert predict_files(predictor, jobs, out, PredictionOptions(also=("coco",), resume=True)).passed_over == 2
    whole = (out / "coco.json").read_bytes()
    assert len(json.loads(whole)["images"]) == 5
    (out / "coco.json").unlink()
    (out / "coco" / f"{first.name}.json").unlink()
    outcome = predict_files(predictor, jobs, out, PredictionOptions(also=("coco",), resume=True))
    assert (outcome.written, outcome.passed_over) == (1, 4)
    assert (out / "coco.json").read_bytes() == whole
    assert predict_files(predictor, jobs, out, PredictionOptions(also=("coco", "geojson"), resume=True)).written == 5
    assert len(_made(out)["geojson"]) == len(sizes)


def test_forms_of_an_earlier_command_stay_listed_while_they_show_the_mask_that_is_there(
    images, out, make_light_predictor
):
    jobs = find_inputs([str(images[0])])
    predictor, other = make_light_predictor(), make_light_predictor("other weights")
    predict_files(predictor, jobs, out, PredictionOptions(also=("coco",)))
    whole = (out / "coco.json").read_bytes()
    predict_files(predictor, jobs[:2], out, PredictionOptions(also=("counts",), resume=True))
    predict_files(predictor, jobs[2:3], out, PredictionOptions(overwrite=True))
    assert (out / "coco.json").read_bytes() == whole, "the same network made the same masks, in another form"
    assert predict_files(predictor, jobs, out, PredictionOptions(also=("coco",), resume=True)).passed_over == 5
    assert len({row["image"] for row in read_rows(out / "counts.csv")}) == 2

    predict_files(other, jobs[:1], out, PredictionOptions(overwrite=True))
    listed = [one["file_name"] for one in json.loads((out / "coco.json").read_text(encoding="utf-8"))["images"]]
    assert listed == [f"{job.name}.png" for job in jobs[1:]], "what shows another network's mask is out"
    predict_files(other, jobs, out, PredictionOptions(overwrite=True))
    assert json.loads((out / "coco.json").read_text(encoding="utf-8")) == {
        "images": [],
        "annotations": [],
        "categories": [],
    }
    assert read_rows(out / "counts.csv") == []


def test_a_folder_of_images_may_have_the_name_of_a_form(tmp_path, images, out, make_light_predictor, picture):
    for folder in ("coco", "other"):
        write_image(tmp_path / "in" / folder / "x.png", picture(40, 48))
    predict_files(
        make_light_predictor(), find_inputs([str(tmp_path / "in")]), out, options=PredictionOptions(also=("coco",))
    )
    content = json.loads((out / "coco.json").read_text(encoding="utf-8"))
    assert [one["file_name"] for one in content["images"]] == ["coco/x.png", "other/x.png"]


def test_coco_names_the_very_file_of_an_image(tmp_path, out, make_light_predictor, picture):
    names = ["a.jpg", "a.png", "b.png", "c.png.png"]
    for name in names:
        write_image(tmp_path / "in" / "whole.png", picture(40, 48))
        (tmp_path / "in" / "whole.png").rename(tmp_path / "in" / name)
    predict_files(
        make_light_predictor(), find_inputs([str(tmp_path / "in")]), out, options=PredictionOptions(also=("coco",))
    )
    content = json.loads((out / "coco.json").read_text(encoding="utf-8"))
    assert [one["file_name"] for one in content["images"]] == names


@pytest.mark.parametrize(("also", "sentence"), [("geojsn", "did you mean 'geojson'"), ("wings", "choose among labels")])
def test_a_form_that_does_not_exist_is_refused_before_anything_is_made(
    images, out, make_light_predictor, also, sentence
):
    with pytest.raises(InputError, match=sentence):
        predict_files(
            make_light_predictor(), find_inputs([str(images[0])]), out, options=PredictionOptions(also=(also,))
        )
    assert not out.exists()


def test_forms_of_slides_are_refused(tmp_path, out, make_light_predictor, write_pyramid, picture):
    write_pyramid(tmp_path / "slide.tif", picture(160, 160))
    with pytest.raises(InputError, match=r"slide.tif is too large for other forms: leave also out"):
        predict_files(
            make_light_predictor(),
            find_inputs([str(tmp_path / "slide.tif")]),
            out,
            options=PredictionOptions(also=("labels",)),
        )


def test_a_result_that_cannot_have_a_form_fails_alone_and_leaves_nothing(
    images, out, make_light_predictor, monkeypatch
):
    where, sizes = images
    writer = open_writer("geojson")
    real = writer.write

    def write(result, objects, image, path):
        if image.name == "a.png":
            raise InputError(f"{image} has no place on earth: leave out geojson", code=NOT_WRITABLE)
        real(result, objects, image, path)

    monkeypatch.setattr(writer, "write", write)
    outcome = predict_files(
        make_light_predictor(), find_inputs([str(where)]), out, options=PredictionOptions(also=("labels", "geojson"))
    )
    assert [*outcome.failures] == [str(where / "a.png")]
    assert len(_made(out)["labels"]) == len(_made(out)["geojson"]) == outcome.written == len(sizes) - 1
    assert not (out / "a.png").exists()
    monkeypatch.undo()
    again = predict_files(
        make_light_predictor(),
        find_inputs([str(where)]),
        out,
        options=PredictionOptions(also=("labels", "geojson"), resume=True),
    )
    assert (again.written, again.passed_over) == (1, len(sizes) - 1)


def test_what_is_one_file_for_all_is_joined_though_the_work_is_stopped(images, out, make_light_predictor, monkeypatch):
    real, calls = module.find_objects, []

    def stopped(*given):
        calls.append(given)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(module, "find_objects", stopped)
    with pytest.raises(KeyboardInterrupt):
        predict_files(
            make_light_predictor(), find_inputs([str(images[0])]), out, options=PredictionOptions(also=("coco",))
        )
    parts = [*(out / "coco").rglob("*.json")]
    assert len(json.loads((out / "coco.json").read_text(encoding="utf-8"))["images"]) == len(parts) == 2


def test_tables_hold_every_object_and_every_image_of_the_folder(images, out, make_light_predictor):
    where, sizes = images
    jobs, predictor = find_inputs([str(where)]), make_light_predictor()
    predict_files(predictor, jobs[:2], out, PredictionOptions(also=("objects", "counts")))
    predict_files(predictor, jobs, out, PredictionOptions(also=("objects", "counts"), resume=True))
    objects, counts = (read_rows(out / f"{form}.csv") for form in ("objects", "counts"))
    assert [row["image"] for row in counts] == sorted(sizes)
    for row in counts:
        own = [one for one in objects if one["image"] == row["image"]]
        mask = read_mask(out / f"{row['image']}.png") > 0
        assert len(own) == int(row["objects"]) == number_objects(mask)[1] > 0
        assert sum(int(one["area_px"]) for one in own) == int(row["area_px"]) == mask.sum()
