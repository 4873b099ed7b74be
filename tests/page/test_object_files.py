"""Tables and files of objects that the page saves: those that ``predict --also`` writes."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import tifffile
from browser_arrays import given, run, taken

from amsunet.data.image_spacing import spacing_of
from amsunet.data.masks import MaskConvention
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange import counts_table, objects_table

_SAVE = """
const names = ["objects", "object_shapes", "table", "geojson", "imagej_rois", "label_tiff", "measure"];
const [objects, , table, geojson, rois, tiff] = await Promise.all(names.map((name) => import(`/${name}.js`)));
const [labels, probability, samples] = [given($[0]), given($[1]), given($[2])];
const {width, height, channels, classes, separation, spacing} = $[3];
const found = objects.objectsOf(labels, width, height, probability, separation);
const numbers = objects.numbersOf(labels, width, height, separation);
const measured = {
  objects: found, separation, uncertainty: 0.25, threshold: null, smallest: null,
  classes: classes.map((name, index) => {
    const own = found.filter(({label}) => label === index + 1);
    return {name, objects: own.length, pixels: own.reduce((sum, {area}) => sum + area, 0), dice: null};
  }),
};
const one = {name: "one", width, height, measured, spacing, numbers};
const picture = {samples, channels, width, height, spacing};
return {
  numbers: packed(numbers),
  objects: table.objectsTable(table.objectRows(one, picture)),
  counts: table.countsTable(table.countRows(one, "", "zoo:x")),
  geojson: geojson.geojson(one),
  rois: rois.imagejRois(one).map(({name, bytes}) => [name, packed(bytes)]),
  tiff: packed(await tiff.labelTiff(one)),
};
"""
_SPACINGS = {"": (None, None), "um": ((0.0005, 0.00025), "µm"), "mm": ((0.5, 0.25), "mm")}


def _nested():
    """Rings within rings, objects in holes, holes and objects that touch themselves at corners."""
    mask = np.zeros((40, 60), np.uint8)
    mask[2:30, 3:40] = 1
    mask[5:25, 8:35] = 0
    mask[8:20, 12:30] = 2
    mask[10:12, 15:17], mask[12:14, 17:19] = 0, 0
    mask[31:38, 3:10] = 1
    mask[33:35, 5:7], mask[35, 7], mask[36:38, 8:10] = 0, 0, 0
    mask[0, :], mask[-1, 20:], mask[:, -1] = 1, 2, 2
    return mask


_MASKS = {
    "nested": _nested(),
    "random": np.random.default_rng(0).integers(0, 3, (33, 47)).astype(np.uint8),
    "dense": (np.random.default_rng(1).random((31, 60)) < 0.8).astype(np.uint8),
    "empty": np.zeros((5, 9), np.uint8),
}


_CASES = [("nested", "", 0), ("random", "um", 0), ("dense", "mm", 1.0), ("empty", "um", 0)]


@pytest.fixture(scope="module", params=_CASES, ids=lambda case: case[0])
def saved(request, blank_once):
    """What the page saves of a mask; its segmentation here; and the image."""
    name, unit, separation = request.param
    mask, (spacing, shown) = _MASKS[name], _SPACINGS[unit]
    rng = np.random.default_rng(2)
    probability = rng.random((3, *mask.shape)).astype(np.float32)
    image = rng.integers(0, 256, (*mask.shape, 3 if unit else 1), dtype=np.uint8)
    classes = ("background", "cell", "=core")
    convention = MaskConvention(kind="values", values=(0, 1, 2), class_names=classes)
    result = Segmentation("one", probability, mask, convention, spacing=spacing, separation=separation)
    height, width = mask.shape
    sides = [side * (1000 if shown == "µm" else 1) for side in spacing or ()]
    known = {"width": width, "height": height, "channels": image.shape[2], "classes": classes[1:]}
    known |= {"separation": separation, "spacing": spacing and {"rows": sides[0], "columns": sides[1], "unit": shown}}
    return run(blank_once, _SAVE, given(mask), given(probability), given(image), known), result, image


def _rows(text):
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def _hold(found, columns, own=()):
    """Columns and values are those of the package; the page may have some of its own."""
    rows = _rows(found)
    count = len(next(iter(columns.values())))
    assert len(rows) == count
    for name, values in columns.items() if count else ():
        for row, value in zip(rows, values, strict=True):
            if isinstance(value, str):
                assert row[name].removeprefix("'") == value
            else:
                assert float(row[name]) == pytest.approx(value, rel=1e-6, abs=1.01e-4 if "prob" in name else 1e-9), name
    assert not rows or set(rows[0]) == {*columns, *own}


def test_objects_have_the_numbers_and_the_table_of_the_package(saved):
    found, result, image = saved
    assert np.array_equal(taken(found["numbers"]).reshape(result.mask.shape), result.objects.numbers)
    _hold(found["objects"], objects_table.object_columns(result, result.objects, image, ()))
    first = found["objects"].removeprefix("\ufeff").partition("\r\n")[0]
    assert first.startswith(",".join(objects_table._COLUMNS))  # of an empty table too


def test_counts_are_those_of_the_package(saved):
    found, result, _ = saved
    columns = counts_table.count_columns(result, result.objects)
    _hold(found["counts"], columns | {"uncertainty": [0.25, 0.25]}, own=("separation_px", "network"))


def _corners(ring):
    """A ring, closed or not, by its corners, from the first one of all on."""
    points = [tuple(int(one) for one in corner) for corner in ring]
    points = points[:-1] if points[0] == points[-1] else points
    start = points.index(min(points))
    return tuple(points[start:] + points[:start])


def _features(text):
    found = []
    for feature in json.loads(text)["features"]:
        rings = feature["geometry"]["coordinates"]
        outline = _corners(rings[0]), sorted(map(_corners, rings[1:]))
        found.append((feature["geometry"]["type"], outline, feature["properties"]))
    return found


def test_outlines_are_those_of_the_package(saved, tmp_path):
    roifile = pytest.importorskip("roifile", reason='needs pip install "amsunet[objects]"')
    geojson = pytest.importorskip("amsunet.interchange.geojson", reason='needs pip install "amsunet[objects]"')
    imagej_rois = pytest.importorskip("amsunet.interchange.imagej_rois")
    found, result, _ = saved
    geojson.write(result, result.objects, tmp_path, tmp_path / "one.geojson")
    assert _features(found["geojson"]) == _features((tmp_path / "one.geojson").read_text(encoding="utf-8"))
    imagej_rois.write(result, result.objects, tmp_path, tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert [name for name, _ in found["rois"]] == archive.namelist()
        for name, content in found["rois"]:
            ours, theirs = map(roifile.ImagejRoi.frombytes, (taken(content).tobytes(), archive.read(name)))
            for same in ("name", "props", "roitype", "top", "left", "bottom", "right", "stroke_color", "composite"):
                assert getattr(ours, same) == getattr(theirs, same), same
            rings = [sorted(map(_corners, one.coordinates(multi=True))) for one in (ours, theirs)]
            assert rings[0] == rings[1]


def test_labels_are_the_numbers_and_say_how_large_a_pixel_is(saved, tmp_path):
    found, result, _ = saved
    path = tmp_path / "labels.tif"
    path.write_bytes(taken(found["tiff"]).tobytes())
    with tifffile.TiffFile(path) as file:
        assert file.is_imagej
        assert np.array_equal(file.asarray(), result.objects.numbers)
    assert spacing_of(path) == (result.spacing and pytest.approx(result.spacing, rel=1e-5))


@pytest.mark.parametrize("save", ["imagej_rois.js').imagejRois", "label_tiff.js').labelTiff"])
def test_more_objects_than_a_file_numbers_are_refused(save, blank_once):
    script = f"""
      try {{ await (await import('/{save.replace("')", "'))", 1)}({{measured: {{objects: Array($[0])}}}}); }}
      catch (error) {{ return [error.code, error.values.count]; }}
    """
    assert run(blank_once, script, 70_000) == ["objects", 70_000]
