"""Outlines of annotation programs as masks: right pixels, or one sentence."""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_hostile import png
from PIL import Image

from amsunet.data.containers import file_of, find_address, is_outlined
from amsunet.data.image_file import count_pixels
from amsunet.data.masks.files import open_mask, read_objects
from amsunet.data.readers import outlines
from amsunet.data.readers.imagej_rois import is_of_regions
from amsunet.errors import InputError

SIZE = (12, 16)
_SQUARE = [[2, 3], [7, 3], [7, 9], [2, 9], [2, 3]]
_HOLE = [[4, 5], [4, 7], [5, 7], [5, 5], [4, 5]]
_FEATURE = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [_SQUARE, _HOLE]},
    "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}},
}
_GEOJSON = {"type": "FeatureCollection", "features": [_FEATURE]}
_SHAPES = [
    {"label": "Tumor", "points": _SQUARE[:-1], "shape_type": "polygon", "group_id": None},
    {"label": "Vessel", "points": [[9, 1], [12, 4]], "shape_type": "rectangle"},
    {"label": "__ignore__", "points": [[0, 0]], "shape_type": "point"},
]
_LABELME = {"version": "5.4.1", "shapes": _SHAPES, "imagePath": "a.png", "imageHeight": 12, "imageWidth": 16}
_COCO = {
    "images": [{"id": 7, "file_name": "a.png", "height": 12, "width": 16}],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 3,
            "segmentation": [[one for point in _SQUARE[:-1] for one in point]],
            "iscrowd": 0,
        },
        {
            "id": 2,
            "image_id": 7,
            "category_id": 4,
            "segmentation": {"size": [12, 16], "counts": [109, 3, 9, 3, 9, 3, 56]},
        },
    ],
    "categories": [{"id": 3, "name": "Tumor"}, {"id": 4, "name": "Vessel"}],
}


def _write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def _square(*, hole: bool) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[3:9, 2:7] = 1
    mask[5:7, 4:5] = not hole
    return mask


def _tumor_and_vessel() -> np.ndarray:
    mask = _square(hole=False)
    mask[1:4, 9:12] = 2
    return mask


def test_an_address_is_a_mask_like_any_other(tmp_path):
    address = outlines.address_of(_write(tmp_path / "a.geojson", _GEOJSON), SIZE)
    assert str(address).endswith("a.geojson/12x16")
    assert is_outlined(address) and not is_outlined(tmp_path / "a.geojson")
    assert file_of(address) == tmp_path / "a.geojson"
    assert count_pixels(address) == 12 * 16
    assert np.array_equal(open_mask(address).pixels, 255 * _square(hole=True))


@pytest.mark.parametrize(
    "wrapped",
    [_FEATURE, _FEATURE["geometry"], [_FEATURE], {"type": "GeometryCollection", "geometries": [_FEATURE["geometry"]]}],
)
def test_geojson_has_many_forms(tmp_path, wrapped):
    address = outlines.address_of(_write(tmp_path / "a.geojson", wrapped), SIZE)
    assert np.array_equal(read_objects(address), _square(hole=True))


@pytest.mark.parametrize(("content", "image"), [(_LABELME, ""), (_COCO, "a.png")])
def test_objects_are_numbered_and_have_their_class(tmp_path, content, image):
    file = _write(tmp_path / "a.json", content)
    assert outlines.find(file) == {image: ["Tumor", "Vessel"]}
    assert np.array_equal(read_objects(outlines.address_of(file, SIZE, image)), _tumor_and_vessel())
    for number, name in enumerate(("Tumor", "Vessel"), start=1):
        mask = open_mask(outlines.address_of(file, SIZE, image, name)).pixels
        assert np.array_equal(mask > 0, _tumor_and_vessel() == number)


def test_names_of_images_and_classes_may_hold_anything(tmp_path):
    content = copy.deepcopy(_COCO)
    content["images"][0]["file_name"] = "train/a=b/c%2F.png"
    content["categories"][0]["name"] = "T/umor = 1"
    file = _write(tmp_path / "a.json", content)
    ((image, (name, _)),) = outlines.find(file).items()
    address = outlines.address_of(file, SIZE, image, name)
    assert find_address(address).file == file
    assert np.array_equal(open_mask(address).pixels > 0, _square(hole=False) > 0)


def test_labelme_draws_circles_and_bitmaps(tmp_path):
    bitmap = io.BytesIO()
    Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(bitmap, "PNG")
    shapes = [
        {"label": "x", "points": [[5, 6], [8, 6]], "shape_type": "circle"},
        {"label": "x", "points": [[10, 4], [11, 5]], "shape_type": "mask",
         "mask": base64.b64encode(bitmap.getvalue()).decode()},
    ]  # fmt: skip
    numbers = read_objects(outlines.address_of(_write(tmp_path / "a.json", {**_LABELME, "shapes": shapes}), SIZE))
    rows, columns = np.indices(SIZE) + 0.5
    assert np.array_equal(numbers == 1, (rows - 6) ** 2 + (columns - 5) ** 2 < 9)
    assert np.array_equal(numbers[4:6, 10:12], [[2, 0], [2, 2]])


def test_run_lengths_as_pycocotools_packs_them(tmp_path):
    packed = pytest.importorskip("pycocotools.mask", reason="needs pycocotools")
    for seed in range(5):
        mask = (np.random.default_rng(seed).random(SIZE) < 0.2 * seed).astype(np.uint8)
        run_lengths = packed.encode(np.asfortranarray(mask))
        segmentation = {"size": [*SIZE], "counts": run_lengths["counts"].decode()}
        content = {**_COCO, "annotations": [{**_COCO["annotations"][0], "segmentation": segmentation}]}
        file = _write(tmp_path / f"{seed}.json", content)
        assert np.array_equal(read_objects(outlines.address_of(file, SIZE, "a.png")), mask)


_FAR = {"type": "Polygon", "coordinates": [[[0, 0], [900, 0], [0, 9]]]}
_LINE = {"label": "x", "points": [[1, 1]], "shape_type": "line"}
_WRONG = {
    "leaves its image of 16 x 12 pixels": ("a.geojson", {**_FEATURE, "geometry": _FAR}),
    "holds a LineString, which marks no area": ("a.geojson", {**_FEATURE, "geometry": {"type": "LineString"}}),
    "a.geojson is not as its format asks for": ("a.geojson", {**_FEATURE, "geometry": {"type": "Polygon"}}),
    "in an image of 32 x 24 pixels, and this has 16 x 12": (
        "a.json",
        {**_LABELME, "imageHeight": 24, "imageWidth": 32},
    ),
    "holds a line of 1 points": ("a.json", {**_LABELME, "shapes": [_LINE]}),
    "marks a region as __ignore__": ("a.json", {**_LABELME, "shapes": [{**_SHAPES[0], "label": "__ignore__"}]}),
    "a.json holds no outlines": ("a.json", {"a": 1}),
    "a.geojson is damaged": ("a.geojson", "[" * 100_000),
    "a.zip is damaged": ("a.zip", "no zip"),
    "a.roi holds a, which is no region of ImageJ": ("a.roi", "no region"),
}


@pytest.mark.parametrize("sentence", _WRONG)
def test_bad_files_are_one_sentence(tmp_path, sentence):
    name, content = _WRONG[sentence]
    if name.endswith((".zip", ".roi")):
        pytest.importorskip("roifile", reason='needs pip install "amsunet[objects]"')
    with pytest.raises(InputError, match=sentence) as error:
        open_mask(outlines.address_of(_write(tmp_path / name, content), SIZE))
    assert "\n" not in str(error.value)


_WRONG_COCO = {
    "a.png has 32 x 24 pixels there, and its file 16 x 12": lambda one: one["images"][0].update(height=24, width=32),
    "does not name each image once": lambda one: one["images"].append(one["images"][0]),
    "without a segmentation": lambda one: one["annotations"][0].pop("segmentation"),
    "of a.png drawn as a line": lambda one: one["annotations"][0].update(segmentation=[[1, 1, 5, 5]]),
    "run lengths that do not fill": lambda one: one["annotations"][1]["segmentation"].update(counts=[3, 4]),
    "run lengths of 9 x 9": lambda one: one["annotations"][1]["segmentation"].update(size=[9, 9]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", _WRONG_COCO)
def test_bad_data_sets_are_one_sentence(tmp_path, sentence):
    content = copy.deepcopy(_COCO)
    _WRONG_COCO[sentence](content)
    with pytest.raises(InputError, match=sentence):
        open_mask(outlines.address_of(_write(tmp_path / "a.json", content), SIZE, "a.png"))


@pytest.mark.parametrize("counts", [[2**62] * 4 + [SIZE[0] * SIZE[1]], "o" * 3_000_000 + "0", [0.5, 1e300], "é"])
def test_run_lengths_that_are_no_numbers_of_pixels_are_refused_at_once(counts, tmp_path):
    """The first have the right sum in 64 bits, and the second is one number of millions of digits."""
    content = copy.deepcopy(_COCO)
    content["annotations"][0]["segmentation"] = {"size": [*SIZE], "counts": counts}
    with pytest.raises(InputError, match="export it again"):
        open_mask(outlines.address_of(_write(tmp_path / "a.json", content), SIZE, "a.png"))


def test_a_bitmap_that_claims_much_or_is_damaged_is_one_sentence(tmp_path):
    whole = png(10, 10, bytes(110))
    damaged = [png(60_000, 60_000, b""), png(10_000, 12_000, b""), png(10, 10, bytes(11)), whole[:45],
               whole.replace(b"IDAT", b"I\1AT"), b""]  # fmt: skip
    for number, bitmap in enumerate(damaged):
        shape = {
            "label": "x",
            "shape_type": "mask",
            "points": [[1, 1], [5, 5]],
            "mask": base64.b64encode(bitmap).decode(),
        }
        file = _write(tmp_path / f"{number}.json", {"shapes": [shape], "imagePath": "a.png"})
        with pytest.raises(InputError, match=r"leaves its image|as its format asks for|1 of 10 rows") as caught:
            read_objects(outlines.address_of(file, SIZE))
        assert "\n" not in str(caught.value)


def _mutated(content: object, rng: random.Random) -> object:
    """JSON in which one place is something else."""
    content = copy.deepcopy(content)
    here = content
    while True:
        keys = [*here] if isinstance(here, dict) else [*range(len(here))]
        key = rng.choice(keys)
        if isinstance(here[key], (dict, list)) and here[key] and rng.random() < 0.8:
            here = here[key]
            continue
        here[key] = rng.choice([None, -1, 1e400, "x", [], {}, [[]], True, 10**30, float("nan"), [[[1]]]])
        return content


@pytest.mark.parametrize(("name", "content"), [("geojson", _GEOJSON), ("json", _LABELME), ("json", _COCO)])
def test_no_content_ends_in_a_traceback(tmp_path, name, content):
    rng, refused = random.Random(0), 0
    for number in range(250):
        file = _write(tmp_path / f"{number}.{name}", _mutated(content, rng))
        try:
            found = outlines.find(file)
            for image in found or [""]:
                assert read_objects(outlines.address_of(file, SIZE, image)).shape == SIZE
        except InputError:
            refused += 1
    assert 50 < refused < 250


def test_regions_that_are_cut_short_end_in_a_sentence(tmp_path):
    roifile = pytest.importorskip("roifile", reason='needs pip install "amsunet[objects]"')
    data = roifile.ImagejRoi.frompoints(np.array(_SQUARE[:-1]), name="a").tobytes()
    rng, refused = random.Random(0), 0
    for number in range(200):
        broken = bytearray(data[: rng.randrange(len(data))] if number % 2 else data)
        if not number % 2:
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        (tmp_path / f"{number}.roi").write_bytes(broken)
        try:
            read_objects(outlines.address_of(tmp_path / f"{number}.roi", SIZE))
        except InputError:
            refused += 1
    assert refused > 50


def test_a_zip_of_other_files_holds_no_outlines(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", b"")
    assert outlines.find(tmp_path / "a.zip") is None
    assert not is_of_regions(tmp_path / "a.zip")


def test_an_empty_zip_is_of_an_image_without_objects(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert is_of_regions(tmp_path / "a.zip")
    assert outlines.find(tmp_path / "a.zip") == {"": []}
    assert not open_mask(outlines.address_of(tmp_path / "a.zip", SIZE)).pixels.any()
