"""Volumes to volumes: one NIfTI mask a volume, on its grid, whatever becomes of others."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile

from amsunet.data.images import read_image
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions

nibabel = pytest.importorskip("nibabel", reason="needs the extra clinic")
_AFFINE = np.array([[0.0, -2, 0, 7], [1, 0, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]])


@pytest.fixture
def head(save_volume, tmp_path, picture):
    """A volume (20, 24, 4) that is stored turned."""
    array = np.stack([picture(20, 24, seed=seed) for seed in range(4)], axis=-1)
    return save_volume(tmp_path / "set" / "head.nii.gz", array, _AFFINE)


def _voxels(path):
    return np.asanyarray(nibabel.load(path).dataobj)


def test_a_volume_goes_in_and_a_volume_comes_out(head, make_light_predictor, tmp_path, progress):
    outcome = predict_files(make_light_predictor(), find_inputs([str(head.parent)]), tmp_path / "out")
    assert (outcome.written, outcome.failures) == (1, {})
    assert progress[-1] == (4, 4, "slice")
    written = nibabel.load(tmp_path / "out" / "head.nii.gz")
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.affine, nibabel.load(head).affine)
    np.testing.assert_array_equal(_voxels(tmp_path / "out" / "head.nii.gz"), 255 * (_voxels(head) > 127))


def test_channels_are_in_a_file_each_or_in_the_fourth_dimension(head, make_predictor, save_volume, tmp_path):
    both = np.stack([_voxels(head), 255 - _voxels(head)], axis=-1)
    named = [save_volume(tmp_path / "two" / f"head_000{n}.nii.gz", both[..., n], _AFFINE) for n in range(2)]
    predictor = make_predictor(in_channels=2, channel_names=("0000", "0001"))
    outcome = predict_files(predictor, find_inputs([str(one) for one in named]), tmp_path / "out")
    assert (outcome.written, outcome.failures) == (1, {})
    in_files = _voxels(tmp_path / "out" / "head.nii.gz")
    save_volume(tmp_path / "four" / "head.nii.gz", both, _AFFINE)
    predictor = make_predictor(in_channels=2, channel_names=("channel 1", "channel 2"))
    outcome = predict_files(predictor, find_inputs([str(tmp_path / "four")]), tmp_path / "again")
    assert (outcome.written, outcome.failures) == (1, {})
    np.testing.assert_array_equal(_voxels(tmp_path / "again" / "head.nii.gz"), in_files)
    assert in_files.any() and in_files.shape == (20, 24, 4)
    for slices in (tmp_path / "two" / "head_{0000,0001}.nii.gz" / "z002", tmp_path / "four" / "head.nii.gz" / "cz002"):
        (one,) = find_inputs([str(slices)])
        assert one.name == f"head_{slices.name}"
        assert predict_files(predictor, [one], tmp_path / "out").failures == {}
        found = read_image(tmp_path / "out" / f"{one.name}.png")
        np.testing.assert_array_equal(found, read_image(tmp_path / "out" / "head.nii.gz" / "z002"))


def test_slices_are_predicted_as_images_are(head, make_light_predictor, tmp_path):
    predictor = make_light_predictor()
    predict_files(predictor, find_inputs([str(head)]), tmp_path / "out")
    outcome = predict_files(predictor, find_inputs([str(head / "z002")]), tmp_path / "out")
    assert outcome.written == 1
    np.testing.assert_array_equal(
        read_image(tmp_path / "out" / "head_z002.png"), read_image(tmp_path / "out" / "head.nii.gz" / "z002")
    )


def test_names_are_those_of_cases_and_masks_are_no_images(make_volumes, make_light_predictor, tmp_path):
    root = make_volumes(2)
    predict_files(make_light_predictor(), find_inputs([str(root)]), tmp_path / "out")
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.nii.gz"))
    assert found == ["imagesTr/case_000.nii.gz", "imagesTr/case_001.nii.gz"]


def test_each_class_in_a_folder_of_its_own(head, make_light_predictor, tmp_path):
    predictor = make_light_predictor(names=("background", "cup", "disc"), kind="folders")
    predict_files(predictor, find_inputs([str(head)]), tmp_path / "out")
    cup, disc = (_voxels(tmp_path / "out" / name / "head.nii.gz") for name in ("cup", "disc"))
    np.testing.assert_array_equal(cup, _voxels(head) > 127)
    assert not disc.any()


def test_resume_passes_over_what_is_there_and_makes_anew_what_has_changed(
    head, save_volume, make_light_predictor, tmp_path
):
    other = save_volume(head.with_name("other.nii.gz"), _voxels(head), _AFFINE)
    predictor, inputs, out = make_light_predictor(), find_inputs([str(head.parent)]), tmp_path / "out"
    assert predict_files(predictor, inputs, out).written == 2
    with pytest.raises(
        InputError, match=r"head\.nii\.gz is there already: set --resume|head\.nii\.gz is there already"
    ):
        predict_files(predictor, inputs, out)
    again = predict_files(predictor, inputs, out, PredictionOptions(resume=True))
    assert (again.written, again.passed_over) == (0, 2)
    save_volume(other, 255 - _voxels(head), _AFFINE)
    assert predict_files(predictor, inputs, out, PredictionOptions(resume=True)).written == 1
    np.testing.assert_array_equal(_voxels(out / "other.nii.gz"), 255 * (_voxels(head) < 128))
    largest = predict_files(predictor, inputs, out, PredictionOptions(resume=True, largest_component=True))
    assert (largest.written, largest.passed_over) == (2, 0)
    assert predict_files(predictor, inputs, out, PredictionOptions(overwrite=True)).written == 2


def test_the_largest_component_is_found_across_slices(make_light_predictor, save_volume, tmp_path):
    array = np.zeros((20, 24, 4), np.uint8)
    array[2:6, 2:6] = 255  # 64 voxels over all slices
    array[10:17, 10:17, 1] = 255  # 49 voxels in one
    head = save_volume(tmp_path / "head.nii.gz", array)
    predict_files(
        make_light_predictor(),
        find_inputs([str(head)]),
        tmp_path / "out",
        options=PredictionOptions(largest_component=True),
    )
    array[10:17, 10:17] = 0
    np.testing.assert_array_equal(_voxels(tmp_path / "out" / "head.nii.gz"), array)


def test_a_volume_that_cannot_be_read_is_noted_and_the_rest_goes_on(head, save_volume, make_light_predictor, tmp_path):
    save_volume(head.with_name("a.nii.gz"), np.zeros((4, 5, 6, 2), np.uint8))
    save_volume(head.with_name("b.nii.gz"), np.full((4, 5, 6), np.nan, np.float32))
    head.with_name("c.nii.gz").write_bytes(b"nothing of it")
    head.with_name("d.nii").touch()
    predictor = make_light_predictor()
    outcome = predict_files(predictor, find_inputs([str(head.parent)]), tmp_path / "out")
    assert outcome.written == 1
    messages = {path.rpartition("/")[2]: message for path, message in outcome.failures.items()}
    assert "4 dimensions (4 x 5 x 6 x 2), and the network takes one channel (grey)" in messages["a.nii.gz"]
    assert "not finite numbers" in messages["b.nii.gz"]
    assert "c.nii.gz" in messages["c.nii.gz"] and "d.nii is empty (0 bytes)" in messages["d.nii"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nii*")) == ["head.nii.gz"]


def test_a_network_that_gives_no_numbers_writes_no_volume(head, make_light_predictor, tmp_path):
    predictor = make_light_predictor(change=lambda logits: logits * np.nan)
    outcome = predict_files(predictor, find_inputs([str(head)]), tmp_path / "out")
    assert outcome.written == 0 and "gives no numbers" in outcome.failures[str(head)]
    assert not (tmp_path / "out" / "head.nii.gz").exists()


@pytest.mark.parametrize("setting", ["overlay", "probability"])
def test_pictures_are_of_single_slices(setting, head, make_light_predictor, tmp_path):
    with pytest.raises(InputError, match=r"head\.nii\.gz is a volume, and .*name slices, as .*z000"):
        predict_files(
            make_light_predictor(), find_inputs([str(head)]), tmp_path / "out", PredictionOptions(**{setting: True})
        )
    outcome = predict_files(
        make_light_predictor(),
        find_inputs([str(head / "z001")]),
        tmp_path / "out",
        PredictionOptions(**{setting: True}),
    )
    assert outcome.written == 1


def test_the_largest_component_is_of_volumes(images, make_light_predictor, tmp_path):
    with pytest.raises(InputError, match=r"is for volumes .* none of the images is one"):
        predict_files(
            make_light_predictor(),
            find_inputs([str(images[0])]),
            tmp_path / "out",
            options=PredictionOptions(largest_component=True),
        )


def test_most_slices_that_look_foreign_make_a_volume_so(head, make_light_predictor, tmp_path, monkeypatch):
    predictor = make_light_predictor()
    seen = iter(["", "brightness", "brightness", "contrast"])
    monkeypatch.setattr(predictor.networks, "out_of_distribution", lambda _: next(seen))
    (item,) = predict_files(predictor, find_inputs([str(head)]), tmp_path / "out").review
    assert item.out_of_distribution == "brightness; in 3 of 4 slices"


def test_volumes_are_cut_as_those_trained_on(head, make_light_predictor, tmp_path, progress):
    predictor = make_light_predictor()
    preprocessing = predictor.description.preprocessing.model_copy(update={"slice_axis": "x"})
    predictor.description = predictor.description.model_copy(update={"preprocessing": preprocessing})
    predict_files(predictor, find_inputs([str(head)]), tmp_path / "out")
    assert progress[-1] == (24, 24, "slice")  # of 24 voxels along the patient's x, which is the second axis of the file
    np.testing.assert_array_equal(_voxels(tmp_path / "out" / "head.nii.gz"), 255 * (_voxels(head) > 127))


def _table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_other_forms_are_of_the_whole_volume(axis, make_light_predictor, save_volume, tmp_path):
    array = np.zeros((20, 24, 6), np.uint8)
    array[2:6, 3:6, 1:5] = 200  # 48 voxels over four slices
    array[10:12, 10:12, 0] = 250  # 4 voxels on the border
    head = save_volume(tmp_path / "head.nii.gz", array, _AFFINE)
    predictor, out = _cut(make_light_predictor(), axis), tmp_path / "out"
    options = PredictionOptions(also="objects,counts,labels,nifti")
    assert predict_files(predictor, find_inputs([str(head)]), out, options).failures == {}
    np.testing.assert_array_equal(_voxels(out / "nifti" / "head.nii.gz"), array > 0)
    (small, large) = sorted(_table(out / "objects.csv"), key=lambda row: int(row["voxels"]))
    assert (small["voxels"], small["touches_border"], float(small["mean_intensity"])) == ("4", "yes", 250)
    assert (large["voxels"], large["touches_border"], float(large["mean_intensity"])) == ("48", "no", 200)
    assert float(large["volume_mm3"]) == 48 * 6 and 0.5 < float(large["mean_probability"]) <= 1
    middle = _AFFINE @ [3.5, 4, 2.5, 1]  # as any other program finds it
    assert [float(large[f"centroid_{one}_mm"]) for one in "xyz"] == pytest.approx(middle[:3].tolist())
    assert int(large["last_slice"]) - int(large["first_slice"]) + 1 == {"x": 3, "y": 4, "z": 4}[axis]
    (counts,) = _table(out / "counts.csv")
    assert (counts["objects"], counts["voxels"], float(counts["volume_ml"])) == ("2", "52", 52 * 6 / 1000)
    with tifffile.TiffFile(out / "labels" / "head.tif") as file:
        numbers, known = file.asarray(), file.imagej_metadata
    assert sorted(np.bincount(numbers.ravel())[1:].tolist()) == [4, 48]
    assert known["spacing"] == {"x": 2, "y": 1, "z": 3}[axis] and known["unit"] == "mm"
    slices = [read_image(head / f"{axis}{index:03}")[..., 0] > 0 for index in range(len(numbers))]
    np.testing.assert_array_equal(numbers > 0, np.stack(slices))


def _cut(predictor, axis):
    preprocessing = predictor.description.preprocessing.model_copy(update={"slice_axis": axis})
    predictor.description = predictor.description.model_copy(update={"preprocessing": preprocessing})
    return predictor


def test_forms_of_volumes_are_resumed(head, make_light_predictor, tmp_path):
    predictor, inputs, out = make_light_predictor(), find_inputs([str(head)]), tmp_path / "out"
    assert predict_files(predictor, inputs, out).written == 1
    options = PredictionOptions(also="objects", resume=True)
    assert predict_files(predictor, inputs, out, options).written == 1
    assert predict_files(predictor, inputs, out, options).passed_over == 1
    (out / "objects" / "head.csv").unlink()
    assert predict_files(predictor, inputs, out, options).written == 1
    assert _table(out / "objects.csv")


@pytest.mark.parametrize("form", ["geojson", "seg"])
def test_forms_that_volumes_have_not_are_named(form, head, make_light_predictor, tmp_path):
    pytest.importorskip("shapely")
    pytest.importorskip("highdicom")
    with pytest.raises(
        InputError,
        match=rf"is a volume, and has no {form} .* have labels, objects, counts, nifti; or name slices",
    ):
        options = PredictionOptions(also=("objects", form))
        predict_files(make_light_predictor(), find_inputs([str(head)]), tmp_path / "out", options)
    assert not [*(tmp_path / "out").rglob("*.csv")]
