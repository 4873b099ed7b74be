"""DICOM SEG: judged by dciodvfy (dicom3tools), dcmqi and Orthanc, none of which we or highdicom wrote."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.containers import addresses
from amsunet.data.dataset import open_dataset
from amsunet.data.images import read_image
from amsunet.data.masks import MaskConvention
from amsunet.data.masks.files import read_mask
from amsunet.errors import InputError
from amsunet.inference.objects import find_objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange import dicom_seg

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')
pytest.importorskip("highdicom", reason='needs pip install "amsunet[clinic]"')

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_CLASSES = MaskConvention(kind="values", values=(0, 1, 2), class_names=("background", "liver", "종양"))


def _mask(height: int, width: int) -> np.ndarray:
    """A ring with a hole, one pixel, and what touches the border."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 1
    mask[height // 3, width // 3] = 0
    mask[-1, -1] = 1
    mask[height // 2 :, :1] = 2
    return mask


def _write(image: Path, path: Path, mask: np.ndarray | None = None) -> np.ndarray:
    height, width = read_image(image).shape[:2]
    mask = _mask(height, width) if mask is None else mask
    result = Segmentation(image.name, np.zeros((3, 1, 1), np.float32), mask, _CLASSES)
    dicom_seg.write(result, find_objects(mask), image, path)
    return mask


def _errors(path: Path) -> list[str]:
    if shutil.which("dciodvfy") is None:
        pytest.skip("needs dciodvfy, of Debian's dicom3tools")
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace", check=False)
    assert "Segmentation" in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.fixture
def made(tmp_path):
    """Write the CT of pydicom's with other elements; None removes one."""

    def make(**elements: object) -> Path:
        dataset = pydicom.dcmread(_FILES / "CT_small.dcm")
        for keyword, value in elements.items():
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        path = tmp_path / "made.dcm"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(path)
        return path

    return make


def test_pixels_are_those_of_the_mask(tmp_path):
    mask = _write(_FILES / "CT_small.dcm", tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    read = sum(segment * frame for segment, frame in enumerate(seg.pixel_array, start=1))
    np.testing.assert_array_equal(read, mask)
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["liver", "종양"]


def _file(name: str) -> Path:
    if (_FILES / name).exists():
        return _FILES / name
    store = pytest.importorskip("data_store", reason="needs the package pydicom-data")
    return Path(store.__file__).parent / "data" / name


_KINDS = ["CT_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "examples_palette.dcm", "examples_jpeg2k.dcm",
          "image_dfl.dcm", "SC_rgb_small_odd_jpeg.dcm", "GDCMJ2K_TextGBR.dcm", "ExplVR_BigEnd.dcm", "mlut_18.dcm",
          "eCT_Supplemental.dcm", "gdcm-US-ALOKA-16.dcm", "examples_overlay.dcm", "RG3_UNCI.dcm"]  # fmt: skip


@pytest.mark.parametrize("name", _KINDS)
def test_no_mask_that_is_written_has_an_error(tmp_path, name):
    _write(addresses(_file(name))[-1], tmp_path / "seg.dcm")
    assert not _errors(tmp_path / "seg.dcm")


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "emri_small.dcm", "OBXXXX1A_2frame.dcm", "rtdose.dcm"])
def test_a_frame_without_a_place_in_the_patient_is_refused(tmp_path, name):
    second = addresses(_file(name))[1]
    with pytest.raises(InputError, match=r"is a frame without a place .* or take nifti in its place"):
        _write(second, tmp_path / "seg.dcm")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "eCT_Supplemental.dcm"])
def test_dcmqi_reads_the_same_pixels(tmp_path, name):
    dcmqi = pytest.importorskip("dcmqi", reason="needs the package dcmqi")
    nibabel = pytest.importorskip("nibabel", reason='needs pip install "amsunet[clinic]"')
    program = Path(dcmqi.__file__).parent / "bin" / "segimage2itkimage"
    mask = _write(addresses(_file(name))[-1], tmp_path / "seg.dcm")
    words = [program, "--inputDICOM", tmp_path / "seg.dcm", "--outputDirectory", tmp_path, "-t", "nii"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header = pydicom.dcmread(tmp_path / "seg.dcm")
    spacing = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    for label in (1, 2):
        read = nibabel.load(tmp_path / f"{label}.nii.gz")
        np.testing.assert_array_equal(label == np.asarray(read.dataobj)[..., 0].T, mask == label)
        np.testing.assert_allclose(read.header.get_zooms()[:2], spacing[::-1], rtol=1e-5)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The address of the DICOMweb of an Orthanc of its own."""
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or not plugin.exists():
        pytest.skip("needs Orthanc with DICOMweb, of Debian's orthanc and orthanc-dicomweb")
    folder = tmp_path_factory.mktemp("orthanc")
    ports = [_free_port(), _free_port()]
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [str(plugin)],
        "HttpPort": ports[0],
        "DicomPort": ports[1],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, folder / "settings.json"], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{ports[0]}/dicom-web"
    try:
        while not _answers(ports[0]):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", ["CT_small.dcm", "US1_UNCI.dcm"])
def test_orthanc_keeps_it_in_the_study_of_the_image(tmp_path, archive, name):
    web = pytest.importorskip("dicomweb_client.api", reason="needs the package dicomweb-client")
    client = web.DICOMwebClient(url=archive)
    mask = _write(_file(name), tmp_path / "seg.dcm")
    image, seg = pydicom.dcmread(_file(name)), pydicom.dcmread(tmp_path / "seg.dcm")
    client.store_instances([image, seg])
    found = client.search_for_series(study_instance_uid=image.StudyInstanceUID)
    assert {one["00080060"]["Value"][0] for one in found} == {image.Modality, "SEG"}
    back = client.retrieve_instance(seg.StudyInstanceUID, seg.SeriesInstanceUID, seg.SOPInstanceUID)
    np.testing.assert_array_equal(sum(n * frame for n, frame in enumerate(back.pixel_array, start=1)), mask)
    assert back.PatientName == image.PatientName


def test_the_masks_of_a_folder_are_one_series_and_the_same_mask_is_the_same_object(tmp_path):
    def uids(folder: str, image: str = "CT_small.dcm", pixel: int = 0) -> tuple[str, str]:
        (tmp_path / folder).mkdir(exist_ok=True)
        mask = _mask(*((128, 128) if image == "CT_small.dcm" else (64, 64)))
        mask[0, 0] = pixel
        _write(_FILES / image, tmp_path / folder / "seg.dcm", mask)
        seg = pydicom.dcmread(tmp_path / folder / "seg.dcm")
        return seg.SeriesInstanceUID, seg.SOPInstanceUID

    first = uids("a")
    assert uids("a") == first
    assert uids("a", pixel=1)[0] == first[0] and uids("a", pixel=1)[1] != first[1]
    assert uids("b")[0] != first[0]
    mask, zeros = _mask(128, 128), np.zeros((3, 1, 1), np.float32)
    below = tmp_path / "a" / "P1" / "scan.dcm"
    below.parent.mkdir()
    dicom_seg.write(Segmentation("P1/scan", zeros, mask, _CLASSES), find_objects(mask), _FILES / "CT_small.dcm", below)
    assert pydicom.dcmread(below).SeriesInstanceUID == first[0]
    assert uids("a", "MR_small.dcm")[0] != first[0]  # of another study


def test_an_empty_mask_is_written(tmp_path):
    _write(_FILES / "CT_small.dcm", tmp_path / "seg.dcm", np.zeros((128, 128), np.uint8))
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert not seg.pixel_array.any() and len(seg.SegmentSequence) == 2
    assert not _errors(tmp_path / "seg.dcm")


def test_a_frame_is_named_by_its_number(tmp_path):
    store = pytest.importorskip("data_store", reason="needs the package pydicom-data")
    image = Path(store.__file__).parent / "data" / "eCT_Supplemental.dcm"
    _write(image / "frame002", tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    groups, source = seg.PerFrameFunctionalGroupsSequence, pydicom.dcmread(image, stop_before_pixels=True)
    assert {one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber for one in groups} == {2}
    place = source.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient
    assert groups[0].PlanePositionSequence[0].ImagePositionPatient == place


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"StudyTime": "14:04:38", "StudyDate": "1993.08.22"}, ("140438", "19930822")),
        ({"StudyTime": "noon", "StudyDate": "yesterday"}, ("", "")),
        ({"PatientSex": "unknown"}, ("072730", "20040119")),
        ({"PixelSpacing": [0, 0], "FrameOfReferenceUID": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
          "ImagePositionPatient": None}, ("072730", "20040119")),
    ],
)  # fmt: skip
def test_headers_that_are_not_as_the_standard_has_them_are_taken(tmp_path, made, elements, expected):
    _write(made(**elements), tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (seg.StudyTime, seg.StudyDate) == expected
    assert not _errors(tmp_path / "seg.dcm")


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"StudyInstanceUID": None}, r"does not say which study it is of \(StudyInstanceUID\)"),
        ({"FrameOfReferenceUID": None}, "from where its position is counted"),
        ({"SliceThickness": None, "SpacingBetweenSlices": None}, "how thick its slice is"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6", "FrameOfReferenceUID": None, "ImagePositionPatient": None},
         "has a header that the standard has no mask for"),
    ],
)  # fmt: skip
def test_what_the_standard_asks_for_and_is_missing_is_named(tmp_path, made, elements, message):
    path = made(**elements)
    with pytest.raises(InputError, match=rf"made\.dcm .*{message}.*, and gets no DICOM SEG") as refused:
        _write(path, tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()
    assert refused.value.code == "not_writable"


def test_an_image_that_is_not_dicom_is_refused(tmp_path):
    path = tmp_path / "image.png"
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(InputError, match=r"image\.png is not DICOM, and gets no DICOM SEG"):
        _write(path, tmp_path / "seg.dcm")


def test_patients_keep_their_names_and_nobody_else_hears_them(tmp_path, caplog, capfd, made):
    """Korean, Japanese, Chinese ...: the mask is of the same patient, and no log, warning or error has the name."""
    caplog.set_level(logging.DEBUG)
    said, names = [], []
    for file in sorted(_FILES.with_name("charset_files").glob("chr*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = pydicom.dcmread(file)
        if "PatientName" not in known:
            continue
        image = made(PatientName=known.PatientName, SpecificCharacterSet=known.get("SpecificCharacterSet"))
        names.append(str(known.PatientName))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            _write(image, tmp_path / "seg.dcm")
            broken = made(PatientName=known.PatientName, StudyInstanceUID=None)
            with pytest.raises(InputError) as refused:
                _write(broken, tmp_path / "none.dcm")
        said += [str(refused.value), *(str(one.message) for one in warned if "pydicom" not in str(one.filename))]
        assert pydicom.dcmread(tmp_path / "seg.dcm").PatientName == known.PatientName
    assert len(names) > 10
    said += [record.getMessage() for record in caplog.records] + [*capfd.readouterr()]
    assert not {part for name in names for part in (name, *name.split("=")) for text in said if part and part in text}


def _slices(folder: Path, distance: float = 2.5, **elements: object) -> list[Path]:
    """Four slices of a series, named against their order."""
    paths = []
    for number in range(4):
        one = pydicom.dcmread(_FILES / "CT_small.dcm")
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        one.ImagePositionPatient = [0, 0, distance * number]
        for keyword, value in elements.items():
            setattr(one, keyword, value)
        paths.append(folder / f"{9 - number}.dcm")
        one.save_as(paths[-1])
    return paths


def _results(paths: list[Path]) -> dict[Path, Segmentation]:
    zeros = np.zeros((3, 1, 1), np.float32)
    return {
        path: Segmentation(path.stem, zeros, np.roll(_mask(128, 128), 7 * number, axis=1), _CLASSES)
        for number, path in enumerate(paths)
    }


@pytest.mark.parametrize("elements", [{}, {"SliceThickness": None, "SpacingBetweenSlices": None}])
def test_the_masks_of_a_series_are_one_volume(tmp_path, elements):
    """Of slices of unknown thickness too, as in public collections: they are as thick as they are apart."""
    nibabel = pytest.importorskip("nibabel", reason='needs pip install "amsunet[clinic]"')
    dcmqi = pytest.importorskip("dcmqi", reason="needs the package dcmqi")
    results = _results(_slices(tmp_path, **elements))
    dicom_seg.write_series(results, tmp_path / "seg.dcm")
    assert not _errors(tmp_path / "seg.dcm")
    masks = [result.mask for result in results.values()]
    for number, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm" / f"1.2.3.{number}"), mask)
    program = Path(dcmqi.__file__).parent / "bin" / "segimage2itkimage"
    words = [program, "--inputDICOM", tmp_path / "seg.dcm", "--outputDirectory", tmp_path, "-t", "nii"]
    subprocess.run(words, capture_output=True, check=True)
    volume = nibabel.load(tmp_path / "1.nii.gz")
    np.testing.assert_array_equal(np.asarray(volume.dataobj).T == 1, np.stack(masks) == 1)
    assert volume.header.get_zooms()[2] == 2.5


@pytest.mark.parametrize("name", ["0.dcm", "z.dcm"])
def test_slices_of_another_series_are_refused_wherever_they_sort(tmp_path, name):
    slices = _slices(tmp_path)[:2]
    shutil.copy(_FILES / "MR_small.dcm", other := tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} is not a slice of the series of .*\d\.dcm, and gets no DICOM SEG"):
        dicom_seg.write_series(_results([*slices, other]), tmp_path / "seg.dcm")


def test_what_is_no_slice_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"US1_UNCI\.dcm is no slice with a place in the patient"):
        dicom_seg.write_series(_results([_file("US1_UNCI.dcm")]), tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="a mask of no slice"):
        dicom_seg.write_series({}, tmp_path / "seg.dcm")


def _parts(images: list[Path], folder: Path) -> dict[Path, np.ndarray]:
    """The masks of single images, and what is in them."""
    folder.mkdir()
    masks = {}
    for number, image in enumerate(images):
        height, width = read_image(image).shape[:2]
        path = folder / f"{number}.dcm"
        masks[path] = _write(image, path, np.roll(_mask(height, width), 7 * number, axis=1))
    return masks


def test_the_masks_of_single_slices_are_joined_by_series(tmp_path):
    (tmp_path / "ct").mkdir()
    slices = _slices(tmp_path / "ct")
    masks = _parts([*slices, _FILES / "MR_small.dcm", _file("US1_UNCI.dcm")], tmp_path / "seg")
    shutil.rmtree(tmp_path / "ct")  # images are not read again
    folder = tmp_path / "seg-series"
    dicom_seg.join([*masks], folder)
    (joined,) = folder.iterdir()
    assert not _errors(joined)
    image, seg = pydicom.dcmread(_FILES / "CT_small.dcm"), pydicom.dcmread(joined)
    assert (seg.PatientName, seg.StudyInstanceUID) == (image.PatientName, image.StudyInstanceUID)
    assert seg.ContributingEquipmentSequence[0].Manufacturer == image.Manufacturer
    assert seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices == 2.5
    for number, mask in enumerate([*masks.values()][:4], start=1):
        np.testing.assert_array_equal(read_mask(joined / f"1.2.3.{number}"), mask)
    dicom_seg.join([*masks], folder)
    assert pydicom.dcmread(joined).SOPInstanceUID == seg.SOPInstanceUID  # the same masks are the same object
    (folder / "mine.dcm").touch()
    dicom_seg.join([*masks][3:], folder)
    assert [path.name for path in folder.iterdir()] == ["mine.dcm"]  # of each series one is left


def test_slices_of_one_series_in_two_planes_are_two_masks(tmp_path):
    """As in a series of localizers: none may take the file of the other."""
    planes = {"a": [1, 0, 0, 0, 1, 0], "b": [1, 0, 0, 0, 0, -1]}
    slices = []
    for number, (name, directions) in enumerate(planes.items()):
        (tmp_path / name).mkdir()
        slices += _slices(tmp_path / name, ImageOrientationPatient=directions)[number:]  # numbers tell them apart
    for number, path in enumerate(slices):
        image = pydicom.dcmread(path)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.4.{number}"
        image.ImagePositionPatient = [0, number, number]
        image.save_as(path)
    masks = _parts(slices, tmp_path / "seg")
    dicom_seg.join([*masks], tmp_path / "seg-series")
    joined = [*(tmp_path / "seg-series").iterdir()]
    held = {address.name for one in joined for address in addresses(one)}
    assert len(joined) == 2 and held == {f"1.2.4.{number}" for number in range(7)}


def test_the_masks_of_frames_are_joined_and_are_masks_to_train_on(tmp_path):
    image = tmp_path / "data" / "scan.dcm"
    image.parent.mkdir()
    shutil.copy(_file("eCT_Supplemental.dcm"), image)
    masks = _parts(addresses(image), tmp_path / "seg")
    dicom_seg.join([*masks], tmp_path / "seg-series")
    (joined,) = (tmp_path / "seg-series").iterdir()
    assert not _errors(joined)
    shutil.copy(joined, image.with_name("anything.dcm"))
    dataset = open_dataset(image.parent)
    assert [sample.image for sample in dataset.samples] == addresses(image)
    for sample, mask in zip(dataset.samples, masks.values(), strict=True):
        np.testing.assert_array_equal(dataset.read_labels(sample), mask)
    np.testing.assert_array_equal(read_mask(joined / "frame0002"), [*masks.values()][1])  # as in a file of thousands
    seg = pydicom.dcmread(joined)
    for group in seg.PerFrameFunctionalGroupsSequence:  # as programs write that know frames by their place alone
        del group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
    seg.save_as(image.with_name("anything.dcm"))
    dataset = open_dataset(image.parent)
    for sample, mask in zip(dataset.samples, masks.values(), strict=True):
        np.testing.assert_array_equal(dataset.read_labels(sample), mask)


def test_a_damaged_part_is_left_out_and_named(tmp_path, logged):
    (tmp_path / "ct").mkdir()
    masks = _parts(_slices(tmp_path / "ct"), tmp_path / "seg")
    damaged = tmp_path / "seg" / "1.dcm"
    damaged.write_bytes(damaged.read_bytes()[:700])
    with logged() as lines:
        dicom_seg.join([*masks], tmp_path / "seg-series")
    (joined,) = (tmp_path / "seg-series").iterdir()
    assert any(f"{damaged} is left out" in line for line in lines)
    np.testing.assert_array_equal(read_mask(joined / "1.2.3.3"), masks[tmp_path / "seg" / "2.dcm"])
