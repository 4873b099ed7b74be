"""Volumes of a data set: paired as images are, then a sample a slice, all of one patient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.data.splits import assign_splits
from amsunet.data.volumes import slice_axis
from amsunet.errors import InputError


def _names(dataset):
    return [sample.name for sample in dataset.samples]


def test_the_layout_of_nnunet_is_found_as_it_is(make_volumes):
    root = make_volumes(3)
    dataset = open_dataset(root)
    assert _names(dataset) == [f"case_{n:03}_z{z:03}" for n in range(3) for z in range(5)]
    assert {sample.group for sample in dataset.samples} == {f"case_{n:03}" for n in range(3)}
    assert {sample.volume for sample in dataset.samples} == {f"case_{n:03}" for n in range(3)}
    assert dataset.problems == () and dataset.convention.values == (0, 1)
    assert any("3 volumes are read as 15 axial slices, each by itself (2D)" in note for note in dataset.notes)
    image, labels = dataset.read(dataset.samples[2])
    assert image.shape == (40, 48, 1) and labels.shape == (40, 48) and labels.any()
    assert image[labels == 1].mean() > image[labels == 0].mean() + 200
    assert not dataset.read_labels(dataset.samples[0]).any()  # a slice without any foreground is kept


def test_slices_that_cannot_be_used_count_as_slices_of_their_volume(make_volumes, save_volume):
    root = make_volumes(2)
    values = np.zeros((48, 40, 5), np.float32)
    values[3, 3, 2] = np.nan
    save_volume(next((root / "imagesTr").glob("case_000*")), values)
    dataset = open_dataset(root, DataOptions(skip_broken=True))
    assert "case_000_z002" not in _names(dataset) and len(dataset.samples) == 9
    assert dataset.slices == {"case_000": 5, "case_001": 5}  # so that it gets no score as if it were whole


def test_slices_of_a_patient_stay_in_one_split(make_volumes, save_volume):
    root = make_volumes(6)
    dataset = open_dataset(root)
    free = [sample.__class__(**{**vars(sample), "split": None}) for sample in dataset.samples]
    splits = assign_splits(free, dataset.foreground_share(), seed=0, test_fraction=0.3)
    of_volume = {sample.volume: {splits[s.name] for s in free if s.volume == sample.volume} for sample in free}
    assert all(len(found) == 1 for found in of_volume.values())
    assert {split for found in of_volume.values() for split in found} == {"train", "val", "test"}


def test_the_patient_is_what_names_of_files_propose(make_volumes):
    root = make_volumes(6)
    for folder in ("imagesTr", "labelsTr"):
        for number in range(6):
            (file,) = (root / folder).glob(f"case_{number:03}*")
            file.rename(root / folder / f"patient{number // 2:03}_frame{number % 2:02}.nii.gz")
    assert {sample.group for sample in open_dataset(root).samples} == {f"patient{n:03}" for n in range(3)}
    given = open_dataset(root, DataOptions(group=r"(frame\d+)"))
    assert {sample.group for sample in given.samples} == {"frame00", "frame01"}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_masks_beside_volumes_and_manifests_of_them(suffix, make_volumes, tmp_path):
    root = make_volumes(2, suffix=suffix)
    beside = tmp_path / "beside"
    beside.mkdir()
    for number in range(2):
        (root / "imagesTr" / f"case_{number:03}_0000{suffix}").rename(beside / f"{number}{suffix}")
        (root / "labelsTr" / f"case_{number:03}{suffix}").rename(beside / f"{number}_seg{suffix}")
    assert _names(open_dataset(beside)) == [f"{n}_z{z:03}" for n in range(2) for z in range(5)]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        f"image,mask,group,split\nbeside/0{suffix},beside/0_seg{suffix},Roe,train\n"
        f"beside/1{suffix}/z002,beside/1_seg{suffix}/z002,Doe,val\n"
    )
    found = open_dataset(manifest).samples
    assert [sample.split for sample in found] == ["train"] * 5 + ["val"]
    assert [sample.group for sample in found] == ["Roe"] * 5 + ["Doe"]
    manifest.write_text(f"image,mask\nbeside/9{suffix}/z002,beside/0_seg{suffix}\n")
    with pytest.raises(InputError, match=r"line 2: .*z002 does not exist"):
        open_dataset(manifest)


def test_slices_are_cut_across_the_axis_that_is_set(make_volumes):
    dataset = open_dataset(make_volumes(1), DataOptions(axis="x"))
    assert _names(dataset) == [f"case_000_x{x:03}" for x in range(48)]
    assert {(scan.height, scan.width) for scan in dataset.scans} == {(5, 40)}


def test_the_axis_of_slices_is_known_where_all_have_one(make_volumes):
    root = make_volumes(1)
    axial, sagittal = (open_dataset(root, DataOptions(axis=axis)).samples for axis in ("z", "x"))
    assert [slice_axis(axial), slice_axis(sagittal), slice_axis([*axial, *sagittal])] == ["z", "x", None]
    assert slice_axis(open_dataset("sample:nuclei").samples) is None


def test_volumes_that_are_cut_across_several_axes_are_warned_of(make_volumes, save_volume):
    root = make_volumes(2)
    array = np.zeros((6, 40, 48), np.int16)
    array[:, 10:20] = np.arange(6)[:, None, None] + 1
    affine = np.diag([-5, 0.8, 0.8, 1.0])
    save_volume(root / "imagesTr" / "side_0000.nii.gz", array, affine)
    save_volume(root / "labelsTr" / "side.nii.gz", (array > 3).astype(np.uint8), affine)
    (warning,) = (one for one in open_dataset(root).warnings if "differ in the axis" in one)
    assert "side_0000.nii.gz sagittal" in warning and "--axis z cuts all alike" in warning


def test_masks_of_another_volume_are_problems_and_the_rest_goes_on(make_volumes, save_volume):
    root = make_volumes(4)
    masks = root / "labelsTr"
    save_volume(masks / "case_000.nii.gz", np.zeros((48, 40, 4), np.uint8))
    save_volume(masks / "case_001.nii.gz", np.zeros((48, 40, 5), np.uint8), np.diag([-0.8, -0.8, 4.0, 1]))
    (masks / "case_002.nii.gz").write_bytes(b"nothing of it")
    dataset = open_dataset(root, DataOptions(skip_broken=True))
    assert {sample.volume for sample in dataset.samples} == {"case_003"}
    shape, affine, broken = (problem.message for problem in dataset.problems)
    assert "case_000_0000.nii.gz and its mask" in shape and "have 48 x 40 x 5 and 48 x 40 x 4 voxels" in shape
    assert "case_001.nii.gz lie 4 mm apart in space" in affine
    assert "case_002.nii.gz" in broken and "\n" not in broken
    assert [problem.kind for problem in dataset.problems] == [*["masks of another volume"] * 2, "unreadable files"]
    with pytest.raises(InputError, match=r"case_000_0000\.nii\.gz and its mask .*; unreadable files: 1"):
        open_dataset(root)


def test_four_dimensions_are_refused_until_it_is_said_what_they_are(make_volumes, save_volume):
    root = make_volumes(1)
    array = np.random.default_rng(0).integers(0, 9, (48, 40, 5, 2)).astype(np.int16)
    save_volume(root / "imagesTr" / "case_000_0000.nii.gz", array)
    with pytest.raises(InputError, match=r"4 dimensions .*set --fourth-axis channels or --fourth-axis time"):
        open_dataset(root)
    of_channels = open_dataset(root, DataOptions(fourth_axis="channels"))
    assert _names(of_channels) == [f"case_000_z{z:03}" for z in range(5)]
    image, labels = of_channels.read(of_channels.samples[2])
    assert image.shape == (*labels.shape, 2)
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}}))
    assert _names(open_dataset(root)) == _names(of_channels)
    with pytest.raises(InputError, match="have 2 and 1 entries in the fourth dimension"):
        open_dataset(root, DataOptions(fourth_axis="time"))
    save_volume(root / "labelsTr" / "case_000.nii.gz", (array > 6).astype(np.uint8))
    dataset = open_dataset(root, DataOptions(fourth_axis="time", masks=MaskOptions(classes=(0, 1))))
    assert _names(dataset)[4:6] == ["case_000_t000z004", "case_000_t001z000"]
    assert {sample.group for sample in dataset.samples} == {"case_000"}
    assert dataset.slices == {"case_000_t000": 5, "case_000_t001": 5}  # each moment is a volume


def test_channels_in_a_file_each_are_put_together_slice_by_slice(make_volumes, save_volume):
    root = make_volumes(2)
    for number in range(2):
        first = root / "imagesTr" / f"case_{number:03}_0000.nii.gz"
        (first.parent / first.name.replace("_0000", "_0001")).write_bytes(first.read_bytes())
    dataset = open_dataset(root)
    assert _names(dataset) == [f"case_{n:03}_z{z:03}" for n in range(2) for z in range(5)]
    assert {sample.group for sample in dataset.samples} == {"case_000", "case_001"}
    assert {scan.channel_names for scan in dataset.scans} == {("0000", "0001")}
    image, labels = dataset.read(dataset.samples[2])
    assert image.shape == (*labels.shape, 2) and np.array_equal(image[..., 0], image[..., 1])
    save_volume(root / "imagesTr" / "case_001_0001.nii.gz", np.zeros((48, 40, 4), np.int16))
    (problem,) = open_dataset(root, DataOptions(skip_broken=True)).problems
    assert "are channels of one image and have 48 x 40 x 5 and 48 x 40 x 4 voxels" in problem.message


def test_a_single_file_is_no_data_set(make_volumes):
    with pytest.raises(InputError, match=r"is an image or a volume: name the folder that holds it and its mask"):
        open_dataset(make_volumes(1) / "imagesTr" / "case_000_0000.nii.gz")


@pytest.mark.parametrize(
    "labels",
    [{"background": 0, "liver": 1, "tumour": 2}, {"0": "background", "1": "liver", "2": "tumour"}],
)
def test_class_names_are_those_of_dataset_json(labels, make_volumes, save_volume):
    root = make_volumes(2)
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "channel_names": {"0": "CT"}}))
    assert "dataset.json names the channels: CT" in open_dataset(root).notes
    dataset = open_dataset(root)
    assert dataset.convention.class_names == ("background", "liver", "tumour")
    assert dataset.convention.values == (0, 1, 2)
    named = open_dataset(root, DataOptions(masks=MaskOptions(class_names=("a", "b"))))
    assert named.convention.class_names == ("background", "a", "b")


def test_the_brain_sample_rebuilt_as_a_volume_is_the_same_data_set(tmp_path, save_volume):
    from amsunet.data.images import read_image
    from amsunet.data.masks.files import read_mask

    folder = locate("sample:brain") / "test"
    files = sorted((folder / "images").iterdir())
    masks = sorted((folder / "masks").iterdir())
    assert len(files) == len(masks) > 1
    images = [read_image(file)[..., 0] for file in files]
    for name, stack in (("images", images), ("masks", [read_mask(file) for file in masks])):
        save_volume(tmp_path / name / "brain.nii.gz", np.stack(stack).transpose(2, 1, 0), np.diag([-1, -1, 2, 1.0]))
    read = [read_image(sample.image)[..., 0] for sample in open_dataset(tmp_path).samples]
    np.testing.assert_array_equal(np.stack(read), np.stack(images))


def test_paths_of_folders_that_are_called_as_volumes_are_folders(tmp_path: Path) -> None:
    (tmp_path / "head.nii").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        open_dataset(tmp_path / "head.nii")
