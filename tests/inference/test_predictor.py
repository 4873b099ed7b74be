"""A loaded model takes paths and arrays of every usual kind."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import amsunet
from amsunet.data.components import without_small
from amsunet.data.images import write_image
from amsunet.data.out_of_distribution import learn_image_statistics
from amsunet.errors import InputError
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions


@pytest.mark.parametrize("size", [(40, 56), (9, 70), (1, 1)])
@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_result_has_the_images_own_size(make_predictor, picture, size, scale):
    result = make_predictor(scale=scale).predict(picture(*size))
    assert result.mask.shape == size
    assert result.mask.dtype == np.uint8
    assert result.probability.shape == (2, *size)
    assert result.probability.dtype == np.float32
    np.testing.assert_allclose(result.probability.sum(axis=0), 1, atol=1e-5)
    assert sum(result.areas().values()) == size[0] * size[1]


def test_path_and_array_give_the_same(make_predictor, picture, tmp_path):
    predictor, image = make_predictor(), picture(40, 56)
    write_image(tmp_path / "case 7.png", image)
    of_array, of_path, of_text = (
        predictor.predict(given) for given in (image, tmp_path / "case 7.png", str(tmp_path / "case 7.png"))
    )
    assert np.array_equal(of_array.probability, of_path.probability)
    assert np.array_equal(of_path.probability, of_text.probability)
    assert (of_array.name, of_path.name) == ("image", "case 7")
    assert predictor.predict(image, name="mine").name == "mine"
    assert predictor.predict(image).spacing is None
    assert predictor.predict(image, spacing=(0.5, 0.25)).spacing == (0.5, 0.25)


def test_the_size_of_a_pixel_goes_from_the_image_to_the_result(make_run, picture, tmp_path):
    run, image = make_run(), picture(40, 56)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    write_image(tmp_path / "b.png", image)
    predictor, typed = Predictor(run), Predictor(run, RuntimeOptions(spacing="2um"))
    found = predictor.predict(tmp_path / "a.tif")
    assert found.spacing == pytest.approx((0.0005, 0.00025)) and predictor.predict(tmp_path / "b.png").spacing is None
    assert sum(found.areas_mm2().values()) == pytest.approx(40 * 0.0005 * 56 * 0.00025)
    assert found.areas_mm2().keys() == found.areas().keys()
    for path in ("a.tif", "b.png"):
        assert typed.predict(tmp_path / path).spacing == pytest.approx((0.002, 0.002))
    assert typed.predict(image, spacing=(1, 1)).spacing == (1, 1)
    assert typed.predict_batch([image[..., None]], ["x"])[0].spacing == typed.spacing
    assert typed.checksum() != predictor.checksum(), "masks may be others"
    with pytest.raises(InputError, match="how large a pixel of image is, is not known: set spacing"):
        predictor.predict(image).areas_mm2()


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image[..., None],
        lambda image: np.repeat(image[..., None], 3, axis=2),
        lambda image: image.astype(np.uint16) * 257,
        lambda image: (image / 255).astype(np.float32),
        lambda image: image / 255,
        lambda image: np.asfortranarray(image),
        lambda image: image[::-1][::-1],
    ],
    ids=["one channel", "three equal channels", "uint16", "float32", "float64", "other order", "negative strides"],
)
def test_the_same_image_in_another_form_gives_the_same(make_predictor, picture, convert):
    predictor, image = make_predictor(), picture(40, 56)
    expected, found = predictor.predict(image), predictor.predict(convert(image))
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)


def test_grey_image_for_a_model_of_colour_images(make_predictor, picture):
    predictor, image = make_predictor(in_channels=3), picture(40, 56)
    expected = predictor.predict(np.repeat(image[..., None], 3, axis=2))
    assert np.array_equal(predictor.predict(image).probability, expected.probability)


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint16, 16), (np.uint16, 257), (np.float32, 1), (np.int64, 1)])
def test_an_image_of_another_type_has_the_same_mask_and_is_told(make_predictor, picture, dtype, factor):
    predictor, image = make_predictor(), picture(64, 80)
    expected, found = predictor.predict(image), predictor.predict(image.astype(dtype) * dtype(factor))
    assert (found.mask == expected.mask).mean() > 0.99 and not expected.out_of_distribution
    assert "the training images have 8 bits" in found.out_of_distribution and found.review_reasons
    fractions = predictor.predict(image / 255)
    assert (fractions.mask == expected.mask).mean() > 0.99 and not fractions.out_of_distribution


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 5, 2), np.uint8), r"not \(4, 5, 2\)"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"not \(2, 4, 5, 3\)"),
        (np.zeros(7, np.uint8), r"not \(7,\)"),
        (np.zeros((0, 5), np.uint8), r"not \(0, 5\)"),
        (np.zeros((20, 20), np.complex64), "holds complex64 values"),
        (np.full((20, 20), np.nan), "finite"),
        (np.full((20, 20), np.inf, np.float32), "finite"),
    ],
)
def test_what_is_no_image_is_refused(make_predictor, image, message):
    with pytest.raises(InputError, match=message):
        make_predictor().predict(image)


def test_unreadable_file_is_named(make_predictor, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png is not an image"):
        make_predictor().predict(tmp_path / "broken.png")


def test_input_is_left_as_it_was(make_predictor, picture):
    image = picture(40, 56)
    before = image.copy()
    make_predictor(tta="flips").predict(image)
    assert np.array_equal(image, before)


def test_flips_that_exchange_classes_are_left_out_and_told(make_predictor, picture):
    image = picture(40, 56)
    plain = make_predictor().predict(image).probability
    narrowed = make_predictor(tta="flips", flips_allowed="none")
    assert np.array_equal(narrowed.predict(image).probability, plain) and "the image alone" in narrowed.views_left_out
    assert "the vertical flip alone" in make_predictor(tta="flips", flips_allowed="vertical").views_left_out
    assert not make_predictor(tta="flips").views_left_out and not make_predictor(flips_allowed="none").views_left_out


def test_images_of_a_batch_do_not_mix(make_predictor, picture):
    predictor = make_predictor()
    images = [picture(40, 56, channels=1, seed=seed) for seed in range(3)]
    together = predictor.predict_batch(images, ["a", "b", "c"])
    assert [one.name for one in together] == ["a", "b", "c"]
    for image, one in zip(images, together, strict=True):
        np.testing.assert_allclose(one.probability, predictor.predict(image).probability, atol=1e-5)


def test_threshold_of_the_model_decides(make_predictor, picture):
    low, high = (make_predictor(threshold=threshold).predict(picture(64, 64)) for threshold in (0.1, 0.9))
    assert np.array_equal(low.probability, high.probability)
    assert np.array_equal(low.mask, low.probability[1] > 0.1)
    assert np.array_equal(high.mask, high.probability[1] > 0.9)
    assert low.mask.sum() > high.mask.sum()


def test_run_folder_and_model_file_both_name_the_model(make_run, device, picture):
    run = make_run()
    by_folder, by_file = (
        Predictor(path, RuntimeOptions.on(device)).predict(picture(32, 32)) for path in (run, run / FILE_NAME)
    )
    assert np.array_equal(by_folder.probability, by_file.probability)
    by_function = amsunet.load(run, RuntimeOptions(device="cpu", precision="float32")).predict(picture(32, 32))
    assert np.array_equal(by_function.probability, by_folder.probability)


@pytest.mark.parametrize("name", ["nowhere", "nowhere.v2"])
def test_missing_run_is_named(tmp_path, device, name):
    with pytest.raises(InputError, match=rf"{name} not found"):
        Predictor(tmp_path / name, RuntimeOptions.on(device))


def test_device_that_is_not_there_is_refused(make_run):
    with pytest.raises(InputError, match="device 'abacus' is unknown"):
        amsunet.load(make_run(), RuntimeOptions(device="abacus"))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_small_objects_are_dropped_at_the_images_own_size(make_predictor, picture, scale):
    image = picture(64, 80)
    before = make_predictor(scale=scale).predict(image)
    after = make_predictor(scale=scale, smallest_object=40).predict(image)
    assert np.array_equal(after.probability, before.probability)
    assert np.array_equal(after.mask, without_small(before.mask == 1, 40))
    assert not np.array_equal(after.mask, before.mask), "or nothing was tested"


@pytest.mark.parametrize(("in_channels", "said"), [(1, True), (3, False)])
def test_colours_that_a_network_for_grey_images_does_not_see_are_said(make_predictor, picture, in_channels, said):
    predictor, grey = make_predictor(in_channels=in_channels), picture(40, 48)
    noise = np.random.default_rng(0).integers(0, 4, (40, 48, 3), np.uint8)
    assert predictor.predict(grey).out_of_distribution == ""
    assert predictor.predict(np.minimum(grey[..., None], 250) + noise).out_of_distribution == "", (
        "as JPEG stores a grey image"
    )
    assert ("grey images" in predictor.predict(picture(40, 48, channels=3)).out_of_distribution) == said


def test_an_image_unlike_the_training_images_still_gets_its_mask(make_predictor, picture):
    known = [picture(64, 64, seed=seed)[..., None] for seed in range(20)]
    image_statistics = learn_image_statistics(known, [])
    predictor = make_predictor(image_statistics=image_statistics, uncertainty_limit=1.0)
    of_kind, foreign = predictor.predict(known[3]), predictor.predict(known[3] // 64 + 190)
    assert of_kind.review_reasons == ()
    assert foreign.out_of_distribution == image_statistics.out_of_distribution(known[3] // 64 + 190) != ""
    assert foreign.mask.shape == (64, 64) and foreign.review_reasons[0].startswith("does not look like")
    assert make_predictor().predict(known[3] // 64 + 190).out_of_distribution == "", "of a network that was never told"


def test_the_checksum_is_of_the_weights_and_of_what_the_masks_depend_on(make_run, device):
    def checksum(**settings):
        return Predictor(run, RuntimeOptions(device=device.type, precision=device.precision, **settings)).checksum()

    run = make_run()
    first = checksum()
    assert checksum() == first
    network, description = load_model(run / FILE_NAME)
    save_model(run / FILE_NAME, network, description)
    assert checksum() == first, "of the same weights in another file"
    others = {checksum(tta="flips"), checksum(image_scale=0.5)}
    with torch.no_grad():
        network.head.bias += 1e-6
    save_model(run / FILE_NAME, network, description)
    others.add(checksum())
    save_model(run / FILE_NAME, load_model(run / FILE_NAME)[0], description.model_copy(update={"threshold": 0.6}))
    others.add(checksum())
    assert len(others) == 4 and first not in others


STAINS = ("DAPI", "GFP", "actin", "bf")


@pytest.mark.parametrize(("names", "count"), [(STAINS, 4), (STAINS[:3], 3), ((), 3), ((), 1)])
def test_a_network_refuses_other_channels(make_predictor, names, count):
    predictor = make_predictor(in_channels=count, channel_names=names)
    for other in {1, 2, 3, 4, 5} - ({1, 3} if not names else {count}):
        with pytest.raises(InputError, match=r"^(an image must be \(H, W|the image has )"):
            predictor.predict(np.zeros((40, 48, other), np.uint8))
    assert predictor.predict(np.zeros((40, 48, count), np.uint8)).mask.shape == (40, 48)


def test_channels_of_a_file_are_compared_by_name(make_predictor, picture, tmp_path):
    predictor = make_predictor(in_channels=2, channel_names=("DAPI", "GFP"), normalization="channels")
    image = picture(40, 48, channels=2)

    def write(*names):
        path = tmp_path / f"{'-'.join(names)}.tif"
        tifffile.imwrite(path, np.moveaxis(image, 2, 0), ome=True, metadata={"axes": "CYX", "Channel": {"Name": names}})
        return path

    expected = predictor.predict(image).probability
    assert np.array_equal(predictor.predict(write("DAPI", "GFP")).probability, expected)
    other = predictor.predict(write("405", "488"))
    assert np.array_equal(other.probability, expected)
    assert other.out_of_distribution == "channels 405, 488, and the training images have DAPI, GFP"
    assert not predictor.predict(write("DAPI", "GFP")).out_of_distribution
    with pytest.raises(InputError, match=r"GFP-DAPI.tif has 2 channels \(GFP, DAPI\), and .*, in this order"):
        predictor.predict(write("GFP", "DAPI"))
    with pytest.raises(
        InputError, match=r"grey.png has one channel \(grey\), and the network takes 2 channels \(DAPI, G"
    ):
        Image.fromarray(image[..., 0]).save(tmp_path / "grey.png")
        predictor.predict(tmp_path / "grey.png")
