"""DICOM: every file that pydicom ships is read or refused in a sentence, and its values are those of the standard."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.containers import addresses, find_address, modality_of
from amsunet.data.dataset import open_dataset
from amsunet.data.image_file import count_pixels
from amsunet.data.images import read_image
from amsunet.data.readers import dicom
from amsunet.errors import InputError

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')
pytest.importorskip("gdcm", reason='needs pip install "amsunet[clinic]"')

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_NAMED = _FILES.with_name("charset_files")
"""Patients with names of all scripts."""


@pytest.fixture(scope="module")
def more() -> Path:
    """The larger files, of the package pydicom-data."""
    package = pytest.importorskip("data_store", reason="needs the package pydicom-data")
    return Path(package.__file__).parent / "data"


@pytest.fixture
def made(tmp_path):
    """Write a file of pydicom's with other elements; None removes one."""

    def make(source: str = "CT_small.dcm", name: str = "made.dcm", **elements: object) -> Path:
        dataset = pydicom.dcmread(_FILES / source)
        for keyword, value in elements.items():
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        path = tmp_path / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(path)
        return path

    return make


def _stored(path: Path) -> np.ndarray:
    return pydicom.dcmread(path).pixel_array


def test_ct_is_read_in_hounsfield_units():
    image = read_image(_FILES / "CT_small.dcm")
    assert image.dtype == np.float32 and image.shape == (128, 128, 1)
    np.testing.assert_array_equal(image[..., 0], _stored(_FILES / "CT_small.dcm").astype(np.float32) - 1024)


def test_the_window_of_a_file_changes_nothing(made):
    seen = [read_image(made(WindowCenter=c, WindowWidth=w)) for c, w in ((40, 400), (-600, 1500))]
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize(("bits", "signed"), [(12, 0), (16, 0), (16, 1)])
def test_white_is_high_in_both_kinds_of_grey(made, bits, signed):
    of_file = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": signed, "RescaleIntercept": 0}
    black_low = read_image(made(name="two.dcm", PhotometricInterpretation="MONOCHROME2", **of_file))
    white_low = read_image(made(name="one.dcm", PhotometricInterpretation="MONOCHROME1", **of_file))
    total = -1 if signed else 2**bits - 1
    np.testing.assert_array_equal(black_low.astype(np.int64) + white_low, np.full_like(black_low, total, np.int64))


def test_values_stay_integers_where_nothing_is_rescaled(made):
    path = made(PixelRepresentation=0, RescaleSlope=1, RescaleIntercept=0)
    assert read_image(path).dtype == np.uint16
    assert read_image(_FILES / "MR_small_bigendian.dcm").dtype.isnative


def test_padding_is_as_dark_as_the_darkest_measurement(more):
    """Outside of its round field of view this CT holds -3024, far below air."""
    image = read_image(more / "693_UNCR.dcm")
    header = pydicom.dcmread(more / "693_UNCR.dcm")
    padded = header.pixel_array == header.PixelPaddingValue
    assert padded.mean() > 0.1
    assert image.min() == image[~padded].min() == image[padded].max() > -1100


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm"),
    ],
)
def test_lossless_syntaxes_hold_the_same_pixels(name, like):
    np.testing.assert_array_equal(read_image(_FILES / name), read_image(_FILES / like))


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm", "SC_ybr_full_422_uncompressed.dcm"],
)
def test_brightness_and_differences_become_rgb(name):
    """The picture has bars of colour: where it is red, red is high and blue is low."""
    image, truth = read_image(_FILES / name).astype(int), read_image(_FILES / "SC_rgb_rle.dcm").astype(int)
    assert np.abs(image - truth).mean() < 6


def test_a_palette_becomes_its_colours():
    image = read_image(_FILES / "examples_palette.dcm")
    assert image.shape == (350, 800, 3) and image.dtype == np.uint8
    assert (image[..., 0] != image[..., 2]).any()


def test_frames_have_addresses(more):
    cine = _FILES / "examples_ybr_color.dcm"
    frames = addresses(cine)
    assert len(frames) == 30 and frames[2] == cine / "frame003"
    assert find_address(frames[2]) == (cine, "frame003")
    third = read_image(frames[2])
    assert third.shape == (240, 320, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(third, pydicom.pixels.pixel_array(cine, index=2))
    assert not np.array_equal(third, read_image(frames[20]))
    assert count_pixels(frames[2]) == 240 * 320
    assert addresses(_FILES / "CT_small.dcm") == [_FILES / "CT_small.dcm"]


@pytest.mark.parametrize(
    ("place", "message"),
    [("", "holds 30 frames: name one, as .*/frame001"), ("frame031", "holds no frame031: .* as frame030"),
     ("frame000", "holds no frame000"), ("z003", "holds no z003")],
)  # fmt: skip
def test_a_frame_that_is_not_found_is_named(place, message):
    with pytest.raises(InputError, match=message):
        read_image(_FILES / "examples_ybr_color.dcm" / place)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"PixelSpacing": [0.5, 0.25]}, (0.5, 0.25)),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"PixelSpacing": None}, None),
        ({"PixelSpacing": ""}, None),
    ],
)
def test_spacing_comes_from_where_it_is_known(made, elements, expected):
    assert dicom.spacing(made(**elements), "") == expected


def test_spacing_of_ultrasound_is_that_of_its_regions(made):
    assert dicom.spacing(_FILES / "examples_palette.dcm", "") == pytest.approx((0.262288, 0.262288))
    regions = pydicom.dcmread(_FILES / "examples_palette.dcm").SequenceOfUltrasoundRegions
    other = pydicom.Dataset()
    other.update(regions[0])
    other.PhysicalDeltaX = 1.0
    assert dicom.spacing(made("examples_palette.dcm", SequenceOfUltrasoundRegions=[*regions, other]), "") is None


def test_spacing_of_frames_is_that_of_their_functional_groups(more):
    assert dicom.spacing(more / "eCT_Supplemental.dcm", "frame002") == (0.388672, 0.388672)


def _refused(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_image(path)
    return str(refused.value)


def test_what_is_no_image_is_refused_by_its_kind(tmp_path, made):
    assert "rtplan.dcm is DICOM without an image (RT Plan): leave it out" in _refused(_FILES / "rtplan.dcm")
    assert "is the directory of a DICOM medium" in _refused(_FILES / "dicomdirtests" / "DICOMDIR-empty.dcm")
    assert "is a mask (DICOM SEG), not an image" in _refused(_FILES / "liver_1frame.dcm")
    assert "does not say how it is written" in _refused(_FILES / "meta_missing_tsyntax.dcm")
    assert "compressed as JPEG Extended" in _refused(_FILES / "JPGExtended.dcm")
    assert "MR_truncated.dcm is damaged" in _refused(_FILES / "MR_truncated.dcm")
    pixels = pydicom.dcmread(_FILES / "CT_small.dcm")
    del pixels.PixelData
    pixels.save_as(tmp_path / "header.dcm")
    assert _refused(tmp_path / "header.dcm").endswith(
        "header.dcm is DICOM without pixels: leave it out, or export it with them"
    )
    assert "no number that can be true" in _refused(_FILES / "badVR.dcm")
    (tmp_path / "encrypted.dcm").write_bytes(b"\x30\x82" + bytes(1000))  # as CMS begins
    assert "is not a DICOM file, or an encrypted one" in _refused(tmp_path / "encrypted.dcm")
    (tmp_path / "empty.dcm").write_bytes(b"")
    assert "is empty (0 bytes)" in _refused(tmp_path / "empty.dcm")
    assert "does not exist" in _refused(tmp_path / "none.dcm")
    assert "does not exist" in _refused(tmp_path / "none.dcm" / "frame001")


def test_an_unknown_syntax_is_refused_by_name(made):
    path = made()
    content = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.7\0", 1)
    path.write_bytes(content)
    assert "is written as 1.2.840.10008.1.2.7, which is not read" in _refused(path)


def test_a_header_that_cannot_be_true_is_refused_before_pixels_are_asked_for(made):
    assert "it claims 8000 x 60000 pixels, more than" in _refused(made(Rows=60000, Columns=8000))
    assert "number of frames" in _refused(made(NumberOfFrames=2**31 - 1))
    assert "more than the 500 million" in _refused(made(Rows=60000, Columns=60000))
    assert "it claims 128 x 12799872 pixels, more than" in _refused(made(NumberOfFrames=99_999))
    assert "it claims 99999 frames, more than its bytes" in _refused(made("MR_small_RLE.dcm", NumberOfFrames=99_999))


def test_a_deflated_file_may_hold_more_pixels_than_it_has_bytes(made):
    pixels = np.zeros((4000, 4000), np.uint16)
    path = made("image_dfl.dcm", Rows=4000, Columns=4000, BitsAllocated=16, BitsStored=16, HighBit=15,
                PixelData=pixels.tobytes())  # fmt: skip
    assert path.stat().st_size < 100_000 and read_image(path).shape == (4000, 4000, 1)


def test_sequences_within_sequences_without_end_are_one_sentence(made, tmp_path):
    """A header that is damaged is refused wherever it is read, and what stands in it is not repeated."""
    path = made()
    content, within = path.read_bytes(), bytes.fromhex("18001160 5351 0000 ffffffff feff00e0 ffffffff")
    at = content.index(bytes.fromhex("28000200"))  # before the number of samples, which is read as they are
    path.write_bytes(content[:at] + within * 20_000 + content[at:])
    for call in (addresses, read_image):
        with pytest.raises(InputError, match="its header cannot be read"):
            call(path)
    with pytest.raises(InputError, match="no masks that match"):
        open_dataset(tmp_path)


def test_a_header_that_claims_fewer_rows_than_there_are_is_refused(made):
    path = made(Rows=127)
    with pytest.raises(InputError, match=r"made\.dcm holds 32,768 bytes of pixels, .* claims 127 x 128 .* 32,512"):
        read_image(path)
    padded = pydicom.dcmread(_FILES / "CT_small.dcm")
    padded.PixelData += bytes(20)  # less than a row
    padded.save_as(path)
    assert read_image(path).shape == (128, 128, 1)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small.dcm", "MR_small_jp2klossless.dcm"])
def test_a_file_cut_anywhere_is_refused_unless_all_pixels_are_there(tmp_path, name):
    content, truth = (_FILES / name).read_bytes(), read_image(_FILES / name)
    refused = 0
    for size in range(1, len(content), len(content) // 40):
        (tmp_path / "cut.dcm").write_bytes(content[:size])
        try:
            np.testing.assert_array_equal(read_image(tmp_path / "cut.dcm"), truth)
        except InputError as error:
            assert str(tmp_path) in str(error)
            refused += 1
    assert refused > 35


def _every_file() -> list[Path]:
    store = pytest.importorskip("data_store", reason="needs the package pydicom-data")
    homes = [_FILES, _NAMED, Path(store.__file__).parent / "data"]
    found = sorted(path for home in homes for path in home.rglob("*") if path.is_file())
    assert len(found) > 255
    return found


def test_every_file_is_read_or_refused_in_a_sentence(tmp_path, caplog):
    """As .dcm, whatever it is; and pydicom has no word in between."""
    read = 0
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, file in enumerate(_every_file()):
            path = tmp_path / f"{number}.dcm"
            path.symlink_to(file)
            try:
                image = read_image(addresses(path)[-1])
            except InputError as error:
                assert str(error).startswith(str(path)) and "\n" not in str(error) and ": " in str(error), file
                assert file.name not in ("CT_small.dcm", "MR_small.dcm", "examples_rgb_color.dcm")
            else:
                assert image.dtype in (np.uint8, np.uint16, np.float32) and np.isfinite(image).all(), file
                read += 1
    assert read > 140
    assert not caplog.records


def test_names_of_patients_are_nowhere(tmp_path, caplog, capfd):
    """In Korean, Japanese, Chinese, Arabic ...: neither in what is logged and warned of nor in what is refused."""
    names, said = set(), []
    files = sorted(_NAMED.glob("chr*.dcm"))
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [str(element.value) for element in pydicom.dcmread(file).iterall() if element.VR == "PN"]
        names |= {part for name in found for part in (*name.replace("^", "=").split("="), name) if len(part) > 2}
    assert len(names) > 20
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for number, file in enumerate(files):
            content = file.read_bytes()
            for size in (len(content), len(content) - 100, len(content) // 2, 1000, 600):
                path = tmp_path / f"{number}-{size}.dcm"
                path.write_bytes(content[:size])
                try:
                    said += [str(dicom.places(path)), str(dicom.spacing(path, "")), str(read_image(path).shape)]
                except InputError as error:
                    said.append(str(error))
    said += [record.getMessage() for record in caplog.records] + [str(one.message) for one in warned]
    said += [*capfd.readouterr()]
    assert not {name for name in names for text in said if name in text}


def test_the_modality_is_a_word_of_dicom_or_nothing(made, tmp_path):
    assert (
        modality_of(_FILES / "CT_small.dcm") == "CT" and modality_of(_FILES / "examples_ybr_color.dcm/frame003") == "US"
    )
    assert modality_of(made(Modality="OT")) == modality_of(made(Modality="KIM^MINSU")) == ""
    assert modality_of(_FILES / "rtplan.dcm") == modality_of(tmp_path / "none.dcm") == modality_of(tmp_path) == ""


def test_the_distance_of_slices_is_not_their_thickness(made):
    assert dicom.slice_distance(made(SpacingBetweenSlices=-2.5, SliceThickness=5), "") == 2.5
    assert dicom.slice_distance(made(SpacingBetweenSlices=None), "") is None


@pytest.mark.parametrize("wrong", [rb"-7,5\20\3", rb"-7.5\20.3", rb"nan \20\3"])
def test_a_place_or_distance_that_is_no_number_is_none(made, wrong):
    """Decimal commas are written, and evaluation after a long training reads where slices lie."""
    path = made(ImagePositionPatient=["-7.5", "20", "3"], SpacingBetweenSlices="2.25")
    assert dicom.slice_position(path, "") == 3 and dicom.slice_distance(path, "") == 2.25
    path.write_bytes(path.read_bytes().replace(rb"-7.5\20\3", wrong).replace(b"2.25", b"2,25"))
    assert dicom.slice_position(path, "") is None and dicom.slice_distance(path, "") is None


def test_a_film_is_refused_by_the_name_of_its_syntax(tmp_path):
    header = pydicom.dcmread(_FILES / "CT_small.dcm")
    header.PixelData = pydicom.encaps.encapsulate([bytes(64)])
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    header.save_as(tmp_path / "film.dcm")
    assert _refused(tmp_path / "film.dcm").endswith(
        "film.dcm is written as MPEG2 Main Profile / Main Level, which is not read: save it without compression"
    )


@pytest.mark.parametrize("bits", [24, 40])
def test_numbers_of_another_width_are_refused_by_their_bits(tmp_path, bits):
    header = pydicom.dcmread(_FILES / "CT_small.dcm")
    header.BitsAllocated = header.BitsStored = bits
    header.HighBit = bits - 1
    header.PixelData = bytes(header.Rows * header.Columns * bits // 8)
    header.save_as(tmp_path / "wide.dcm")
    assert _refused(tmp_path / "wide.dcm").endswith(
        f"wide.dcm is written in numbers of {bits} bits, which is not read: save it in 8 or 16 bits"
    )
