"""A border class: the masks, the way back to objects, and the queue on a small data set."""

from __future__ import annotations

import json

import border_class
import numpy as np
import pytest
from border_masks import BORDER, INSIDE, border_classes, objects_of, without_small

from amsunet.inference.objects import find_objects


def _nuclei():
    """Two that touch, one close to them, one far from them, a small one beside a large one."""
    rows, columns = np.mgrid[:64, :96]
    numbers = np.zeros((64, 96), np.int32)
    for number, (row, column, radius) in enumerate([(20, 20, 10), (20, 40, 10), (42, 30, 10), (50, 80, 8)], start=1):
        numbers[((rows - row) ** 2 + (columns - column) ** 2 <= radius**2) & (numbers == 0)] = number
    numbers[57:59, 84:86] = 5
    return numbers


def test_a_border_lies_between_objects_alone_and_objects_come_back():
    numbers = _nuclei()
    mask = border_classes(numbers)
    assert set(np.unique(mask)) == {0, INSIDE, BORDER}
    assert mask[20, 30] == BORDER and mask[20, 10] == INSIDE and mask[20, 20] == INSIDE, "between the two that touch"
    assert (mask[numbers == 5] == INSIDE).all(), "a small one stays whole"
    assert ((mask > 0) == (numbers > 0)).all(), "and no gap is a border"
    assert (
        len(find_objects((numbers > 0).astype(np.uint8))) < 4 and len(find_objects((mask == 1).astype(np.uint8))) == 5
    )
    found = objects_of(mask, 0.0)
    for number in range(1, 6):
        [there] = np.unique(found[(numbers == number) & (mask == INSIDE)])
        both, either = ((found == there) & (numbers == number)).sum(), ((found == there) | (numbers == number)).sum()
        assert both / either > (0.5 if number == 5 else 0.9), number
    alone = np.where(numbers == 4, 1, 0).astype(np.int32)
    assert (border_classes(alone) == alone).all()


def test_a_mask_without_a_border_gives_its_own_objects():
    mask = (_nuclei() > 0).astype(np.uint8)
    assert (objects_of(mask, 0.0) == find_objects(mask).numbers).all()
    assert not objects_of(np.full((8, 8), BORDER, np.uint8), 0.0).any()
    assert np.unique(without_small(np.array([[1, 1, 2], [0, 3, 3]]), 2)).tolist() == [0, 1, 3]


@pytest.fixture
def study(tmp_path, save, disc, picture):
    """Nine images of numbered discs."""
    split = {}
    for index in range(9):
        name = f"im{index}"
        mask = disc(index)
        save(tmp_path / "images" / f"{name}.png", picture(index))
        save(
            tmp_path / "labels" / f"{name}.png",
            (mask > 0) * np.where(np.arange(mask.shape[1]) < 24, 1, 2).astype(np.uint8),
        )
        split[name] = "train" if index < 6 else "val" if index < 8 else "test"
    (tmp_path / "splits.json").write_text(json.dumps(split))

    def run(*words, **settings):
        places = ["--splits", tmp_path / "splits.json", "--runs", tmp_path / "runs", "--out", tmp_path / "out"]
        tiny = {"base_channels": 4, "crop": (32, 32), "batch_size": 2, "epochs": 1, **settings}
        border_class.main(
            [*map(str, (tmp_path / "images", tmp_path / "labels", *places)), "--seeds", "1", *words], **tiny
        )

    return run


def test_the_queue_trains_both_and_passes_over_what_is_there(study, tmp_path, capsys, monkeypatch):
    study("--steps", "12")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["images"] == {"train": 5, "val": 1, "test": 2}
    assert result["ways"].keys() == {
        f"{arm}, {way}" for arm in ("true binary", "true border", "binary", "border") for way in border_class.WAYS
    }
    assert result["ways"]["true border, components"]["object_ap50"]["mean"] == 1
    assert result["ways"]["binary, watershed"]["object_ap_less_binary_watershed"]["mean"] == 0
    monkeypatch.setattr(border_class, "train", None)
    study("--steps", "12")
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result
    with pytest.raises(SystemExit, match="other settings"):
        study("--steps", "24")
    (tmp_path / "out" / "border_seed0.json").unlink()
    study("--steps", "12")  # killed before it was written: the run that is there is scored
    again = json.loads((tmp_path / "out" / "result.json").read_text())
    assert again["ways"] == result["ways"]


def test_a_split_of_other_images_is_named(study, tmp_path):
    (tmp_path / "splits.json").write_text('{"other": "train"}')
    with pytest.raises(SystemExit, match="too few images"):
        study()
