"""Patients: proposed from names, and counted where they lie in several splits."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import Sample, Split, find_samples
from amsunet.data.groups import propose_groups, warn_of_groups, with_groups, without_patients
from amsunet.data.splits import assign_splits

_SPLITS: tuple[Split, ...] = ("train", "val", "test")


def _samples(paths: Sequence[str], home: Path) -> list[Sample]:
    return [Sample(path, home / path, {"": home / path}) for path in paths]


def _cut(samples: Sequence[Sample]) -> dict[str, Split]:
    return assign_splits(samples, dict.fromkeys((sample.name for sample in samples), 0.1), seed=0)


@pytest.mark.parametrize(
    ("paths", "patients", "one"),
    [
        ([f"images/Image_{n:02}{eye}.jpg" for n in range(1, 15) for eye in "LR"], 14, "Image_01"),
        ([f"images/{n:03}_{'2' * m}HC.png" for n in range(9) for m in range(1 + (n % 3 == 0))], 9, "000"),
        (
            [f"images/patient{n:03}_frame{f:02}_slice_{z}.png" for n in range(7) for f in (1, 12) for z in range(3)],
            7,
            "patient000",
        ),
        ([f"images/TCGA_CS_494{n}_19960909_{z}.tif" for n in range(6) for z in range(5)], 6, "TCGA_CS_4940"),
        ([f"P{n}/images/{z}.png" for n in range(4) for z in range(4)], 4, "P0"),
        ([f"images/P{n}/{z}.png" for n in range(4) for z in range(4)], 4, "P0"),
        ([f"images/{n:03}_{view}.png" for n in range(8) for view in "ABC"], 8, "000"),
        ([f"images/case_{n}_slice_{z}.png" for n in range(8) for z in range(4)], 8, "case_0"),
        ([f"images/frame_{z}_patient {n}.png" for n in range(5) for z in range(4)], 5, "patient 0"),
        ([f"images/BraTS20_Training_{n:03}_{z}.png" for n in range(8) for z in (4, 5)], 8, "BraTS20_Training_000"),
        ([f"images/{side}_{n:03}.png" for n in range(9) for side in ("left", "right")], 9, "000"),
        ([f"images/{n}{view}.png" for n in range(9) for view in "ab"], 9, "0"),
        ([f"images/P{n}img{z}.png" for n in range(9) for z in range(3)], 9, "P0"),
        # Numbers that begin anew at each site, and names that do not.
        ([f"{s}/{p:02}/image_{z}.png" for s in ("siteA", "siteB") for p in range(3) for z in range(3)], 6, "siteA/00"),
        ([f"{s}/P{p}/{z}.png" for s in ("T1", "T2") for p in range(4) for z in range(3)], 4, "P0"),
        ([f"images/{word}_{n}_{z}.png" for n in range(5) for z, word in enumerate(("Pat", "pat"))], 5, "Pat_0"),
        # A name with a gap, and one that begins anew in every split.
        ([f"images/{n:03}{view}.png" for n in range(8) for view in ("", "_2")], 8, "000"),
        ([f"{p}/images/{n}_{z}.png" for p in ("test", "train") for n in "12345" for z in "ab"], 10, "test/images/1"),
    ],
)  # fmt: skip
def test_names_that_give_patients_away(paths: list[str], patients: int, one: str, tmp_path: Path) -> None:
    samples = _samples(paths, tmp_path)
    proposal = propose_groups(samples, tmp_path)
    assert proposal is not None
    (word, pattern) = shlex.split(proposal.option)
    assert word == "--group" and "'" in proposal.option
    groups = [sample.group for sample in with_groups(samples, pattern, tmp_path)]
    assert groups == [sample.group for sample in proposal.samples]
    assert len({*groups}) == patients and one in groups


@pytest.mark.parametrize(
    "paths",
    [
        [f"test/images/{n:02}_test.tif" for n in range(20)] + [f"train/images/{n}_training.tif" for n in range(20, 40)],
        [f"images/im{n:04}.ppm" for n in range(20)],
        [f"images/ISIC_{n:07}.jpg" for n in range(20)],
        [f"{kind}/{kind} ({n}).png" for kind in ("benign", "malignant") for n in range(20)],
        [f"{kind}/{n}.png" for kind in ("train_1", "test_1", "val_1") for n in range(9)],
        [f"images/train_{n}.png" for n in range(20)],
        [f"images/{n * 0x9E3779B97F4A7C15 % 2**64:016x}.png" for n in range(30)],
        [f"images/MCUCXR_{n:04}_{n % 2}.png" for n in range(30)],
        [f"images/{n:02}_{kind}.jpg" for n in range(1, 16) for kind in ("dr", "g", "h")],
        [f"fold{n % 5}/images/{n}.png" for n in range(40)],
        [f"images/IMG_201901{n % 9 + 10}_{n:06}.jpg" for n in range(30)],
        [f"images/tile_{x}_{y}.png" for x in range(5) for y in range(5)],
        [f"images/{x}_{y}.png" for x in range(0, 2048, 256) for y in range(0, 2048, 256)],
        [f"images/slice_{n:03}.png" for n in range(30)],
        [f"images/Human_{organ}_{n:02}.png" for organ in ("Larynx", "Liver", "Lung") for n in range(9)],
        [f"images/{n}x_{m}.png" for n in (10, 20, 40) for m in range(9)],
        [
            f"ISIC-2017_{part}_Data/ISIC_{n:07}.jpg"
            for part, start in (("Training", 0), ("Validation", 50), ("Test_v2", 80))
            for n in range(start, start + 9)
        ],
        ["images/a.png"],
    ],
)
def test_names_without_patients(paths: list[str], tmp_path: Path) -> None:
    assert propose_groups(_samples(paths, tmp_path), tmp_path) is None


@pytest.mark.parametrize("name", ["DRIVE", "GlaS", "DSB2018", "ISIC2017-256"])
def test_public_data_sets_raise_no_false_alarm(name: str, shared: Callable[[str], Path]) -> None:
    samples = find_samples(shared(name)).samples
    assert len(samples) >= 40 and propose_groups(samples, shared(name)) is None


@pytest.mark.parametrize("name", ["sample:nuclei", "sample:brain"])
def test_samples_raise_no_false_alarm(name: str) -> None:
    assert propose_groups(find_samples(locate(name)).samples, locate(name)) is None


def test_known_patients_are_counted_for_every_pair_of_splits(tmp_path: Path) -> None:
    layout = {"a": "train val", "b": "train test", "c": "train val test", "d": "train", "e": "test"}
    samples = [
        Sample(f"{patient}{split}", tmp_path / "1.png", {}, group=patient)
        for patient, splits in layout.items()
        for split in splits.split()
    ]
    splits: dict[str, Split] = {s.name: next(part for part in _SPLITS if s.name.endswith(part)) for s in samples}
    (text,) = warn_of_groups(samples, splits, tmp_path, _cut)
    assert "2 of 5 patients lie in both training and validation (a, c)" in text
    assert "2 of 5 patients lie in both training and test (b, c)" in text
    assert "1 of 5 patients lie in both validation and test (c)" in text
    assert not warn_of_groups(samples, dict.fromkeys(splits, "train"), tmp_path, _cut)


def test_leaks_are_counted_by_the_patients_that_names_propose(tmp_path: Path) -> None:
    samples = _samples([f"images/P{n}_{z}.png" for n in range(6) for z in range(4)], tmp_path)
    splits: dict[str, Split] = {sample.name: "val" if sample.name.endswith("_0.png") else "train" for sample in samples}
    (text,) = warn_of_groups(samples, splits, tmp_path, _cut)
    assert (
        "24 images of 6 patients" in text
        and "6 of 6 patients lie in both training and validation (P0, P1, P2, ...)" in text
    )
    assert "--group '" in text and "data set's own" not in text
    given = [Sample(s.name, s.image, {}, split=splits[s.name]) for s in samples]
    (text,) = warn_of_groups(given, splits, tmp_path, _cut)
    assert "in the data set's own splits, move all images of a patient to one split" in text


def test_two_patients_are_warned_of_without_an_option_that_would_fail(tmp_path: Path) -> None:
    samples = _samples([f"images/patient_{n}_{z}.png" for n in range(2) for z in range(8)], tmp_path)
    (text,) = warn_of_groups(samples, _cut(samples), tmp_path, _cut)
    assert "2 patients" in text and "--group" not in text


def test_no_test_images_where_every_patient_validates(tmp_path: Path) -> None:
    samples = [
        Sample(f"{n}{z}", tmp_path / "1.png", {}, group=f"{n}", split="val" if z == 0 else "train")
        for n in range(6)
        for z in range(3)
    ]
    splits = _cut(samples)
    assert "test" not in splits.values()
    leak, text = warn_of_groups(samples, splits, tmp_path, _cut)
    assert "6 of 6 patients lie in both training and validation" in leak
    assert text == "no test images can be cut, for every patient has validation images"


def test_patients_are_named_by_their_first_image():
    rows = [("b2", "Miller"), ("a7", "Miller"), ("c1", "Smith"), ("d", None), ("e", "")]
    found = without_patients(rows)
    assert found == {"b2": "a7", "a7": "a7", "c1": "c1", "d": "", "e": ""}
    assert without_patients(found.items()) == found  # as read again
