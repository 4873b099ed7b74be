"""Objects, masks and uncertainty of labels, as the package has them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser_arrays import given, run, taken
from PIL import Image

from amsunet.data.components import without_small
from amsunet.data.masks import MaskConvention
from amsunet.inference.objects import find_objects

_ENCODE = """
const {encodeMasks} = await import("/mask.js");
const files = await encodeMasks(given($[0]), $[1], $[2], {convention: $[3]}, 0);
return files.map(({folder, png}) => ({folder, png: packed(png)}));
"""
_SHAPES = [(1, 1), (1, 40), (40, 1), (37, 53), (200, 310)]


def _labels(height, width, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, classes, (height // 2 + 1, width // 3 + 1), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(noise, np.ones((2, 3), np.uint8))[:height, :width])


@pytest.mark.parametrize("shape", _SHAPES)
def test_objects_have_the_numbers_of_the_package(shape, blank_once):
    for classes, seed in ((2, 1), (4, 2), (1, 3)):
        labels = _labels(*shape, classes, seed)
        found = run(
            blank_once,
            "const {numbersOf} = await import('/objects.js'); return packed(numbersOf(given($[0]), $[1], $[2], 0));",
            given(labels),
            shape[1],
            shape[0],
        )
        assert np.array_equal(taken(found).reshape(shape), find_objects(labels).numbers)


@pytest.mark.parametrize("shape", _SHAPES)
def test_objects_that_touch_are_parted_as_the_package_does(shape, blank_once):
    rng = np.random.default_rng(3)
    for share, classes, depth in ((0.9, 1, 1.0), (0.6, 1, 0.5), (0.95, 2, 1.5), (1.0, 1, 1.0)):
        labels = (rng.random(shape) < share) * rng.integers(1, classes + 1, shape, dtype=np.uint8)
        found = run(
            blank_once,
            "const {partObjects} = await import('/watershed.js'); const found = partObjects(given($[0]), ...$[1]);"
            "return {count: found.count, numbers: packed(found.numbers)};",
            given(labels),
            [shape[1], shape[0], depth],
        )
        expected, numbers = find_objects(labels, depth), taken(found["numbers"]).reshape(shape)
        assert found["count"] == len(expected)
        pairs = np.unique(np.stack([numbers, expected.numbers]).reshape(2, -1), axis=1)
        assert pairs.shape[1] == len(np.unique(numbers)), "the same pixels are of one object"
        if classes == 1:
            assert np.array_equal(numbers, expected.numbers)


def test_parted_objects_are_measured_and_numbered_in_the_mask(blank_once):
    rows, columns = np.ogrid[:30, :60]
    labels = np.zeros((30, 60), np.uint8)
    for column in (15, 31):
        labels[(rows - 15) ** 2 + (columns - column) ** 2 <= 100] = 1
    expected = find_objects(labels, 1.0)
    found = run(
        blank_once,
        "const [{objectsOf}, {encodeMask}] = await Promise.all([import('/objects.js'), import('/mask.js')]);"
        "const png = await encodeMask(given($[0]), 60, 30, $[1], 1);"
        "return {objects: objectsOf(given($[0]), 60, 30, undefined, 1), png: packed(png)};",
        given(labels),
        {"convention": {"kind": "instances"}},
    )
    areas = [int((expected.numbers == number).sum()) for number in (1, 2)]
    assert [one["area"] for one in found["objects"]] == areas
    with Image.open(io.BytesIO(taken(found["png"]).tobytes())) as mask:
        assert np.array_equal(np.asarray(mask), expected.numbers)


@pytest.mark.parametrize("shape", _SHAPES)
def test_small_objects_and_holes_are_those_of_the_package(shape, blank_once):
    rng = np.random.default_rng(7)
    for share, smallest in ((0.4, 3), (0.6, 9.5), (0.9, 20), (0.1, 2)):
        mask = rng.random(shape) < share
        found = run(
            blank_once,
            "const {dropSmall} = await import('/objects.js'); const mask = given($[0]); dropSmall(mask, ...$[1]);"
            "return packed(mask);",
            given(mask.astype(np.uint8)),
            [shape[1], shape[0], smallest],
        )
        assert np.array_equal(taken(found).reshape(shape).astype(bool), without_small(mask, smallest))


def test_objects_are_measured(blank_once):
    labels = np.zeros((9, 12), np.uint8)
    labels[1:4, 2:5] = 1
    labels[2, 3] = 0  # a hole
    labels[1:3, 5] = 2  # another class beside it
    labels[8, 11] = 1  # in the corner
    labels[7, 10] = 1  # which only shares a corner with it
    probability = np.stack([np.full(labels.shape, value, np.float32) for value in (0.25, 0.5, 0.75)])
    found = run(
        blank_once,
        "const {objectsOf} = await import('/objects.js'); return objectsOf(given($[0]), 12, 9, given($[1]));",
        given(labels),
        given(probability),
    )
    box = ("top", "left", "bottom", "right")
    assert [(one["label"], one["area"], *(one[side] for side in box), one["border"]) for one in found] == [
        (1, 8, 1, 2, 4, 5, False),
        (1, 1, 7, 10, 8, 11, False),
        (1, 1, 8, 11, 9, 12, True),
        (2, 2, 1, 5, 3, 6, False),
    ]
    assert [(one["row"], one["column"]) for one in found] == [(2, 3), (7, 10), (8, 11), (1.5, 5)]
    assert [one["probability"] for one in found] == [0.5, 0.5, 0.5, 0.75]


@pytest.mark.parametrize(
    "convention",
    [
        {"kind": "values", "values": (0, 255), "class_names": ("background", "cell")},
        {"kind": "values", "values": (3, 1000, 7), "class_names": ("background", "a", "b")},
        {"kind": "colours", "values": (0, 0xFF8001, 0x0000FF), "class_names": ("background", "a", "b")},
        {"kind": "instances", "values": (0, 1), "class_names": ("background", "cell")},
        {"kind": "threshold", "values": (0, 255), "class_names": ("background", "cell"), "threshold": 128.0},
    ],
    ids=lambda convention: f"{convention['kind']} {len(convention['values'])}",
)
def test_masks_have_the_convention_of_the_training_masks(convention, blank_once):
    known = MaskConvention.model_validate(convention)
    for shape in ((37, 53), (90, 160)):  # of the larger one there are more than 255 objects
        labels = _labels(*shape, known.num_classes)
        (file,) = run(blank_once, _ENCODE, given(labels), shape[1], shape[0], known.model_dump(mode="json"))
        expected = known.encode(labels)
        mask = np.array(Image.open(io.BytesIO(taken(file["png"]).tobytes())))
        assert file["folder"] == ""
        assert np.array_equal(mask, expected)
        assert mask.dtype.itemsize == expected.dtype.itemsize


def test_a_folder_for_each_class(blank_once):
    known = MaskConvention(kind="folders", values=(0, 1, 2), class_names=("background", "disc", "cup"))
    labels = _labels(20, 30, 3)
    files = run(blank_once, _ENCODE, given(labels), 30, 20, known.model_dump(mode="json"))
    assert [file["folder"] for file in files] == ["disc", "cup"]
    for label, file in enumerate(files, start=1):
        mask = np.array(Image.open(io.BytesIO(taken(file["png"]).tobytes())))
        assert np.array_equal(mask, (labels == label) * np.uint8(255))


def test_more_objects_than_a_mask_can_number(blank_once):
    labels = np.zeros((600, 600), np.uint8)
    labels[::2, ::2] = 1
    known = {"kind": "instances", "values": (0, 1), "class_names": ("background", "cell")}
    found = run(blank_once, _ENCODE, given(labels), 600, 600, known)
    assert found == {"code": "objects", "values": {"count": 90_000, "limit": 65_535}}


def test_pixels_are_as_unsure_as_their_likeliest_class(blank_once):
    probability = np.array([[1, 0.5, 0.1], [0, 0.5, 0.9]], np.float32)
    found = run(
        blank_once,
        "const {uncertaintyMap} = await import('/uncertainty.js'); return packed(uncertaintyMap(given($[0]), 2));",
        given(probability),
    )
    assert taken(found).tolist() == [0, 255, 51]
