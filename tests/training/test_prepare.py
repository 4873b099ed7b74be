"""A data set opened, split, measured and planned."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.data.crops import PreparedImages
from amsunet.data.images import write_image
from amsunet.data.masks import MaskOptions, files, joined
from amsunet.data.options import DataOptions
from amsunet.data.value_range import ValueRange
from amsunet.errors import InputError
from amsunet.training.closing import rehearse
from amsunet.training.plan import make_plan
from amsunet.training.prepare import fit_preprocessing, prepare


def _write(folder, count, *, value=100, names="image_{}", ignored=0):
    for number in range(count):
        image = np.full((40, 48), value, np.uint8)
        labels = np.zeros((40, 48), np.uint8)
        image[10:20, 10:30], labels[10:20, 10:30] = value + 100, 1
        if ignored:
            image[:, -ignored:], labels[:, -ignored:] = 0, 255
        image[0, 0] = number
        write_image(folder / "images" / f"{names.format(number)}.png", image)
        write_image(folder / "masks" / f"{names.format(number)}.png", labels)
    return folder


def test_splits_of_the_sample_are_kept_and_described():
    prepared = prepare("sample:nuclei", device="cpu")
    sizes = {split: len(prepared.of(split)) for split in ("train", "val", "test")}
    assert sizes["test"] == 4
    assert sizes["train"] + sizes["val"] == 12
    assert sizes["val"] >= 2
    assert {sample.name for sample in prepared.of("test")}.isdisjoint(s.name for s in prepared.of("train"))
    text = prepared.describe()
    assert f"{sizes['train']} images to train, {sizes['val']} to validate, 4 to test" in text


def test_the_same_seed_cuts_the_same_splits_and_another_one_others(tmp_path):
    data = _write(tmp_path, 30)
    first, again, other = (prepare(data, {"seed": seed}, device="cpu").splits for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_test_images_do_not_shape_the_plan(tmp_path):
    """Bright test images: the fingerprint must not have seen them."""
    _write(tmp_path / "train", 8)
    _write(tmp_path / "test", 4, value=150, names="other_{}")
    prepared = prepare(tmp_path, device="cpu")
    assert len(prepared.of("test")) == 4
    assert prepared.fingerprint.images == 8
    assert prepared.fingerprint.mean[0] == pytest.approx((100 + 100 * 200 / 1920) / 255, abs=0.01)


@pytest.mark.parametrize("count", [1])
def test_too_few_images_are_refused_with_the_numbers(tmp_path, count):
    with pytest.raises(InputError, match="leaves 1 images to train and 0 to validate"):
        prepare(_write(tmp_path, count), device="cpu")


def test_a_single_stack_is_split_only_as_the_refusal_advises(tmp_path):
    rng, path = np.random.default_rng(0), {name: tmp_path / name / "stack.tif" for name in ("images", "masks")}
    for name, pages in (
        ("images", rng.integers(0, 99, (6, 40, 48))),
        ("masks", rng.integers(0, 2, (6, 5, 6)).repeat(8, 1).repeat(8, 2)),
    ):
        path[name].parent.mkdir()
        tifffile.imwrite(path[name], pages.astype(np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"leaves 6 images to train and 0 .* slices of a stack stay together") as found:
        prepare(tmp_path, device="cpu", data_options=DataOptions(axes="ZYX"))
    (pattern,) = map(ast.literal_eval, re.findall(r"group=(\S+) splits them", str(found.value)))
    prepared = prepare(tmp_path, device="cpu", data_options=DataOptions(axes="ZYX", group=pattern))
    assert prepared.of("val")


def test_overrides_and_mask_options_arrive(tmp_path):
    data = _write(tmp_path, 4)
    prepared = prepare(
        data, {"epochs": 2, "crop": (32, 32)}, device="cpu", data_options=DataOptions(masks=MaskOptions(threshold=1))
    )
    assert prepared.dataset.convention.kind == "threshold"
    assert prepared.plan.crop == (32, 32)
    assert prepared.plan.reasons["crop"] == "set by you"


@pytest.mark.parametrize("ignored", [0, 8])
def test_mean_and_deviation_are_those_of_the_counted_pixels(tmp_path, ignored):
    prepared = prepare(_write(tmp_path, 3, ignored=ignored), device="cpu")
    plan = make_plan(prepared.fingerprint, 2, {"normalization": "depth"}, device="cpu")
    samples = prepared.of("train")
    record = fit_preprocessing(plan, prepared.dataset, samples, prepared.fingerprint)
    assert record.values == (ValueRange(type="uint8", low=0, high=255),)
    pixels = []
    for sample in samples:
        image, labels = prepared.dataset.read(sample)
        pixels.append(image[labels != 255].astype(np.float64) / 255)
    assert min(len(p) for p in pixels) == 40 * (48 - ignored)
    assert record.mean[0] == pytest.approx(np.concatenate(pixels).mean(), abs=1e-6)
    assert record.std[0] == pytest.approx(np.concatenate(pixels).std(), abs=1e-6)


def test_what_another_size_means_is_decided_kept_and_can_be_said(tmp_path):
    data = _write(tmp_path, 12)
    for said, expected in ((None, "size"), ("factor", "factor")):
        prepared = prepare(data, {"image_scale": said}, device="cpu")
        assert prepared.plan.image_scale == expected and prepared.plan.reasons["image_scale"]
        record = fit_preprocessing(prepared.plan, prepared.dataset, prepared.of("train"), prepared.fingerprint)
        assert (record.image_scale, record.typical_size) == (expected, (40, 48))
        assert record.size_range == ((40, 48), (40, 48))


def test_the_pixels_of_the_training_images_are_remembered_where_all_are_known(tmp_path):
    data = _write(tmp_path, 12)
    prepared = prepare(data, device="cpu")
    assert (
        fit_preprocessing(prepared.plan, prepared.dataset, prepared.of("train"), prepared.fingerprint).spacing is None
    )
    prepared = prepare(data, device="cpu", data_options=DataOptions(spacing="0.5um"))
    assert "pixels are 0.5 um" in prepared.describe()
    record = fit_preprocessing(prepared.plan, prepared.dataset, prepared.of("train"), prepared.fingerprint)
    assert record.spacing == pytest.approx((0.0005, 0.0005))
    for path in (data / "images").iterdir():
        density = (4, 4) if path.stem.endswith("1") else (2, 2)
        image = np.array(Image.open(path))
        tifffile.imwrite(path.with_suffix(".tif"), image, imagej=True, resolution=density, metadata={"unit": "um"})
        path.unlink()
    prepared = prepare(data, {"scale": 1}, device="cpu")
    assert "pixels are 0.25 um to 0.5 um" in prepared.describe()
    record = fit_preprocessing(prepared.plan, prepared.dataset, prepared.dataset.samples, prepared.fingerprint)
    assert record.spacing == pytest.approx((0.0005, 0.0005))
    images = PreparedImages(prepared.dataset.samples, prepared.dataset.convention, record, prepared.dataset)
    for index, sample in enumerate(prepared.dataset.samples):
        expected = (20, 24) if sample.name.endswith("1") else (40, 48)
        assert images.area(index) == expected[0] * expected[1]
        assert images[index][0].shape[:2] == images[index][1].shape == expected
    path.with_suffix(".tif").unlink()
    Image.fromarray(image).save(path)
    prepared = prepare(data, device="cpu")
    assert "11 of 12 images say how large their pixels are" in prepared.describe()
    assert prepared.fingerprint.spacing is None


def test_a_doubt_is_told_with_the_setting_unless_one_was_said(tmp_path):
    prepared = prepare(_write(tmp_path, 12), device="cpu")
    framing = prepared.fingerprint.framing
    in_doubt, sure = (
        replace(
            prepared,
            fingerprint=prepared.fingerprint.model_copy(update={"framing": framing.model_copy(update=figures)}),
        )
        for figures in ({"alignment": 0.3, "whole": 0.0}, {"alignment": 0.0, "whole": 0.0})
    )
    assert "to the size of these, 48 x 40, set image_scale='size'" in in_doubt.describe()
    assert "image_scale=" not in sure.describe() and "image_scale=" not in prepared.describe()
    said = prepare(_write(tmp_path, 12), {"image_scale": "factor"}, device="cpu")
    assert "image_scale=" not in replace(said, fingerprint=in_doubt.fingerprint).describe()


@pytest.mark.parametrize("source", ["sample:nuclei", "sample:brain"])
def test_a_mask_is_decoded_once_until_it_is_trained_on(source, monkeypatch):
    decoded, read = Counter(), files.open_mask

    def open_mask(path):
        decoded[path] += 1
        return read(path)

    for module in (joined, files):
        monkeypatch.setattr(module, "open_mask", open_mask)
    prepared = prepare(source, device="cpu")
    dataset, training, validation = prepared.dataset, prepared.of("train"), prepared.of("val")
    rehearse(dataset, training, validation, prepared.plan, prepared.fingerprint.thickness, None)
    preprocessing = fit_preprocessing(prepared.plan, dataset, training, prepared.fingerprint)
    for samples in (training, validation):
        images = PreparedImages(samples, dataset.convention, preprocessing, dataset)
        again = PreparedImages(samples, dataset.convention, preprocessing)
        assert len([images[index] for index in range(len(images))]) == len(samples)
        assert set(decoded.values()) == {1}
        assert np.array_equal(images[0][1], again[0][1])
        decoded.subtract(samples[0].masks.values())
    assert set(decoded) == {path for sample in dataset.samples for path in sample.masks.values()}


@pytest.mark.parametrize("folds", [None, 4])
def test_copies_saved_anew_stay_on_one_side_of_the_cut(make_dataset, folds):
    data = make_dataset(20)
    for number in range(10):
        image = Image.open(data / "images" / f"{number:02}.png")
        image.save(data / "images" / f"{number + 10:02}.jpg", quality=90)
        (data / "images" / f"{number + 10:02}.png").unlink()
    prepared = prepare(data, device="cpu", folds=folds)
    side = (
        prepared.splits
        if folds is None
        else prepared.folds.fold_of | {name: split for name, split in prepared.splits.items() if split == "test"}
    )
    assert all(side[f"{number:02}"] == side[f"{number + 10:02}"] for number in range(10))
    assert {"train", "test"} <= set(prepared.splits.values())
    (told,) = (warning for warning in prepared.warnings if "nearly the same" in warning)
    assert told.startswith("20 images look nearly the same as another in one split") and "stay in one split" in told


def test_a_film_of_one_view_is_cut_all_the_same_and_told(make_dataset, picture):
    data = make_dataset(12)
    for number in range(12):
        frame = picture(0).copy()
        frame[0, number] ^= 1
        Image.fromarray(frame).save(data / "images" / f"{number:02}.png")
    prepared = prepare(data, device="cpu")
    assert set(prepared.splits.values()) == {"train", "val", "test"}
    assert any("validation images look nearly the same as training images" in warning for warning in prepared.warnings)
