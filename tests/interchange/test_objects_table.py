"""Tables of objects and of counts: what is measured, against scikit-image, and how tables are joined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from skimage.measure import regionprops

from amsunet.data.masks import MaskConvention
from amsunet.data.spacing import Lengths
from amsunet.errors import InputError
from amsunet.inference.objects import find_objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange import counts_table, objects_table
from amsunet.interchange.object_shapes import measure_shapes
from amsunet.text_files import read_rows

CONVENTION = MaskConvention(kind="values", values=(0, 1, 2), class_names=("background", "cell", "=nucleus"))


@pytest.fixture
def result():
    """Three cells, one with a hole, one of a pixel, one cut off by the border; and a nucleus."""
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:15], mask[8:11, 8:11] = 1, 0
    mask[20, 20] = 1
    mask[30:, 50:] = 1
    mask[20:30, 30:45] = 2
    rng = np.random.default_rng(0)
    probability = rng.random((3, 40, 60)).astype(np.float32)
    return Segmentation("one", probability / probability.sum(axis=0), mask, CONVENTION)


@pytest.fixture
def image(tmp_path, save):
    array = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return save(tmp_path / "one.png", array), array


def _table(result, image, tmp_path):
    path = tmp_path / "table.csv"
    objects_table.write(result, result.objects, image[0], path)
    return read_rows(path)


def test_every_object_is_measured_as_scikit_image_does(result, image, tmp_path):
    rows, objects = _table(result, image, tmp_path), result.objects
    assert [row["class"] for row in rows] == ["cell", "cell", "cell", "=nucleus"]
    assert (tmp_path / "table.csv").read_bytes().startswith(b"\xef\xbb\xbfimage,object,class,area_px,")
    for row, region in zip(rows, regionprops(objects.numbers, image[1]), strict=True):
        assert (row["image"], int(row["object"]), int(row["area_px"])) == ("one", region.label, region.area)
        place = float(row["centroid_row"]), float(row["centroid_column"])
        assert place == pytest.approx(region.centroid, abs=0.01)
        assert tuple(int(row[side]) for side in ("top", "left", "bottom", "right")) == region.bbox
        assert float(row["equivalent_diameter_px"]) == pytest.approx(region.equivalent_diameter_area, abs=0.01)
        intensities = [float(row[f"mean_intensity_{channel}"]) for channel in (1, 2, 3)]
        assert intensities == pytest.approx(list(region.intensity_mean), rel=1e-5)
        of_class = result.probability[objects.classes[region.label - 1]][objects.numbers == region.label]
        assert float(row["mean_probability"]) == pytest.approx(of_class.mean(), abs=1e-4)
    assert [row["touches_border"] for row in rows] == ["no", "no", "yes", "no"]


def test_channels_are_called_by_their_names(result, tmp_path, save):
    array = np.random.default_rng(1).integers(0, 256, (40, 60, 2), dtype=np.uint8)
    of_channels = {name: array[..., place] for place, name in enumerate(("DAPI", "GFP"))}
    for name, values in of_channels.items():
        save(tmp_path / f"one_{name}.png", values)
    rows = _table(result, (tmp_path / "one_{DAPI,GFP}.png", array), tmp_path)
    assert [name for name in rows[0] if "intensity" in name] == ["mean_intensity_DAPI", "mean_intensity_GFP"]
    inside = result.objects.numbers == 1
    for name, values in of_channels.items():
        assert float(rows[0][f"mean_intensity_{name}"]) == pytest.approx(values[inside].mean(), rel=1e-5)
    tifffile.imwrite(tmp_path / "four.tif", array[..., [0, 1, 0, 1]], photometric="minisblack", planarconfig="contig")
    rows = _table(result, (tmp_path / "four.tif", array), tmp_path)
    assert [name for name in rows[0] if "intensity" in name] == [f"mean_intensity_{number}" for number in (1, 2, 3, 4)]


def test_a_cell_is_no_formula(result, image, tmp_path):
    _table(result, image, tmp_path)
    assert "'=nucleus" in (tmp_path / "table.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("spacing", "unit", "factor"),
    [((0.001, 0.002), "um", 2.0), ((0.05, 0.05), "um", 2500.0), ((0.5, 0.25), "mm", 0.125)],
)
def test_areas_are_in_the_unit_of_the_pixels_too(result, image, tmp_path, spacing, unit, factor):
    rows = _table(replace(result, spacing=spacing), image, tmp_path)
    assert float(rows[0][f"area_{unit}2"]) == pytest.approx(91 * factor)
    expected = np.sqrt(4 * 91 * factor / np.pi)
    assert float(rows[0][f"equivalent_diameter_{unit}"]) == pytest.approx(expected, rel=1e-3)
    assert Lengths.of([spacing]).unit == unit, "as distances of an evaluation"
    counts = counts_table.count_columns(replace(result, spacing=spacing), result.objects)
    assert counts[f"area_{unit}2"][0] == pytest.approx((91 + 1 + 100) * factor)
    # A size that was read as 0.6500000000000001 has no digits that nobody measured.
    counts = counts_table.count_columns(replace(result, spacing=(0.0005, 0.00065)), result.objects)
    assert (counts["pixel_height"][0], counts["pixel_width"][0], counts["unit"][0]) == (0.5, 0.65, "µm")


def test_a_mask_without_an_object_has_a_table_too(result, image, tmp_path):
    empty = replace(result, mask=np.zeros_like(result.mask))
    assert _table(empty, image, tmp_path) == []
    assert (tmp_path / "table.csv").read_text(encoding="utf-8-sig").startswith("image,object,class,area_px,")


def test_an_image_has_a_row_for_each_class(result, image, tmp_path):
    counts_table.write(result, result.objects, image[0], tmp_path / "counts.csv")
    cell, nucleus = read_rows(tmp_path / "counts.csv")
    assert (cell["class"], cell["objects"], cell["area_px"]) == ("cell", "3", str(91 + 1 + 100))
    assert (nucleus["class"], nucleus["objects"], nucleus["area_px"]) == ("=nucleus", "1", "150")
    assert float(cell["share"]) == pytest.approx(192 / 2400)
    assert float(cell["uncertainty"]) == pytest.approx(result.uncertainty, abs=1e-4)
    assert (cell["width"], cell["height"], cell["check"]) == ("60", "40", "")


def test_tables_are_joined_under_all_their_columns(result, image, tmp_path):
    parts = []
    for name, spacing in (("a", None), ("b", (0.5, 0.25)), ("c", None)):
        parts.append(tmp_path / f"{name}.csv")
        one = replace(result, name=name, spacing=spacing)
        one = replace(one, mask=np.zeros_like(one.mask)) if name == "c" else one
        objects_table.write(one, one.objects, image[0], parts[-1])
    objects_table.join(parts, tmp_path / "objects.csv")
    rows = read_rows(tmp_path / "objects.csv")
    assert [row["image"] for row in rows] == ["a"] * 4 + ["b"] * 4
    assert rows[0]["area_mm2"] == "" and float(rows[4]["area_mm2"]) == pytest.approx(91 * 0.125)
    assert list(rows[0])[:4] == ["image", "object", "class", "area_px"]
    assert rows[3]["class"] == "=nucleus", "quotes are not doubled"


def test_a_damaged_part_is_named(result, image, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"a\.csv is no table that can be read: remove it"):
        objects_table.join([tmp_path / "a.csv"], tmp_path / "objects.csv")
    assert not (tmp_path / "objects.csv").exists()


@pytest.mark.parametrize("radius", [4, 8, 15, 40])
def test_a_disc_is_round_and_a_line_is_not(radius):
    rows, columns = np.ogrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3]
    shapes = measure_shapes((rows**2 + columns**2 <= radius**2).astype(np.int32), 1)
    assert shapes.perimeters[0] == pytest.approx(2 * np.pi * radius, rel=0.05), "edges of pixels make it 0.27 longer"
    assert 0.88 < shapes.circularity[0] <= 1
    line = np.zeros((9, 60), np.int32)
    line[4, 5:55] = 1
    assert measure_shapes(line, 1).circularity[0] < 0.15


def test_seventy_thousand_objects_are_measured_together():
    mask = np.zeros((1060, 1060), np.uint8)
    mask[::4, ::4] = mask[1::4, ::4] = 1
    objects = find_objects(mask)
    shapes = measure_shapes(objects.numbers, len(objects))
    assert len(objects) == 265**2 and (shapes.areas == 2).all()
    assert shapes.touches_border.sum() == 2 * 265 - 1, "the upper and the left one"


def test_nothing_is_measured_of_nothing():
    shapes = measure_shapes(np.zeros((4, 4), np.int32), 0)
    assert len(shapes.areas) == len(shapes.circularity) == 0
