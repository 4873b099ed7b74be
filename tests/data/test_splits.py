"""Cutting validation and test images from the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.discovery.layout import Sample
from amsunet.data.splits import MINIMUM_FOR_TEST, assign_folds, assign_splits


def _samples(count: int, *, groups: int = 0, split: str | None = None) -> list[Sample]:
    return [
        Sample(f"{n:03}", Path(f"{n:03}.png"), {}, None, f"p{n % groups}" if groups else None, split)  # type: ignore[arg-type]
        for n in range(count)
    ]


def _shares(samples: list[Sample]) -> dict[str, float]:
    return {sample.name: number / len(samples) for number, sample in enumerate(samples)}


@pytest.mark.parametrize("count", [2, 9, 10, 11, 50, 101])
@pytest.mark.parametrize("groups", [0, 2, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_image_is_in_one_split_and_every_patient_too(count: int, groups: int, seed: int) -> None:
    samples = _samples(count, groups=groups)
    splits = assign_splits(samples, _shares(samples), seed=seed)
    assert splits.keys() == {sample.name for sample in samples}
    assert ("test" in splits.values()) == (count >= MINIMUM_FOR_TEST)
    if groups != 2:
        assert {"train", "val"} <= set(splits.values())
    sides: dict[str | None, set[str]] = {}
    for sample in samples:
        sides.setdefault(sample.group or sample.name, set()).add(splits[sample.name])
    assert all(len(side) == 1 for side in sides.values())


def test_the_seed_alone_decides() -> None:
    samples = _samples(60)
    cuts = [assign_splits(samples, _shares(samples), seed=seed) for seed in (3, 3, 4)]
    assert cuts[0] == cuts[1] != cuts[2]
    assert assign_splits(samples[::-1], _shares(samples), seed=3) == cuts[0]


def test_every_split_has_light_and_heavy_images_alike() -> None:
    samples = _samples(100)
    for seed in range(5):
        splits = assign_splits(samples, _shares(samples), seed=seed)
        for split in ("train", "val", "test"):
            ranks = [n for n, sample in enumerate(samples) if splits[sample.name] == split]
            assert 40 < np.mean(ranks) < 60 and min(ranks) < 20 and max(ranks) > 80


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
def test_the_fraction_is_kept(fraction: float) -> None:
    samples = _samples(100)
    splits = assign_splits(samples, _shares(samples), seed=0, test_fraction=fraction)
    assert list(splits.values()).count("test") == round(100 * fraction)


def test_a_split_that_the_data_name_stays() -> None:
    given = _samples(8, split="train") + [Sample(f"t{n}", Path(f"t{n}.png"), {}, split="test") for n in range(4)]
    splits = assign_splits(given, dict.fromkeys((s.name for s in given), 0.1), seed=0)
    assert {name for name, split in splits.items() if split == "test"} == {"t0", "t1", "t2", "t3"}
    assert list(splits.values()).count("val") == 2


def test_patients_of_given_validation_images_are_no_test_patients() -> None:
    samples = [
        Sample(
            f"{patient}_{n}", Path("1.png"), {}, group=f"{patient}", split="val" if n == 0 and patient < 7 else "train"
        )
        for patient in range(10)
        for n in range(4)
    ]
    splits = assign_splits(samples, _shares(samples), seed=0)
    sides = {part: {s.group for s in samples if splits[s.name] == part} for part in ("train", "val", "test")}
    assert len(sides["test"]) == 2 and not sides["test"] & (sides["val"] | sides["train"])
    assert sides["val"] == {f"{patient}" for patient in range(7)}


def test_the_same_picture_stored_twice_stays_on_one_side() -> None:
    samples = [Sample(f"{n:02}", Path(f"{n}.png"), {"": Path("m.png")}) for n in range(40)]
    twins = {sample.name: f"pixels {number % 20}" for number, sample in enumerate(samples)}
    foreground = {sample.name: number % 7 / 7 for number, sample in enumerate(samples)}
    splits = assign_splits(samples, foreground, seed=3, copies=twins)
    assert all(splits[f"{n:02}"] == splits[f"{n + 20:02}"] for n in range(20))
    assert set(splits.values()) == {"train", "val", "test"}


def test_a_copy_of_a_patients_image_stays_with_the_patient() -> None:
    samples = _samples(40, groups=10)
    copies = [replace(sample, name=f"copy of {sample.name}", group=None) for sample in samples[:10]]
    pictures = {sample.name: sample.name.removeprefix("copy of ") for sample in [*samples, *copies]}
    every = [*copies, *samples]
    splits = assign_splits(every, _shares(every), seed=0, copies=pictures)
    assert all(splits[copy.name] == splits[pictures[copy.name]] for copy in copies)
    alone = assign_splits(every, _shares(every), seed=0)
    assert any(alone[copy.name] != alone[pictures[copy.name]] for copy in copies), "or nothing is tested"


def test_the_seed_moves_validation_and_never_the_test_images() -> None:
    samples = [Sample(f"{n:02}", Path(f"{n}.png"), {"": Path("m.png")}) for n in range(40)]
    foreground = {sample.name: number / 40 for number, sample in enumerate(samples)}
    cuts = [assign_splits(samples, foreground, seed=seed) for seed in range(5)]
    of = [[{name for name, part in cut.items() if part == split} for cut in cuts] for split in ("test", "val")]
    assert all(test == of[0][0] for test in of[0])
    assert len({frozenset(val) for val in of[1]}) > 1


@pytest.mark.parametrize(("count", "groups"), [(20, 0), (23, 0), (30, 7)])
def test_every_image_is_held_out_in_one_fold_with_its_patient(count: int, groups: int) -> None:
    samples = _samples(count, groups=groups)
    folds = assign_folds(samples, _shares(samples), 5)
    assert len(folds) == 5
    for sample in samples:
        assert [fold[sample.name] for fold in folds].count("test") == 1
    for fold in folds:
        assert set(fold.values()) == {"train", "val", "test"}
        sides: dict[str, set[str]] = {}
        for sample in samples:
            sides.setdefault(sample.group or sample.name, set()).add(fold[sample.name])
        assert all(len(side) == 1 for side in sides.values())
    if not groups:
        sizes = [list(fold.values()).count("test") for fold in folds]
        assert max(sizes) - min(sizes) <= 1
        shares = [np.mean([_shares(samples)[n] for n, split in fold.items() if split == "test"]) for fold in folds]
        assert max(shares) - min(shares) < 0.25, "folds have light and heavy images alike"


def test_test_images_of_the_data_set_stay_unused_in_folds() -> None:
    samples = [*_samples(10), *(Sample(f"t{n}", Path(f"t{n}.png"), {}, None, None, "test") for n in range(3))]
    for fold in assign_folds(samples, _shares(samples), 2):
        assert [fold[f"t{n}"] for n in range(3)] == ["unused"] * 3


def test_too_many_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="7 images or patients cannot be cut into 8 folds"):
        assign_folds(_samples(30, groups=7), _shares(_samples(30, groups=7)), 8)
