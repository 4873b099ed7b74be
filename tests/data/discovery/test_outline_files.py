"""Data sets whose masks are outlines: found by name or as COCO lists them, with their classes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.discovery.layout import find_samples
from amsunet.data.masks.labels import read_labels
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.errors import InputError

_NAMES = ("a", "b", "c")
_BOX = [(4, 5), (20, 5), (20, 30), (4, 30)]
_OTHER = [(24, 8), (40, 8), (40, 20), (24, 20)]


def _feature(points, name: str = "") -> dict:
    known = {"classification": {"name": name}} if name else {}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [points]}, "properties": known}


def _geojson(path: Path, *features: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def _coco(path: Path, names, classes=("nucleus",)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": number % len(classes),
            "segmentation": [np.ravel(box).tolist()],
        }
        for number, (image, box) in enumerate((image, box) for image in range(len(names) - 1) for box in (_BOX, _OTHER))
    ]
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes)],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path, picture, save) -> Path:
    """Images without masks, of 40 x 48 pixels."""
    for seed, name in enumerate(_NAMES):
        save(tmp_path / "data" / "images" / f"{name}.png", picture(seed))
    return tmp_path / "data"


def _boxes(*boxes) -> np.ndarray:
    mask = np.zeros((40, 48), np.uint8)
    for label, ((left, top), _, (right, bottom), _) in enumerate(boxes, start=1):
        mask[top:bottom, left:right] = label
    return mask


@pytest.mark.parametrize(
    "where",
    [
        "images/{}.geojson",
        "annotations/{}.geojson",
        "images/{}.png.geojson",
        "geojson/{}.geojson",
        "outlines/{}_mask.geojson",
    ],
)
def test_files_belong_to_the_image_of_their_name(data, where):
    for name in _NAMES:
        _geojson(data / where.format(name), _feature(_BOX, "nucleus"), _feature(_OTHER, "nucleus"))
    dataset = open_dataset(data)
    assert [scan.sample.image.stem for scan in dataset.scans] == [*_NAMES]
    assert dataset.convention.class_names == ("background", "nucleus")
    assert "masks are drawn from outlines of the classes nucleus, in 3 files" in dataset.notes[0]
    for scan in dataset.scans:
        assert np.array_equal(read_labels(scan.sample, dataset.convention), _boxes(_BOX, _OTHER) > 0)


@pytest.mark.parametrize("channels", [("DAPI", "GFP"), ("left", "right")])
@pytest.mark.parametrize("by", ["geojson", "coco"])
def test_channels_that_lie_in_a_file_each_are_put_together(data, by, channels):
    known = channels[0] == "DAPI"
    for name in _NAMES:
        (data / "images" / f"{name}.png").rename(data / "images" / f"{name}_{channels[0]}.png")
        shutil.copy(data / "images" / f"{name}_{channels[0]}.png", data / "images" / f"{name}_{channels[1]}.png")
        if by == "geojson":
            _geojson(data / "masks" / f"{name}.geojson", _feature(_BOX), _feature(_OTHER))
    if by == "coco":  # as predict names them
        _coco(data / "coco.json", [f"{name}.png" for name in (*_NAMES, "none")])
    if not known:
        with pytest.raises(InputError, match=r"a_left\.png and .* may be channels of one image"):
            open_dataset(data)
    dataset = open_dataset(data, DataOptions() if known else DataOptions(channels=channels))
    assert [scan.sample.name for scan in dataset.scans] == [*_NAMES]
    for scan in dataset.scans:
        image, labels = dataset.read(scan.sample)
        assert image.shape == (40, 48, 2)
        assert np.array_equal(labels > 0, _boxes(_BOX, _OTHER) > 0)


def test_objects_stay_apart_where_they_are_asked_for(data):
    for name in _NAMES:
        _geojson(data / f"{name}.geojson", _feature(_BOX), _feature(_OTHER))
    dataset = open_dataset(data, DataOptions(masks=MaskOptions(instances=True)))
    assert dataset.convention.kind == "instances"
    assert np.array_equal(dataset.masks.open(dataset.scans[0].sample, "", apart=True).pixels, _boxes(_BOX, _OTHER))
    assert dataset.masks.open(dataset.scans[0].sample, "").pixels.max() == 255


@pytest.mark.parametrize("by", ["geojson", "coco"])
def test_several_classes_are_kept_by_name(data, by):
    if by == "coco":
        _coco(data / "annotations.json", [f"{name}.png" for name in _NAMES], ("cell", "nucleus"))
    else:
        for name in _NAMES[:-1]:
            _geojson(data / f"{name}.geojson", _feature(_BOX, "cell"), _feature(_OTHER, "nucleus"))
        _geojson(data / "c.geojson")
    dataset = open_dataset(data)
    assert dataset.convention.class_names == ("background", "cell", "nucleus")
    *full, empty = (read_labels(scan.sample, dataset.convention) for scan in dataset.scans)
    assert all(np.array_equal(one, _boxes(_BOX, _OTHER)) for one in full)
    assert not empty.any()


def test_coco_tells_images_of_one_name_apart_by_their_folders(data, picture, save):
    for seed, folder in enumerate(("train", "val")):
        save(data / "images" / folder / "a.png", picture(seed))
    _coco(data / "annotations" / "all.json", ["val/a.png", "images\\train\\a.png", "b.png", "gone.png"])
    layout = find_samples(data)
    assert [str(sample.image.relative_to(data / "images")) for sample in layout.samples] == [
        "b.png",
        "train/a.png",
        "val/a.png",
    ]
    assert [sample.split for sample in layout.samples] == [None, "train", "val"]
    assert [path.name for path in layout.images_without_mask] == ["a.png", "c.png"]
    assert any("names images that are not found: 1, as gone.png" in one for one in layout.warnings)


def test_files_of_coco_that_are_called_by_splits_name_them(data):
    _coco(data / "instances_train.json", [f"{name}.png" for name in _NAMES[:2]])
    _coco(data / "instances_val.json", [f"{name}.png" for name in _NAMES[2:]])
    dataset = open_dataset(data)
    assert [sample.split for sample in dataset.samples] == ["train", "train", "val"]
    assert any("names of files of outlines" in note and "instances_val" in note for note in dataset.notes)


def test_captions_beside_outlines_are_passed_over(data):
    _coco(data / "instances.json", [f"{name}.png" for name in _NAMES])
    images = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate(_NAMES)]
    captions = {"images": images, "annotations": [{"id": 1, "image_id": 0, "caption": "a cell"}]}
    (data / "captions.json").write_text(json.dumps(captions))
    assert len(open_dataset(data).scans) == len(_NAMES)


def test_what_is_not_clear_is_refused(data):
    _geojson(data / "a.geojson", _feature(_BOX, "nucleus"), _feature(_OTHER))
    with pytest.raises(InputError, match=r"a.geojson holds 1 object without a class, and others have one \(nucleus\)"):
        find_samples(data)
    _geojson(data / "a_mask.geojson", _feature(_BOX, "nucleus"))
    _geojson(data / "a.geojson", _feature(_BOX, "nucleus"))
    assert find_samples(data).masks_without_image == [data / "a_mask.geojson"]
    (data / "a_mask.geojson").rename(data / "a.json")
    with pytest.raises(InputError, match="both hold outlines of one image: keep one"):
        find_samples(data)
    _coco(data / "a.json", ["a.png", "b.png"])
    with pytest.raises(InputError, match=r"a.geojson and .*a.json both hold outlines of .*a.png: keep one"):
        find_samples(data)


def test_a_name_of_its_own_for_each_object_makes_no_classes(data):
    """Each class is drawn by itself, which of thousands would take for ever."""
    for name in _NAMES:
        _geojson(data / f"{name}.geojson", *(_feature(_BOX, f"cell {number}") for number in range(300)))
    with pytest.raises(InputError, match=r"geojson and others name 300 classes, where a mask holds 254"):
        find_samples(data)


def test_masks_of_pixels_come_first_and_other_json_is_passed_over(data, disc, save):
    (data / "settings.json").write_text("{}")
    (data / "torn.json").write_text("{")
    _geojson(data / "annotations" / "a.geojson", _feature(_BOX))
    assert [sample.image.stem for sample in find_samples(data).samples] == ["a"]
    assert any("torn.json is damaged" in warning for warning in find_samples(data).warnings)
    for seed, name in enumerate(_NAMES):
        save(data / "masks" / f"{name}.png", disc(seed) * np.uint8(255))
    assert len(find_samples(data).samples) == 3


def test_outlines_of_another_size_are_one_problem_of_that_image(data):
    for name in _NAMES:
        _geojson(data / f"{name}.geojson", _feature(_BOX))
    _geojson(data / "b.geojson", _feature([(2 * x, 2 * y) for x, y in _BOX]))
    with pytest.raises(InputError, match=r"b.geojson: an outline leaves its image of 48 x 40 pixels"):
        open_dataset(data)
    assert len(open_dataset(data, DataOptions(skip_broken=True)).scans) == 2


def test_a_manifest_names_outlines_too(data):
    lines = ["image,mask"]
    for name in _NAMES[:2]:
        _geojson(data / "outlines" / f"of_{name}.geojson", _feature(_BOX, "nucleus"))
        lines.append(f"images/{name}.png,outlines/of_{name}.geojson")
    _coco(data / "coco.json", ["c.png", "ac.png"])
    (data / "manifest.csv").write_text("\n".join([*lines, "images/c.png,coco.json"]), encoding="utf-8")
    found = {sample.image.stem: sample for sample in open_dataset(data).samples}
    dataset = open_dataset(data)
    for name, wanted in (("a", _boxes(_BOX)), ("b", _boxes(_BOX)), ("c", _boxes(_BOX, _OTHER) > 0)):
        assert np.array_equal(read_labels(found[name], dataset.convention), wanted)
    _geojson(data / "outlines" / "of_a.geojson", _feature(_BOX, "nucleus"), _feature(_OTHER, "cell"))
    with pytest.raises(InputError, match="of the classes cell, nucleus: name it in a column mask:CLASS"):
        open_dataset(data)


def test_a_draft_names_the_files_and_is_read_again(data, tmp_path):
    for name in _NAMES:
        _geojson(data / f"{name}.geojson", _feature(_BOX, "cell"), _feature(_OTHER, "nucleus"))
    draft_manifest(data)
    drafted = next(data.glob("manifest*.csv"))
    assert "a.geojson,a.geojson" in drafted.read_text(encoding="utf-8")
    dataset = open_dataset(drafted)
    assert np.array_equal(read_labels(dataset.scans[0].sample, dataset.convention), _boxes(_BOX, _OTHER))
