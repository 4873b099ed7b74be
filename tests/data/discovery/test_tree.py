"""What a folder holds, and what is skipped with a warning."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from amsunet.data.builtin_samples import check_exists
from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.layout import find_samples
from amsunet.data.discovery.tree import walk
from amsunet.data.options import DataOptions
from amsunet.errors import InputError


def _pairs(root: Path, *names: str) -> Path:
    for name in names:
        for folder in ("images", "masks"):
            path = root / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def test_links_to_folders_are_followed_with_a_note(tmp_path: Path) -> None:
    root, other = _pairs(tmp_path / "set", "1", "2"), _pairs(tmp_path / "elsewhere", "b1", "b2")
    for folder in ("images", "masks"):
        (root / folder / "siteB").symlink_to(other / folder)
    layout = find_samples(root)
    assert [sample.name for sample in layout.samples] == ["1", "2", "b1", "b2"]
    assert sum("siteB" in note and "followed" in note for note in layout.notes) == 2


def test_links_that_lead_back_end_and_no_image_is_taken_twice(tmp_path: Path) -> None:
    root = _pairs(tmp_path / "set", "1")
    (root / "images" / "again").symlink_to(root)
    (root / "copy").symlink_to(root / "images")
    layout = find_samples(root)
    assert [sample.name for sample in layout.samples] == ["1"]
    assert any(warning.startswith("2 links, as ") and "read already" in warning for warning in layout.warnings)


def test_dead_links_are_warned_of(tmp_path: Path) -> None:
    root = _pairs(tmp_path / "set", "1")
    (root / "images" / "2.png").symlink_to(tmp_path / "nowhere.png")
    assert any("1 dead link" in w and "2.png" in w for w in find_samples(root).warnings)


@pytest.mark.parametrize(
    ("suffix", "advice"),
    [(".jp2", "JPEG 2000"), (".npy", "NumPy"), (".nrrd", "volume"),
     (".Mha", "volume"), (".czi", "microscope"), (".mat", "MATLAB"), (".heic", "not read"), (".zip", "archive")],
)  # fmt: skip
def test_files_of_other_formats_are_described(suffix: str, advice: str, tmp_path: Path) -> None:
    root = _pairs(tmp_path / "set", "1")
    for number in (7, 8):
        (root / "images" / f"{number}{suffix}").touch()
    (warning,) = find_samples(root).warnings
    assert warning.startswith(f"2 {suffix.lower()} files, as {root / 'images'}/7{suffix}: ") and advice in warning
    with pytest.raises(InputError, match=rf"7{suffix} is an? (.*{advice}|image of a kind that is not read)"):
        check_exists(root / "images" / f"7{suffix}")
    with pytest.raises(InputError, match=advice):
        find_samples(root / "images" / f"7{suffix}")


def test_only_files_of_other_worlds_are_refused_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "case.nrrd").touch()
    with pytest.raises(InputError, match=r"holds no images .*1 \.nrrd file, .*a volume"):
        find_samples(tmp_path)


def test_a_name_that_is_not_utf8_is_a_problem(make_dataset: Callable[..., Path]) -> None:
    data = make_dataset(3)
    for folder in ("images", "masks"):
        (data / folder / "01.png").rename(os.fsdecode(os.fsencode(data / folder) + b"/bad\xff.png"))
    with pytest.raises(InputError, match=r"bad\\xff\.png has a name that is not UTF-8: rename") as refusal:
        open_dataset(data)
    str(refusal.value).encode()
    dataset = open_dataset(data, DataOptions(skip_broken=True))
    assert [sample.name for sample in dataset.samples] == ["00", "02"]
    assert all(str(problem.path).encode() for problem in dataset.problems)


def test_what_is_not_there_is_answered_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        check_exists(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is empty: put images into"):
        check_exists(tmp_path)
    with pytest.raises(InputError, match="sample:kidneys is not found"):
        check_exists("sample:kidneys")
    check_exists("sample:nuclei")


def test_a_data_set_that_is_itself_a_link_is_read(touch_pairs, tmp_path: Path) -> None:
    touch_pairs(["a", "b"])
    (tmp_path / "link").symlink_to(tmp_path / "images", target_is_directory=True)
    tree = walk(tmp_path / "link")
    assert [path.name for path in tree.pictures] == ["a.png", "b.png"] and not tree.warnings + tree.notes
