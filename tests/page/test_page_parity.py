"""Before and after the network the page does exactly what the package does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browser_arrays import given, run, taken
from page_images import make_images

from amsunet.data.images import read_image
from amsunet.data.normalization import find_range, with_channels
from amsunet.data.out_of_distribution import take_figures
from amsunet.data.overlay import viewable
from amsunet.data.preprocessing import Preprocessing, channels_first
from amsunet.data.value_range import ValueRange
from amsunet.inference.forward import to_labels, to_probabilities
from amsunet.inference.model_metadata import read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.prepared_image import choose_range, prepare_image
from amsunet.inference.uncertainty import measure_uncertainty
from amsunet.zoo import zoo_names

IMAGES = make_images()
LARGE = "2,000 x 1,500"
SMALL = [name for name in IMAGES if name not in ("tiff", "alpha", "jpeg", LARGE)]
NETWORKS = tuple(zoo_names())
SMALLER = ("glands", "lesions")
"""They see the large image in fewer pixels: all of its own take seconds on their way from the browser."""
_PREPARE = """
const {decode} = await import("/decode.js");
const {prepare, byExpectedDice} = await import("/prepare.js");
const description = JSON.parse($[1]);
const contrast = async ({values, channels, width, height}) => {
  const size = width * height;
  const logits = new Float32Array(2 * size);
  for (let i = 0; i < size; i++) logits[size + i] = (values[i] - 96) / 32;
  return {values: logits, channels: 2, width, height};
};
const choose = $[2] ? byExpectedDice(contrast, description) : undefined;
const found = await prepare(await decode(given($[0]), "image"), description, choose);
return {...found, planes: packed(Uint8Array.from(found.planes))};
"""
_CODES = {"dark objects on bright": "dark-on-bright", "bright objects on dark": "bright-on-dark"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    paths = {}
    for name, (suffix, content) in IMAGES.items():
        paths[name] = folder / f"{name}{suffix}"
        paths[name].write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def descriptions():
    return {name: read_description(ModelRef.resolve(f"zoo:{name}").weights) for name in NETWORKS}


def _expected_dice(seen):
    logits = np.zeros((2, *seen.shape[:2]), np.float32)
    logits[1] = (seen[..., 0].astype(np.float32) - 96) / 32
    probabilities = to_probabilities(logits, *seen.shape[:2])
    return 1 - measure_uncertainty(probabilities, to_labels(probabilities, 0.5))


def _prepare(image, description, *, asked=False):
    def choose(_, found, view):
        return choose_range(found, view, _expected_dice) if asked else found

    def differs(seen):
        known = description.image_statistics
        return known.out_of_distribution(next(iter(seen.values()))) if known else ""

    kind = description.preprocessing
    return prepare_image(
        image, "image", {kind.input_format: kind}, choose=choose, out_of_distribution=differs, smallest=0
    )


def _code(polarity):
    return next((code for words, code in _CODES.items() if f"taken as {words}" in polarity), "")


def _hold(page, content, image, description, *, asked=False):
    """Levels, doubts and polarity are those of the package."""
    found = run(page, _PREPARE, given(content), description.model_dump_json(), asked)
    expected = _prepare(image, description, asked=asked)
    (view,) = expected.views.values()
    levels = taken(found["planes"]).reshape(view.shape)
    difference = np.abs(levels.astype(int) - view)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= levels.size / 1000
    assert (found["outOfDistribution"], found["polarity"]) == (expected.out_of_distribution, _code(expected.polarity))


@pytest.mark.parametrize(
    ("network", "image"),
    [(network, image) for network in NETWORKS for image in IMAGES if image != LARGE or network in SMALLER],
)
def test_networks_see_what_they_see_in_the_package(network, image, blank_once, files, descriptions):
    _hold(blank_once, IMAGES[image][1], read_image(files[image]), descriptions[network])


@pytest.mark.parametrize("image", SMALL)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("normalization", ["depth", "percentiles", "channels", "gamma", "bright_on_dark"])
def test_every_normalization(normalization, channels, image, blank_once, files, descriptions):
    values = (ValueRange(type="uint16", low=0, high=4095), ValueRange(type="float32", low=0, high=1.5))
    kind = Preprocessing(
        in_channels=channels, normalization=normalization, scale=0.7, mean=(0,) * channels, std=(1,) * channels,
        values=values,
    )  # fmt: skip
    description = descriptions["nuclei"].model_copy(
        update={"preprocessing": kind, "arguments": {}, "image_statistics": None}
    )
    _hold(blank_once, IMAGES[image][1], read_image(files[image]), description)


@pytest.mark.parametrize("image", SMALL)
def test_a_window_is_the_same_for_every_image(image, blank_once, files, descriptions):
    types = ("uint8", "uint16", "float32")
    values = tuple(ValueRange(type=one, low=-40, high=160.5, always=True) for one in types)
    kind = Preprocessing(in_channels=1, normalization="depth", mean=(0,), std=(1,), values=values)
    description = descriptions["nuclei"].model_copy(
        update={"preprocessing": kind, "arguments": {}, "image_statistics": None}
    )
    _hold(blank_once, IMAGES[image][1], read_image(files[image]), description)


@pytest.mark.parametrize("image", ["grey", "rgb", "33 x 47"])
def test_where_it_is_in_doubt_the_network_is_asked_which_way_round_an_image_is(image, blank_once, files, descriptions):
    _hold(blank_once, IMAGES[image][1], read_image(files[image]), descriptions["nuclei"], asked=True)


def test_luma_is_rounded_as_in_the_package(blank_once):

    rng = np.random.default_rng(1)
    for kind in (np.uint8, np.uint16):
        image = rng.integers(0, np.iinfo(kind).max + 1, (500, 300, 3), dtype=kind)
        found = run(
            blank_once,
            "const {withChannels} = await import('/normalize.js');"
            "return packed(withChannels({width: 300, height: 500, channels: 3, samples: given($[0])}, 1).samples);",
            given(image),
        )
        assert np.array_equal(taken(found).reshape(500, 300, 1), with_channels(image, 1))


@pytest.mark.parametrize(("dtype", "value"), [(np.uint16, 65535), (np.float32, -9999), (np.uint16, 3000)])
def test_a_value_drawn_into_an_image_is_left_out_of_its_range_as_in_the_package(dtype, value, blank_once):
    image = np.random.default_rng(5).integers(100, 600, (70, 90, 1)).astype(dtype)
    image[60:63, 50:80] = value  # far enough from all others, or not
    found = run(
        blank_once,
        "const {findRange} = await import('/normalize.js');"
        "const image = {width: 90, height: 70, channels: 1, samples: given($[0])};"
        "return findRange(image, 'percentiles', image);",
        given(image),
    )
    expected = find_range(image, "percentiles", image)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (47, 33), (128, 128), (97, 255), (67, 66), (66, 66), (300, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_are_resized_to_the_bit(size, channels, blank_once):
    preprocessing = Preprocessing(in_channels=3, normalization="depth", mean=(0,) * 3, std=(1,) * 3)
    image = np.random.default_rng(2).integers(0, 256, (128, 97, channels), dtype=np.uint8)
    height, width = size
    expected = preprocessing.resize_part(image, (0, 0, 97, 128), height, width)
    found = run(
        blank_once,
        "const {resizeBytes} = await import('/resize.js'); return packed(resizeBytes(given($[0]), ...$[1]));",
        given(image),
        [channels, 97, 128, width, height],
    )
    assert np.array_equal(taken(found).reshape(height, width, channels), expected)


_FINISH = """
const {toProbabilities, toLabels} = await import("/finish.js");
const {uncertaintyOf} = await import("/uncertainty.js");
const [logits, classes, h, w, height, width, threshold, smallest] = [given($[0]), ...$[1]];
const probability = toProbabilities(logits, classes, h, w, height, width);
const labels = toLabels(probability, classes, height, width, threshold, smallest);
const uncertainty = uncertaintyOf(probability, labels, classes);
return {probability: packed(probability), labels: packed(labels), uncertainty};
"""


def _logits(classes, height, width, seed=0):
    """Blobs, with noise that leaves small objects and small holes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (5 + 3 * k) + k) + np.cos(y / (7 + 2 * k) - k) for k in range(classes)]
    return (3 * np.array(waves) + rng.normal(0, 1.5, (classes, height, width))).astype(np.float32)


@pytest.mark.parametrize("smallest", [0, 7.5, 60])
@pytest.mark.parametrize(
    ("classes", "seen", "size"),
    [(2, (90, 70), (90, 70)), (2, (90, 70), (181, 140)), (2, (64, 96), (31, 200)), (4, (40, 60), (100, 150))],
)
def test_masks_are_those_of_the_package(classes, seen, size, smallest, blank_once):
    logits = _logits(classes, *seen)
    found = run(blank_once, _FINISH, given(logits), [classes, *seen, *size, 0.55, smallest])
    probabilities = to_probabilities(logits, *size)
    labels = to_labels(probabilities, 0.55, smallest)
    assert np.abs(taken(found["probability"]).reshape(probabilities.shape) - probabilities).max() < 1e-6
    assert np.array_equal(taken(found["labels"]).reshape(size), labels)
    assert found["uncertainty"] == pytest.approx(measure_uncertainty(probabilities, labels), abs=1e-6)


def test_logits_that_are_no_numbers_make_all_classes_alike(blank_once):
    logits = np.zeros((2, 4, 4), np.float32)
    logits[0, 1, 1], logits[1, 2, 2] = np.nan, np.inf
    found = run(blank_once, _FINISH, given(logits), [2, 4, 4, 4, 4, 0.5, 0])
    assert np.array_equal(taken(found["probability"]).reshape(2, 4, 4), to_probabilities(logits, 4, 4))


def test_the_smallest_object_and_the_working_size_follow_the_size_of_an_image(blank_once, descriptions):
    for description in descriptions.values():
        for height, width in ((33, 47), (522, 775), (1500, 2000), (1, 1), (585, 560)):
            found = run(
                blank_once,
                "const {separationIn, smallestIn, workingSize} = await import('/prepare.js');"
                "const one = [JSON.parse($[0]), $[1], $[2]];"
                "return {...workingSize(...one), smallest: smallestIn(...one), separation: separationIn(...one)};",
                description.model_dump_json(),
                height,
                width,
            )
            assert (found["height"], found["width"]) == description.preprocessing.working_size(height, width)
            assert found["smallest"] == pytest.approx(description.smallest_in(height, width), rel=1e-12)
            assert found["separation"] == pytest.approx(description.separation_in(height, width), rel=1e-12)


def test_the_size_of_pixels_decides_as_in_predict_where_file_and_network_tell_it(blank_once, descriptions):
    for description in descriptions.values():
        measured = description.preprocessing.model_copy(update={"spacing": (0.0005, 0.00025)})
        known = description.model_copy(update={"preprocessing": measured, "separation": 1.5})
        for rows, columns, unit in ((0.5, 0.25, "µm"), (0.52, 0.24, "µm"), (0.1, 0.3, "µm"), (0.002, 0.001, "mm")):
            found = run(
                blank_once,
                "const {separationIn, smallestIn, workingSize} = await import('/prepare.js');"
                "const one = [JSON.parse($[0]), 300, 200, {rows: $[1], columns: $[2], unit: $[3]}];"
                "return {...workingSize(...one), smallest: smallestIn(...one), separation: separationIn(...one)};",
                known.model_dump_json(),
                rows,
                columns,
                unit,
            )
            millimetres = 1 if unit == "mm" else 1e-3
            spacing = (rows * millimetres, columns * millimetres)
            assert (found["height"], found["width"]) == measured.working_size(300, 200, spacing)
            assert found["smallest"] == pytest.approx(known.smallest_in(300, 200, spacing), rel=1e-12)
            assert found["separation"] == pytest.approx(known.separation_in(300, 200, spacing), rel=1e-12)


def test_statistics_of_an_image(blank_once, files):
    for name, height in (("rgb", 96), ("33 x 47", 47), (LARGE, 1100)):  # of more than 1,024 rows some are left out
        image = read_image(files[name])[:height, :300]
        found = run(
            blank_once,
            "const {takeFigures} = await import('/out_of_distribution.js');"
            "return takeFigures({pixels: given($[0]), channels: 3, width: $[1], height: $[2]});",
            given(image),
            image.shape[1],
            image.shape[0],
        )
        assert np.allclose(found, take_figures(image), atol=1e-5)


def test_images_are_shown_as_below_the_outlines_of_the_package(blank_once, files):
    for name in SMALL:
        found = run(
            blank_once,
            "const {decode} = await import('/decode.js'); const {viewOf} = await import('/view_of.js');"
            "return packed(viewOf(await decode(given($[0]), 'image'), {}).rgba);",
            given(IMAGES[name][1]),
        )
        expected = viewable(read_image(files[name]))
        rgba = taken(found).reshape(*expected.shape[:2], 4)
        assert (rgba[..., 3] == 255).all()
        assert np.count_nonzero(rgba[..., :3] != expected) <= expected.size / 1000


def test_a_description_without_what_is_new_is_understood(blank_once, files, descriptions):
    known = json.loads(descriptions["vessels"].model_dump_json())
    for name in ("image_statistics", "uncertainty_limit"):
        known[name] = None
    del known["preprocessing"]["values"]
    found = run(blank_once, _PREPARE, given(IMAGES["rgb"][1]), json.dumps(known), False)
    assert found["outOfDistribution"] == ""
    image = read_image(files["rgb"])
    kind = descriptions["vessels"].preprocessing
    seen = channels_first(kind.resize(kind.normalize(image, find_range(image, "depth", image))))
    assert np.array_equal(taken(found["planes"]).reshape(seen.shape), seen)
