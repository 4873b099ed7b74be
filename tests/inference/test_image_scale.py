"""Images of another size than trained on: the same view in other pixels, or more of it, and what is said of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tifffile

import amsunet
from amsunet.data.components import without_small
from amsunet.data.images import read_image, write_image
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.inference.image_scale import describe_scaling
from amsunet.inference.inputs import find_inputs
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predict_files import predict_files
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.runtime_options import RuntimeOptions

RECORD = Preprocessing(
    in_channels=1,
    normalization="depth",
    scale=0.5,
    mean=(0.5,),
    std=(0.2,),
    typical_size=(60, 80),
    size_range=((50, 70), (60, 80)),
)
BY_SIZE = RECORD.model_copy(update={"image_scale": "size"})


@pytest.fixture
def make_scaled(make_run, device):
    """A predictor whose network brings images to a size of 60 x 80 pixels, or takes them by the same factor."""

    def make(image_scale="size", said=None, **settings):
        run = make_run(scale=0.5, **settings)
        network, description = load_model(run / FILE_NAME)
        changed = RECORD.model_copy(update={"image_scale": image_scale})
        save_model(run / FILE_NAME, network, description.model_copy(update={"preprocessing": changed}))
        return Predictor(run, replace(RuntimeOptions.on(device), image_scale=said))

    return make


def _enlarged(image, times):
    return image.repeat(times, axis=0).repeat(times, axis=1)


@pytest.mark.parametrize("times", [2, 3, 4])
def test_the_same_view_in_more_pixels_gives_the_same_mask(make_scaled, picture, times):
    image, differences = picture(60, 80), {}
    for rule in ("size", "factor"):
        predictor = make_scaled(rule)
        small, large = predictor.predict(image), predictor.predict(_enlarged(image, times))
        assert large.mask.shape == (60 * times, 80 * times)
        wanted = _enlarged(small.probability[1], times)
        differences[rule] = np.abs(large.probability[1] - wanted).mean() / wanted.std()
    assert 3 * differences["size"] < differences["factor"], differences


def test_images_of_the_trained_size_are_as_they_were(make_scaled, picture):
    by_size, by_factor = (make_scaled(rule) for rule in ("size", "factor"))
    for size in ((60, 80), (58, 82)):
        image = picture(*size)
        assert np.array_equal(by_size.predict(image).probability, by_factor.predict(image).probability)


def test_the_figures_of_strange_images_are_taken_at_that_size(make_scaled, picture):
    predictor, image = make_scaled(), picture(60, 80, channels=1)
    views = [next(iter(predictor.prepare(one, "x").views.values())) for one in (image, _enlarged(image, 4))]
    assert views[0].shape == views[1].shape == (1, 30, 40)
    assert np.abs(views[0].astype(int) - views[1]).mean() < 3


@pytest.mark.parametrize("times", [1, 3])
def test_the_smallest_object_follows_the_size(make_scaled, picture, times):
    image = _enlarged(picture(60, 80), times)
    without, left = (make_scaled(smallest_object=size).predict(image) for size in (60, 0))
    assert np.array_equal(without.mask, without_small(left.mask == 1, 60 * times**2))
    assert not np.array_equal(without.mask, left.mask), "nothing was that small"


def test_what_is_said_counts_whatever_the_size(make_scaled, picture):
    image = _enlarged(picture(60, 80), 3)
    expected = make_scaled(smallest_object=60).predict(image)
    for rule in ("size", "factor"):
        predictor = make_scaled(rule, said=0.5 / 3, smallest_object=60)
        assert np.array_equal(predictor.predict(image).mask, expected.mask)
        assert predictor.prepare(picture(60, 80, channels=1), "x").working_size == (10, 13)
        scaling = predictor.scaling(Counter([image.shape[:2]]))
        assert scaling == ("images are scaled by 0.166667, as set with image_scale", "", "", True)


@pytest.mark.parametrize("said", [0, -1, 17, float("nan")])
def test_a_scale_that_cannot_be_is_refused(make_run, said):
    with pytest.raises(InputError, match="image_scale must be more than 0 and at most 16, not"):
        load(make_run(), RuntimeOptions(image_scale=said))


def test_spacing_decides_where_it_is_known_of_both(make_scaled, picture):
    predictor, image = make_scaled(), picture(60, 80, channels=1)
    result = predictor.predict(image, spacing=(0.1, 0.1))
    assert np.array_equal(result.probability, predictor.predict(image).probability)
    known = predictor.networks.members[0].description
    of_spacing = known.preprocessing.model_copy(update={"spacing": (0.2, 0.1)})
    known = known.model_copy(update={"preprocessing": of_spacing})
    predictor.networks.members[0] = replace(predictor.networks.members[0], description=known)
    assert predictor.prepare(image, "x", (0.1, 0.1)).working_size == (15, 40)


@pytest.fixture
def make_measured(make_scaled):
    """A predictor whose training images have pixels of 0.5 um."""

    def make(**settings):
        predictor = make_scaled(**settings)
        known = predictor.networks.members[0].description
        measured = known.preprocessing.model_copy(update={"spacing": (0.0005, 0.0005)})
        known = known.model_copy(update={"preprocessing": measured})
        predictor.networks.members[0] = replace(predictor.networks.members[0], description=known)
        predictor.description = known
        return predictor

    return make


@pytest.mark.parametrize("rule", ["size", "factor"])
def test_images_of_smaller_pixels_are_brought_to_those_of_the_training(make_measured, make_scaled, picture, rule):
    image = picture(60, 80)
    predictor = make_measured(image_scale=rule, smallest_object=60)
    by_size = make_scaled("size", smallest_object=60)
    found = predictor.predict(_enlarged(image, 3), spacing=(0.0005 / 3, 0.0005 / 3))
    assert np.array_equal(found.mask, by_size.predict(_enlarged(image, 3)).mask)
    nearly = predictor.prepare(image[..., None], "x", (0.00052, 0.00048))
    assert nearly.working_size == (30, 40), "what is alike is not resampled"


def test_pixels_that_cannot_be_so_large_are_refused(make_measured, picture):
    with pytest.raises(InputError, match=r"^the pixels of x are 10 mm, and those of the training images 0.5 um: set "):
        make_measured().prepare(picture(60, 80, channels=1), "x", (10.0, 10.0))


def test_what_is_not_known_of_pixels_is_told_and_each_file_is_scaled_by_its_own(make_measured, picture, tmp_path):
    image, predictor = picture(60, 80), make_measured(image_scale="factor")
    for name, density in (("fine", 6), ("same", 2)):
        tifffile.imwrite(
            tmp_path / f"{name}.tif", image, imagej=True, resolution=(density,) * 2, metadata={"unit": "um"}
        )
    known = predict_files(predictor, find_inputs([str(tmp_path)]), tmp_path / "out")
    assert known.written == 2 and not known.sizes
    assert predictor.scaling(known.sizes).line == (
        "images are scaled so that their pixels are those of the training, 0.5 um"
    )
    for name in ("fine", "same"):
        expected = predictor.predict(tmp_path / f"{name}.tif").mask
        assert np.array_equal(read_image(tmp_path / "out" / f"{name}.png")[..., 0], 255 * expected)
    tifffile.imwrite(tmp_path / "wrong.tif", image, imagej=True, resolution=(1, 1), metadata={"unit": "cm"})
    wrong = predict_files(predictor, find_inputs([str(tmp_path / "wrong.tif")]), tmp_path / "out")
    assert "wrong.tif are 10 mm, and those of the training" in wrong.failures[str(tmp_path / "wrong.tif")]
    write_image(tmp_path / "unknown.png", image)
    mixed = predict_files(predictor, find_inputs([str(tmp_path / "unknown.png")]), tmp_path / "out")
    assert predictor.scaling(mixed.sizes).note == (
        "1 image does not say how large a pixel is, taken as in the training, 0.5 um; spacing sets it"
    )


@pytest.mark.parametrize(
    ("record", "sizes", "line", "other_size"),
    [
        (RECORD, {(60, 80): 3}, "images are scaled by 0.5, as in training", ""),
        (RECORD, {(75, 100): 3}, "images are scaled by 0.5, as in training", ""),
        (
            RECORD,
            {(60, 80): 3, (180, 240): 2},
            "images are scaled by 0.5, as in training",
            "2 of 5 images are of another size than the training's (70 x 50 pixels to 80 x 60 pixels): sides of "
            "240 x 180 pixels are 3 times as long. They are taken as more of the same view, pixel for pixel. If they "
            "show the same view in more pixels, set image_scale=0.17",
        ),
        (
            RECORD,
            {(20, 24): 1},
            "images are scaled by 0.5, as in training",
            "images are of another size than the training's (70 x 50 pixels to 80 x 60 pixels): sides of 24 x 20 "
            "pixels are 3.2 times shorter. They are taken as less of the same view, pixel for pixel. If they show the "
            "same view in fewer pixels, set image_scale=1.6",
        ),
        (BY_SIZE, {(60, 80): 3}, "images are of about the training's size, 80 x 60 pixels: scaled by 0.5", ""),
        (
            BY_SIZE,
            {(60, 80): 3, (180, 240): 1},
            "1 of 4 images is brought to the training's size, 80 x 60 pixels: scaled by 0.167 in place of 0.5; "
            "image_scale sets another scale",
            "",
        ),
        (
            BY_SIZE,
            {(120, 160): 1, (180, 240): 1},
            "images are brought to the training's size, 80 x 60 pixels: scaled by 0.167 to 0.25 in place of 0.5; "
            "image_scale sets another scale",
            "",
        ),
    ],
)
def test_what_is_said_of_sizes(record, sizes, line, other_size):
    scaling = describe_scaling(record, sizes)
    assert (scaling.line, scaling.warning or scaling.note) == (line, other_size)
    assert bool(scaling.warning) == ("times as long" in other_size)
    assert scaling.changed == ("brought" in line)


def test_networks_of_earlier_versions_say_their_scale_and_warn_of_nothing(make_predictor):
    scaling = make_predictor(scale=0.5).scaling({(900, 900): 1})
    assert scaling == ("images are scaled by 0.5, as in training", "", "", False)


def test_sizes_of_files_are_counted(make_scaled, images, tmp_path):
    jobs = find_inputs((str(images[0]),), tmp_path / "out")
    outcome = predict_files(make_scaled(), jobs, tmp_path / "out")
    assert outcome.sizes == Counter(images[1].values())


def test_networks_of_an_ensemble_see_images_alike(ensemble, device, tmp_path):
    import shutil

    copy = shutil.copytree(ensemble, tmp_path / "copy")
    path = copy / "fold1" / FILE_NAME
    network, description = load_model(path)
    by_size = description.preprocessing.model_copy(update={"image_scale": "size"})
    save_model(path, network, description.model_copy(update={"preprocessing": by_size}))
    with pytest.raises(InputError, match="fold1 was trained on other masks or at another scale than"):
        Predictor(copy, RuntimeOptions.on(device))


def test_networks_that_ship_know_their_sizes():
    rules = {
        name: amsunet.load(name, RuntimeOptions(device="cpu")).description.preprocessing
        for name in ("vessels", "lesions", "glands")
    }
    assert {name: (rule.image_scale, rule.typical_size) for name, rule in rules.items()} == {
        "vessels": ("size", (584, 565)),
        "lesions": ("size", (256, 256)),
        "glands": ("factor", (522, 775)),
    }
    assert rules["vessels"].working_size(960, 999) == (563, 586)
