"""The samples that come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import amsunet.data
from amsunet.data.builtin_samples import check_exists, locate
from amsunet.data.dataset import open_dataset
from amsunet.errors import InputError

SAMPLES = Path(amsunet.data.__file__).parent / "samples"


def test_every_file_is_the_recorded_one_and_all_are_small() -> None:
    lines = (SAMPLES / "SHA256SUMS").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    found = {path.relative_to(SAMPLES).as_posix(): path for path in SAMPLES.rglob("*.png")}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()} == recorded
    assert 0 < sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 3_000_000


@pytest.mark.parametrize(("name", "classes", "train", "test"), [("nuclei", 2, 12, 4), ("brain", 3, 24, 8)])
def test_a_sample_opens_without_a_word(name: str, classes: int, train: int, test: int) -> None:
    dataset = open_dataset(f"sample:{name}")
    splits = [sample.split for sample in dataset.samples]
    assert (splits.count("train"), splits.count("test"), len(splits)) == (train, test, train + test)
    assert dataset.convention.num_classes == classes and not dataset.problems
    assert all(0 < share < 1 for share in dataset.foreground_share().values())


def test_an_unknown_sample_is_refused_with_the_known() -> None:
    with pytest.raises(InputError, match=r"sample:lung is not found: choose one of sample:brain, sample:nuclei"):
        locate("sample:lung")


def test_an_image_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").write_bytes(b"any")
    with pytest.raises(InputError, match=r"a\.PNG is an image or a volume: name the folder that holds it"):
        check_exists(tmp_path / "a.PNG")


def test_a_path_stays_a_path() -> None:
    assert locate("some/folder") == Path("some/folder")
    assert "~" not in str(locate("~/folder"))
