"""Where an image leaves it open which way round it is, the network is asked."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from amsunet.data.images import Array, write_image
from amsunet.data.normalization import IntensityRange
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs
from amsunet.inference.outcome import REVIEW_LIST
from amsunet.inference.predict_files import predict_files
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.prepared_image import choose_range, describe_polarity
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.inference.slide import SlideTask

UPRIGHT = IntensityRange(10.0, 200.0, 1.0)
INVERTED = IntensityRange(200.0, 10.0, 1.0)


@pytest.mark.parametrize(
    ("first", "other", "lead", "expected"),
    [(0.9, 0.8, 0.0, UPRIGHT), (0.8, 0.9, 0.05, INVERTED), (0.8, 0.9, 0.2, UPRIGHT), (0.8, 0.8, 0.0, UPRIGHT)],
)
def test_the_surer_way_round_is_taken_if_it_is_surer_by_the_lead(
    first: float, other: float, lead: float, expected: IntensityRange
) -> None:
    dice = {10: first, 200: other}
    found = UPRIGHT._replace(other=INVERTED, lead=lead)
    chosen = choose_range(
        found, lambda one: np.full((40, 50, 1), one.low, np.uint8), lambda view: dice[int(view[0, 0, 0])]
    )
    assert chosen[:3] == expected[:3]
    taken, other = ("dark objects on bright", "bright-on-dark"), ("bright objects on dark", "dark-on-bright")
    taken, other = taken if expected is INVERTED else other
    assert describe_polarity(found, chosen).endswith(f"taken as {taken}: if that is wrong, set polarity={other!r}")


def test_nothing_is_computed_where_nothing_is_in_doubt() -> None:
    def fail(_: object) -> Array:
        raise AssertionError

    assert choose_range(UPRIGHT, fail, fail) is UPRIGHT and describe_polarity(UPRIGHT, UPRIGHT) == ""


@pytest.fixture
def predictor(make_predictor) -> Predictor:
    return make_predictor(normalization="bright_on_dark")


def _half(side: int) -> Array:
    """An image that is half bright and half dark."""
    image = np.full((side, side), 60, np.uint8)
    image[:, : side // 2] = 190
    return image + np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)


@pytest.mark.parametrize("inverted", [False, True])
def test_an_image_in_doubt_is_predicted_the_surer_way_and_told(predictor, monkeypatch, inverted) -> None:
    image = _half(64)
    kind = next(iter(predictor.networks.preprocessings.values()))
    found = kind.find_range(image[..., None])
    assert found.other is not None and found.lead < 1
    wanted = next(one for one in (found, found.other) if (one.low > one.high) == inverted)
    seen = kind.normalize(image[..., None], wanted)
    real = predictor.networks.logits_of

    def sure_of_one(member, images):
        logits = real(member, images)
        same = np.array_equal(images[0][kind.input_format][0], seen[..., 0])
        return logits * 100 if same else logits * 0.01

    monkeypatch.setattr(predictor.networks, "logits_of", sure_of_one)
    prepared = predictor.prepare(image[..., None], "x")
    assert np.array_equal(prepared.views[kind.input_format][0], seen[..., 0])
    found = predictor.predict(image)
    assert ("taken as dark objects" if inverted else "taken as bright objects") in found.polarity
    assert found.review_reasons[0] == found.polarity
    assert predictor.predict(image // 2 + np.uint8(120) * (image > 0)).polarity  # exposure changes nothing


def test_each_view_of_an_image_in_doubt_is_made_once(predictor, monkeypatch) -> None:
    made = []
    resize = Preprocessing.resize
    monkeypatch.setattr(Preprocessing, "resize", lambda *given: made.append(1) or resize(*given))
    predictor.prepare(_half(64)[..., None], "x")
    assert len(made) == 2


def test_a_sure_image_is_told_nothing_of(predictor) -> None:
    image = np.full((64, 64), 20, np.uint8)
    image[20:40, 20:40] = 220
    assert predictor.predict(image).polarity == "" and predictor.predict(255 - image).polarity == ""
    assert np.array_equal(predictor.predict(image).mask, predictor.predict(255 - image).mask)


def test_a_slide_is_taken_as_the_whole_image_is_and_listed(predictor, tmp_path) -> None:
    image = _half(256)
    whole = predictor.predict(image)
    assert whole.polarity
    for name in ("slide", "twin"):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as tiff:
            tiff.write(image, tile=(64, 64), subifds=1)
            tiff.write(image[::2, ::2], tile=(64, 64), subfiletype=1)
    doubt = SlideTask(predictor, tmp_path / "slide.tif", tmp_path / "out", "slide").run()
    assert doubt is not None and doubt.polarity and doubt.warned_of and whole.polarity in doubt.reason
    assert np.mean(tifffile.imread(tmp_path / "out" / "slide.tif") == whole.to_mask()) > 0.999
    write_image(tmp_path / "in" / "x.png", image)
    predict_files(predictor, find_inputs([str(tmp_path / "in")]), tmp_path / "masks")
    with (tmp_path / "masks" / REVIEW_LIST).open(newline="", encoding="utf-8") as lines:
        assert whole.polarity in next(csv.DictReader(lines))["reason"]


EXACT = RuntimeOptions(device="cpu", precision="float32")
SAID = {"bright-on-dark": False, "dark-on-bright": True}


@pytest.mark.parametrize("polarity", SAID)
def test_the_polarity_that_is_said_holds_for_every_image(predictor, make_run, device, polarity) -> None:
    said = load(make_run(normalization="bright_on_dark"), replace(EXACT, polarity=polarity))
    bright = np.full((64, 64), 20, np.uint8)
    bright[20:40, 20:40] = 220
    (kind,) = predictor.networks.preprocessings.values()
    for image in (bright, 255 - bright, _half(64)):
        found = kind.find_range(image[..., None])
        ways = (found, found.other or IntensityRange(found.high, found.low, found.gamma))
        wanted = next(one for one in ways if (one.low > one.high) == SAID[polarity])
        (view,) = said.prepare(image[..., None], "x").views.values()
        if SAID[polarity] == (found.low > found.high):
            assert np.array_equal(view[0], kind.normalize(image[..., None], wanted)[..., 0])
        upright = np.corrcoef(view[0].ravel(), image.ravel())[0, 1]
        assert (upright < 0) == SAID[polarity]
        assert said.predict(image).polarity == ""


def test_the_polarity_that_is_said_turns_slides_round_and_is_not_kept(make_run, tmp_path) -> None:
    run, image, masks = make_run(normalization="bright_on_dark"), _half(256), {}
    with tifffile.TiffWriter(tmp_path / "slide.tif") as tiff:
        tiff.write(image, tile=(64, 64), subifds=1)
        tiff.write(image[::2, ::2], tile=(64, 64), subfiletype=1)
    predictors = {polarity: load(run, replace(EXACT, polarity=polarity)) for polarity in SAID}
    for polarity, predictor in predictors.items():
        assert SlideTask(predictor, tmp_path / "slide.tif", tmp_path / polarity, "slide").run().reason == ""
        masks[polarity] = tifffile.imread(tmp_path / polarity / "slide.tif")
        assert np.mean(masks[polarity] == predictor.predict(image).to_mask()) > 0.999
    auto = load(run, EXACT)
    assert len({one.checksum() for one in (auto, *predictors.values())}) == 3
    assert not np.array_equal(*masks.values())
    assert predictors["dark-on-bright"].description.model_dump_json() == auto.description.model_dump_json()


def test_a_network_that_takes_images_as_they_are_refuses_a_polarity(make_run) -> None:
    with pytest.raises(InputError, match=r"^polarity=.dark-on-bright. is for networks .* has depth: leave pol"):
        load(make_run(normalization="depth"), RuntimeOptions(polarity="dark-on-bright"))
    with pytest.raises(
        InputError, match=r"^polarity 'inverted' is unknown: choose auto, bright-on-dark or dark-on-brigh"
    ):
        load(make_run(normalization="bright_on_dark"), RuntimeOptions(polarity="inverted"))
