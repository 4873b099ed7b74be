"""The contact sheet: masks over images, and a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from amsunet.data import fonts
from amsunet.data.channels import common_names
from amsunet.data.contact_sheet import _CELL, _choose, _describe_composite, _key, draw_sheet, warn_of_missing_fonts
from amsunet.data.dataset import open_dataset
from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention, MaskOptions
from amsunet.data.options import DataOptions
from amsunet.data.overlay import COLOURS

Make = Callable[..., Path]
Save = Callable[[Path, Array], Path]


def _sheet(source: Path, options: MaskOptions | None = None) -> Array:
    dataset = open_dataset(source, DataOptions(masks=options or MaskOptions()))
    shares = [1 / dataset.convention.num_classes] * dataset.convention.num_classes
    return np.asarray(draw_sheet(dataset, {sample.name: "train" for sample in dataset.samples}, shares))


def _pixels(sheet: Array, colour: Array) -> int:
    return int((sheet == colour).all(axis=2).sum())


def test_every_class_is_outlined_in_its_colour(tmp_path: Path, save: Save) -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[5:25, 5:25], labels[30:50, 30:50] = 1, 2
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", np.full((60, 60), 90 + number, np.uint8))
        save(tmp_path / "masks" / f"{number}.png", labels)
    sheet = _sheet(tmp_path, MaskOptions(classes=(0, 1, 2)))
    assert sheet.shape[1] == 5 * (_CELL + 14) + 14
    border = 4 * 20 * _CELL / 60
    for colour in COLOURS[:2]:
        assert 3 * 0.9 * border < _pixels(sheet, colour) < 3 * 1.2 * border + 200
    assert not _pixels(sheet, COLOURS[2])


def test_channels_that_are_shown_are_named(tmp_path: Path, save: Save) -> None:
    """Five channels, of which three are the colours; dim ones are stretched by themselves."""
    labels = np.zeros((60, 60), np.uint8)
    labels[30:, 30:] = 255
    scene = np.linspace(0, 1, 60 * 60).reshape(60, 60)
    for number in range(2):
        channels = np.stack([scene * scale for scale in (60_000, 200, 4000, 50_000, 50_000)]).astype(np.uint16)
        path = tmp_path / "images" / f"{number}.ome.tif"
        path.parent.mkdir(exist_ok=True)
        names = ["DAPI", "GFP", "RFP", "Cy5", "BF"]
        tifffile.imwrite(path, channels + number, metadata={"axes": "CYX", "Channel": {"Name": names}})
        save(tmp_path / "masks" / f"{number}.png", labels)
    dataset = open_dataset(tmp_path)
    assert not dataset.warnings  # .ome.tif and .png of one name are one pair
    names = common_names([scan.channel_names for scan in dataset.scans])
    assert _describe_composite(names) == "; DAPI red, GFP green, RFP blue, 2 more not shown"
    assert _describe_composite(()) == "" and _describe_composite(names[:2]) == "; DAPI red, GFP green"
    sheet = _sheet(tmp_path)
    ground = sheet[150:200, 150:300].astype(int)  # of the first picture: all three colours are as bright
    assert np.ptp(ground, axis=2).max() < 6 and np.ptp(ground) > 20


def test_numbered_objects_have_colours_of_their_own(tmp_path: Path, save: Save) -> None:
    for number in range(2):
        objects = np.zeros((60, 60), np.uint8)
        for index in range(3 + number):
            objects[4 + 12 * index : 12 + 12 * index, 10:40] = index + 1
        save(tmp_path / "images" / f"{number}.png", np.full((60, 60), 90 + number, np.uint8))
        save(tmp_path / "masks" / f"{number}.png", objects)
    sheet = _sheet(tmp_path, MaskOptions(instances=True))
    assert all(_pixels(sheet, colour) > 100 for colour in COLOURS[:4]) and not _pixels(sheet, COLOURS[4])


def test_the_fewest_and_the_most_come_first(make_dataset: Make) -> None:
    samples = open_dataset(make_dataset(30)).samples
    shares = {sample.name: (int(sample.name) * 7 % 30) / 30 for sample in samples}
    chosen = _choose(samples, shares)
    assert [round(30 * shares[sample.name]) for sample in chosen[:4]] == [0, 1, 29, 28]
    assert len(chosen) == 20 == len({sample.name for sample in chosen})
    assert _choose(samples[:20], shares) == samples[:20]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "values", "values": (3, 7)}, ["a: value 3, 90.0%", "b: value 7, 10.0%"]),
        ({"kind": "colours", "values": (0, 0xFF0080)}, ["a: colour #000000, 90.0%", "b: colour #ff0080, 10.0%"]),
        (
            {"kind": "threshold", "values": (0, 255), "threshold": 128},
            ["a: values below 128, 90.0%", "b: values from 128 on, 10.0%"],
        ),
        ({"kind": "folders", "values": (0, 1)}, ["a: in no folder's mask, 90.0%", "b: folder b, 10.0%"]),
        (
            {"kind": "instances", "values": (0, 1)},
            ["a: value 0, 90.0%", "b: object numbers, each object in a colour, 10.0%"],
        ),
    ],
)
def test_the_key_names_class_value_and_share(settings: dict[str, object], expected: list[str]) -> None:
    convention = MaskConvention(class_names=("a", "b"), **settings)  # type: ignore[arg-type]
    assert [entry.text for entry in _key(convention, (0.9, 0.1), 0, False)] == expected
    ignoring = convention.model_copy(update={"ignore_value": 9})
    for one, outside, where in (
        (ignoring, True, "value 9 and outside the field of view"),
        (ignoring, False, "value 9"),
        (convention, True, "outside the field of view"),
    ):
        assert _key(one, (0.9, 0.1), 0.25, outside)[-1].text == f"ignored: {where}, 25.0% of these images"


def test_class_names_of_a_script_without_a_font_are_warned_of(
    make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amsunet.data.fonts._others", lambda: ())
    fonts._font_of.cache_clear()
    data = make_dataset(3)
    named = open_dataset(data, DataOptions(masks=MaskOptions(classes=(0, 255), class_names=("ground", "細胞"))))
    assert "has characters of CJK (細), which the pictures show as codes" in warn_of_missing_fonts(named)
    assert warn_of_missing_fonts(open_dataset(data)) == ""
    fonts._font_of.cache_clear()
