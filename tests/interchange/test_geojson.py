"""GeoJSON for QuPath: read back by others it is the mask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from amsunet.inference.objects import find_objects

shapely = pytest.importorskip("shapely", reason='needs pip install "amsunet[objects]"')
geojson = pytest.importorskip("amsunet.interchange.geojson")


def _written(result, path: Path, objects=None) -> dict:
    geojson.write(result, objects or find_objects(result.mask), Path("a.png"), path)
    return json.loads(path.read_text(encoding="utf-8"))


def test_shapely_reads_the_objects_of_the_mask(mask, make_result, tmp_path):
    content = _written(make_result(mask), tmp_path / "a.geojson")
    assert content["type"] == "FeatureCollection"
    rows, columns = np.indices(mask.shape)
    drawn = np.zeros_like(mask)
    labels = {"nucleus": 1, "cell": 2}
    for feature in content["features"]:
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid
        inside = shapely.contains_xy(shape, columns + 0.5, rows + 0.5)
        assert feature["properties"]["measurements"]["Area px^2"] == inside.sum() == shape.area
        drawn[inside] = labels[feature["properties"]["classification"]["name"]]
    assert np.array_equal(drawn, mask)


def test_objects_are_detections_of_a_class_with_a_colour(make_result, tmp_path, scattered):
    mask, objects = scattered
    one, other = _written(make_result(mask, spacing=(0.001, 0.002)), tmp_path / "a.geojson", objects)["features"]
    assert one["properties"] == {
        "objectType": "detection",
        "classification": {"name": "nucleus", "color": [0, 220, 150]},
        "measurements": {"Area px^2": 18, "Area µm^2": 36.0, "Mean probability": 0.9},
    }
    assert (one["geometry"]["type"], other["geometry"]["type"]) == ("MultiPolygon", "Polygon")
    assert len({one["id"], other["id"]}) == 2


def test_the_same_result_is_the_same_file(make_result, tmp_path):
    result = make_result(np.ones((4, 5), np.uint8))
    assert _written(result, tmp_path / "a.geojson") == _written(result, tmp_path / "b.geojson")
    (feature,) = _written(make_result(result.mask, spacing=(0.5, 0.5)), tmp_path / "a.geojson")["features"]
    assert feature["properties"]["measurements"]["Area mm^2"] == 5
