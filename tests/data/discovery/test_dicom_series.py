"""DICOM images and the DICOM SEG that name them, as public collections have them: a folder a series, any names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.containers import voxel_volume
from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.layout import find_samples
from amsunet.data.images import write_image
from amsunet.data.options import DataOptions
from amsunet.errors import InputError

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')
highdicom = pytest.importorskip("highdicom", reason='needs pip install "amsunet[clinic]"')

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_CODE = pydicom.sr.codedict.codes.SCT.Tissue
_SIDE = 64


def _series(folder: Path, patient: str, count: int = 3) -> tuple[list, np.ndarray]:
    """Write slices with a bright square, and give them with their masks."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(sum(map(ord, patient)))
    slices, masks = [], np.zeros((count, _SIDE, _SIDE), np.uint8)
    for number in range(count):
        one = pydicom.dcmread(_FILES / "CT_small.dcm")
        one.Rows = one.Columns = _SIDE
        pixels = rng.integers(900, 1100, (_SIDE, _SIDE), np.int16)
        if number:  # the first one is empty, and the mask leaves it out
            top, left = rng.integers(5, 40, 2)
            masks[number, top : top + 15, left : left + 15] = 1
            masks[number, :4] = 2
            pixels[masks[number] == 1] += 400
        one.PixelData = pixels.tobytes()
        one.PatientID, one.PatientName = patient, "KIM^MINSU"
        uids = {"StudyInstanceUID": f"1.2.{patient}", "SeriesInstanceUID": f"1.2.{patient}.1"}
        for keyword, value in {**uids, "SOPInstanceUID": f"1.2.{patient}.1.{number + 1}"}.items():
            setattr(one, keyword, value)
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.ImagePositionPatient = [0, 0, 5 * number]
        one.save_as(folder / f"1-{number + 1:03}.dcm")
        slices.append(one)
    return slices, masks


def _segmentation(path: Path, slices: list, masks: np.ndarray, names: tuple[str, ...] = ("liver", "tumour")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    uid = pydicom.uid.generate_uid
    described = [
        highdicom.seg.SegmentDescription(number, name, _CODE, _CODE, "MANUAL")
        for number, name in enumerate(names, start=1)
    ]
    seg = highdicom.seg.Segmentation(slices, masks, "BINARY", described, uid(), 1, uid(), 1, "made", "made", "1", "1")
    seg.save_as(path)


@pytest.fixture
def collection(tmp_path) -> Path:
    for patient in ("11", "12", "13"):
        slices, masks = _series(tmp_path / patient / "CT", patient)
        _segmentation(tmp_path / patient / "300" / "1-1.dcm", slices, masks)
    return tmp_path


def test_images_get_the_masks_that_name_them(collection):
    data = open_dataset(collection, DataOptions())
    assert len(data.scans) == 9
    assert data.convention.class_names == ("background", "liver", "tumour")
    groups = {scan.sample.group for scan in data.scans}
    assert len(groups) == 3 and all(group.startswith("patient-") and len(group) == 16 for group in groups)
    volumes = {scan.sample.volume for scan in data.scans}
    assert len(volumes) == 3
    for scan in data.scans:
        mask = data.convention.read(scan.sample.masks[""])
        image = pydicom.dcmread(scan.sample.image)
        number = int(image.SOPInstanceUID.rpartition(".")[2])
        assert (mask.any() and (mask == 2)[:4].all()) if number > 1 else not mask.any()
        np.testing.assert_array_equal(mask == 1, image.pixel_array > 1200)
    said = " ".join([*data.notes, *data.warnings])
    assert "9 DICOM images have their masks in 3 DICOM SEG" in said and "(liver, tumour)" in said
    assert "KIM" not in said and "MINSU" not in said


def test_files_of_one_name_with_several_frames_are_volumes_apart(tmp_path):
    for patient in ("11", "12"):
        (image,), masks = _series(tmp_path / patient / "CT", patient, 1)
        _segmentation(tmp_path / patient / "300" / "1-1.dcm", [image], np.ones_like(masks), ("liver",))
        image.NumberOfFrames, image.PixelData = 3, 3 * image.PixelData
        image.save_as(tmp_path / patient / "CT" / "1-001.dcm")
    samples = find_samples(tmp_path).samples
    assert len({sample.name for sample in samples}) == 6
    assert sorted(Counter(sample.volume for sample in samples).values()) == [3, 3]


def test_png_masks_beside_dicom_images_are_found_by_name(tmp_path):
    for patient in ("21", "22"):
        _, masks = _series(tmp_path / "images" / patient, patient)
        for number, mask in enumerate(masks, start=1):
            (tmp_path / "masks" / patient).mkdir(parents=True, exist_ok=True)
            write_image(tmp_path / "masks" / patient / f"1-{number:03}.png", mask)
    data = open_dataset(tmp_path, DataOptions())
    assert len(data.scans) == 6 and len({scan.sample.group for scan in data.scans}) == 2
    assert data.convention.values == (0, 1, 2)
    volumes: dict[str, list[Path]] = {}
    for scan in data.scans:
        volumes.setdefault(scan.sample.volume, []).append(scan.sample.image)
    rows, columns = map(float, pydicom.dcmread(data.scans[0].sample.image).PixelSpacing)
    for slices in volumes.values():  # by where they lie: nothing says how far they are apart
        assert len(slices) == 3 and voxel_volume(slices) == pytest.approx(5 * rows * columns)
    assert len(volumes) == 2 and data.slices == dict.fromkeys(volumes, 3)


def test_moments_at_one_place_have_no_millilitres(tmp_path):
    _series(tmp_path / "CT", "22", 2)
    slices = sorted((tmp_path / "CT").iterdir())
    for path in slices:
        one = pydicom.dcmread(path)
        one.ImagePositionPatient, one.SpacingBetweenSlices = [0, 0, 7], 5
        one.save_as(path)
    assert voxel_volume(slices) is None
    assert voxel_volume(slices[:1]) is not None  # as the file says it


@pytest.mark.parametrize("names_images", ["none", "all"])
def test_planes_that_do_not_name_their_image_are_found_by_their_place(tmp_path, names_images):
    """Some programs name no image, others all images of the series at every plane."""
    slices, masks = _series(tmp_path / "CT", "61")
    path = tmp_path / "SEG" / "1.dcm"
    _segmentation(path, slices, masks)
    seg = pydicom.dcmread(path)
    sources = [one.DerivationImageSequence[0].SourceImageSequence[0] for one in seg.PerFrameFunctionalGroupsSequence]
    for group in seg.PerFrameFunctionalGroupsSequence:
        if names_images == "none":
            del group.DerivationImageSequence
        else:
            group.DerivationImageSequence[0].SourceImageSequence = [sources[0], sources[1]]
        place = group.PlanePositionSequence[0]
        place.ImagePositionPatient = [float(value) + 0.001 for value in place.ImagePositionPatient]
    seg.save_as(path)
    data = open_dataset(tmp_path)
    drawn = {scan.sample.image.name: data.convention.read(scan.sample.masks[""]) for scan in data.scans}
    np.testing.assert_array_equal([drawn[name] for name in sorted(drawn)], masks)
    one = pydicom.dcmread(tmp_path / "CT" / "1-001.dcm")
    del one.ImagePositionPatient
    one.save_as(tmp_path / "CT" / "1-001.dcm")
    ((kind, file, message),) = find_samples(tmp_path).problems
    assert kind == "masks without the place of their images" and file.name == "1-001.dcm"
    assert message.startswith(
        f"{path} does not name the images of its planes, and an image has no places in the patient"
    )
    if names_images == "all":
        return
    for group in seg.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence
    seg.save_as(path)
    with pytest.raises(InputError, match="planes, and it has no places"):
        find_samples(tmp_path)


def test_groups_that_are_set_hold(collection):
    data = open_dataset(collection, DataOptions(group=r"^(1)"))
    assert {scan.sample.group for scan in data.scans} == {"1"}


def test_a_segment_of_another_name_is_refused(tmp_path):
    for patient, names in (("31", ("liver", "tumour")), ("32", ("tumour", "liver"))):
        slices, masks = _series(tmp_path / patient / "CT", patient)
        _segmentation(tmp_path / patient / "SEG" / "1.dcm", slices, masks, names)
    layout = find_samples(tmp_path)
    assert len(layout.samples) == 3
    ((kind, file, message),) = layout.problems
    assert kind == "masks with other class numbers" and file == tmp_path / "32" / "SEG" / "1.dcm"
    assert message.endswith(
        f"calls segment 1 tumour, and {tmp_path / '31' / 'SEG' / '1.dcm'} liver: number segments alike"
    )


def test_segments_of_one_name_are_one_class(tmp_path):
    slices, masks = _series(tmp_path / "CT", "41")
    _segmentation(tmp_path / "SEG" / "1.dcm", slices, masks, ("lesion", "lesion"))
    data = open_dataset(tmp_path, DataOptions())
    assert data.convention.class_names == ("background", "lesion")
    drawn = [data.convention.read(scan.sample.masks[""]) for scan in data.scans]
    np.testing.assert_array_equal(drawn, masks > 0)


def test_two_masks_of_one_image_are_refused(tmp_path):
    slices, masks = _series(tmp_path / "CT", "51")
    for name in ("a.dcm", "b.dcm"):
        _segmentation(tmp_path / "SEG" / name, slices, masks)
    other, masks = _series(tmp_path / "CT2", "52")
    _segmentation(tmp_path / "SEG" / "c.dcm", other, masks)
    layout = find_samples(tmp_path)
    assert len(layout.samples) == 3 and len(layout.problems) == 3
    assert "has a mask in" in layout.problems[0][2] and "a.dcm and in " in layout.problems[0][2]


def test_the_reason_is_given_where_no_mask_can_be_used(tmp_path):
    slices, masks = _series(tmp_path / "CT", "11")
    for name in ("one", "other"):
        _segmentation(tmp_path / f"{name}.dcm", slices, masks)
    with pytest.raises(InputError, match=r"1-00\d\.dcm has a mask in \S+one\.dcm and in \S+other\.dcm: keep one"):
        find_samples(tmp_path)


def test_a_mask_of_images_that_are_not_there_is_named(collection, tmp_path):
    for image in (collection / "13" / "CT").iterdir():
        image.unlink()
    layout = find_samples(collection)
    assert layout.masks_without_image == [collection / "13" / "300" / "1-1.dcm"] and len(layout.samples) == 6
