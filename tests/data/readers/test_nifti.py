"""NIfTI: slices lie the same whatever the order on the disk, and nothing that is called so crashes."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.containers import addresses, voxel_volume
from amsunet.data.image_file import count_pixels
from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.data.readers import nifti, nifti_volume
from amsunet.data.readers.nifti_volume import AXES, describe_apart, open_volume, write_like
from amsunet.data.readers.unpacked import Unpacked
from amsunet.errors import InputError

nibabel = pytest.importorskip("nibabel", reason="needs the extra clinic")
_EXAMPLES = Path(nibabel.__file__).parent / "tests" / "data"


def _reoriented(array, affine, codes):
    image = nibabel.Nifti1Image(array, affine)
    wanted = nibabel.orientations.axcodes2ornt(codes)
    return image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), wanted))


@pytest.mark.parametrize(
    ("place", "form", "values", "sentence"),
    [(40, "<8h", (3, 20_000, 20_000, 9, 1, 1, 1, 1), "more than 472 bytes can hold"),
     (40, "<8h", (3, -4, 5, 6, 1, 1, 1, 1), "holds no voxels"),
     (70, "<h", (9999,), "is damaged"),  # the type
     (108, "<f", (float("nan"),), "is damaged"),  # where the values begin
     (108, "<f", (-400.0,), "is damaged")],
)  # fmt: skip
def test_headers_that_cannot_be_true_are_one_sentence(place, form, values, sentence, volume, tmp_path):
    content = bytearray(nibabel.Nifti1Image(volume, np.eye(4)).to_bytes())
    struct.pack_into(form, content, place, *values)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        addresses(tmp_path / "a.nii")


def test_voxels_that_lie_nowhere_are_read_as_they_lie(volume, tmp_path):
    content = bytearray(nibabel.Nifti1Image(volume, np.eye(4)).to_bytes())
    struct.pack_into("<12f", content, 280, *[float("nan")] * 12)
    (tmp_path / "a.nii").write_bytes(content)
    assert nifti.read(tmp_path / "a.nii", "z000").shape == (5, 4)


def test_every_flip_of_a_packed_file_is_noticed_or_changes_no_voxel(tmp_path):
    """The checksum of a packed file stands at its end, behind the last voxel."""
    rng, file, noticed = np.random.default_rng(0), tmp_path / "a.nii.gz", 0
    nibabel.save(nibabel.Nifti1Image(rng.integers(0, 255, (9, 8, 3), np.uint8), np.eye(4)), file)
    whole, expected = file.read_bytes(), read_image(file / "z001")
    for place in range(12, len(whole), 3):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        file.write_bytes(content)
        nifti_volume._UNPACKED = Unpacked()
        nifti_volume._open.cache_clear()
        try:
            assert np.array_equal(read_image(file / "z001"), expected), place
        except InputError:
            noticed += 1
    assert noticed > len(whole) / 4


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.nii")
    for call in (addresses, read_image):
        with pytest.raises(InputError, match="is a pipe"):
            call(tmp_path / "a.nii")


def test_a_mask_of_complex_numbers_is_refused(volume, tmp_path):
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.complex64), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match="where a mask holds numbers"):
        read_mask(tmp_path / "a.nii" / "z000")


@pytest.fixture
def volume():
    """Numbers that are all different, (4, 5, 6), from right to left, from front to back, from below."""
    return np.arange(120, dtype=np.uint8).reshape(4, 5, 6)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("codes", ["RAS", "LPS", "LPI", "ASR", "SRA", "PIL", "IAR"])
def test_slices_lie_the_same_whatever_the_order_on_the_disk(codes, suffix, volume, tmp_path):
    file = tmp_path / f"a{suffix}"
    nibabel.save(_reoriented(volume, np.diag([-1.0, -2, 3, 1]), codes), file)
    for k in range(6):  # front up, the patient's right on the left
        np.testing.assert_array_equal(nifti.read(file, f"z{k:03}"), volume[:, :, k].T)
    for k in range(4):  # head up, front on the left
        np.testing.assert_array_equal(nifti.read(file, f"x{k:03}"), volume[k, :, ::-1].T)
    for k in range(5):  # head up, the patient's right on the left
        np.testing.assert_array_equal(nifti.read(file, f"y{k:03}"), volume[:, k, ::-1].T)
    assert nifti.size(file, "z000") == (5, 4) and nifti.spacing(file, "z000") == (2, 1)
    assert nifti.size(file, "x000") == (6, 5) and nifti.spacing(file, "x000") == (3, 2)
    assert nifti.size(file, "y000") == (6, 4) and nifti.spacing(file, "y000") == (3, 1)
    assert nifti.places(file) == [f"z{k:03}" for k in range(6)] and nifti.slice_distance(file, "z000") == 3
    assert voxel_volume([file / "z001"]) == pytest.approx(6)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SRA", "PIL", "IAR"])
@pytest.mark.parametrize("axis", AXES)
def test_what_is_written_lies_as_the_volume(axis, codes, volume, tmp_path):
    nibabel.save(_reoriented(volume, np.array([[-1.0, 0, 0, 7], [0, -2, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]]), codes),
                 tmp_path / "a.nii.gz")  # fmt: skip
    known = open_volume(tmp_path / "a.nii.gz")
    slices = np.stack([nifti.read(known.file, place) for place in nifti.places(known.file, axis)])
    write_like(known, tmp_path / "b.nii.gz", slices, axis)
    written, image = (nibabel.load(tmp_path / name) for name in ("b.nii.gz", "a.nii.gz"))
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.asanyarray(image.dataobj))
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.get_data_dtype() == np.uint8 and written.header["sform_code"] == image.header["sform_code"]
    assert describe_apart(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz") == ""


def test_a_header_leaves_what_it_tells_of_the_patient_behind(volume, tmp_path):
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header["descrip"] = b"Jane Roe"
    image.header["db_name"] = b"Jane Roe"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Jane Roe"))
    nibabel.save(image, tmp_path / "a.nii.gz")
    write_like(open_volume(tmp_path / "a.nii.gz"), tmp_path / "b.nii.gz", np.zeros((6, 5, 4), np.uint8), "z")
    assert b"Jane" in gzip.decompress((tmp_path / "a.nii.gz").read_bytes())
    assert b"Jane" not in gzip.decompress((tmp_path / "b.nii.gz").read_bytes())


@pytest.mark.parametrize(
    ("shape", "sides", "axis"),
    [((4, 5, 6), (1, 1, 3), "z"), ((4, 5, 6), (3, 1, 1), "x"), ((4, 5, 6), (1, 3, 1), "y"), ((4, 5, 6), (1, 1, 1), "z"),
     ((4, 5, 6), (1.002, 1, 1), "z"), ((1, 5, 6), (1, 1, 3), "x"), ((4, 5, 1), (3, 1, 1), "z")],
)  # fmt: skip
def test_slices_are_cut_where_their_pixels_are_finest(shape, sides, axis, save_volume, tmp_path):
    file = save_volume(tmp_path / "a.nii", np.zeros(shape, np.uint8), np.diag([*sides, 1.0]))
    assert open_volume(file).axis == axis
    assert nifti.places(file) == ([""] if 1 in shape else [f"{axis}{k:03}" for k in range(shape["xyz".index(axis)])])
    assert len(nifti.places(file, "y")) == 5


def test_a_single_image_is_its_own_address(save_volume, tmp_path):
    array = np.arange(20, dtype=np.uint16).reshape(4, 5)
    file = save_volume(tmp_path / "a.nii.gz", array)
    assert addresses(file) == [file] and count_pixels(file) == 20
    np.testing.assert_array_equal(read_image(file)[..., 0], array.T)  # x runs to the left, y to the back


def test_slope_and_intercept_are_applied_and_bytes_turned(tmp_path):
    image = nibabel.Nifti1Image(np.arange(24, dtype=">i2").reshape(2, 3, 4), np.diag([-1.0, -1, 1, 1]))
    image.header.set_slope_inter(2, -1000)
    for name in ("a.nii", "a.nii.gz"):
        nibabel.save(image, tmp_path / name)
        found = read_image(tmp_path / name / "z001")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[..., 0], nibabel.load(tmp_path / name).get_fdata()[:, :, 1].T)
        assert found.min() == -998


def test_colours_and_vectors_are_channels(tmp_path):
    colours = np.zeros((3, 4, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"] = 7
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "rgb.nii.gz")
    assert read_image(tmp_path / "rgb.nii.gz" / "z001")[0, 0].tolist() == [0, 7, 0]
    vectors = nibabel.Nifti1Image(np.ones((3, 4, 2, 1, 3), np.float32), np.eye(4))
    vectors.header.set_intent("vector")
    nibabel.save(vectors, tmp_path / "vector.nii.gz")
    assert read_image(tmp_path / "vector.nii.gz" / "z001").shape == (4, 3, 3)
    with pytest.raises(InputError, match="3 values a voxel, and a mask has one"):
        read_mask(tmp_path / "vector.nii.gz" / "z001")


def test_a_fourth_dimension_is_never_guessed(save_volume, tmp_path):
    array = np.arange(48, dtype=np.uint8).reshape(2, 3, 4, 2)
    file = save_volume(tmp_path / "a.nii.gz", array)
    for ask in (lambda: nifti.places(file), lambda: nifti.read(file, "z000")):
        with pytest.raises(InputError, match=r"4 dimensions \(2 x 3 x 4 x 2\), and nothing tells .*channels or"):
            ask()
    assert nifti.places(file, "z", "time") == [f"t{t:03}z{k:03}" for t in (0, 1) for k in range(4)]
    assert nifti.places(file, "z", "channels") == [f"cz{k:03}" for k in range(4)]
    np.testing.assert_array_equal(nifti.read(file, "t001z002"), array[:, :, 2, 1].T)
    assert nifti.read(file, "cz002").shape == (3, 2, 2)


@pytest.mark.parametrize("place", ["z6", "z9999", "q000", "z", "z-1", "t000z000/x", "t001z000"])
def test_a_slice_that_there_is_not_is_refused(place, volume, save_volume, tmp_path):
    file = save_volume(tmp_path / "a.nii.gz", volume)
    with pytest.raises(InputError, match=r"does not exist: the file has 4 x 5 x 6 voxels"):
        read_image(file / place)
    with pytest.raises(InputError, match=r"a volume of 6 slices: name one, as .*z000"):
        read_image(file)


@pytest.mark.parametrize("file", sorted([*_EXAMPLES.glob("*.nii"), *_EXAMPLES.glob("*.nii.gz")]), ids=lambda f: f.name)
def test_every_file_of_nibabel_is_read_or_refused_in_a_sentence(file):
    try:
        for fourth_axis in (None, "time", "channels"):
            for place in nifti.places(file, None, fourth_axis)[:3]:
                assert min(read_image(file / place if place else file).shape) > 0
    except InputError as error:
        assert str(file) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_damaged_files_are_refused_in_a_sentence(name, volume, save_volume, tmp_path):
    file = save_volume(tmp_path / name, volume)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for number in range(40):
        content = bytearray(whole[: rng.integers(1, len(whole))] if number % 2 else whole)
        for place in rng.integers(0, min(len(content), 400), 6 * (number % 4)):
            content[place] = rng.integers(256)
        file.write_bytes(content)
        count_pixels(file / "z001")
        try:
            read_image(file / "z001")
        except InputError as error:
            assert str(file) in str(error) and "\n" not in str(error)


def test_a_file_that_claims_much_is_refused(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    content = bytearray(image.to_bytes())
    content[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(content)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content))
    for name in ("a.nii", "a.nii.gz"):
        with pytest.raises(InputError, match=r"a\.nii"):
            read_image(tmp_path / name / "z001")


def test_values_that_are_no_numbers_are_refused(save_volume, tmp_path):
    file = save_volume(tmp_path / "a.nii.gz", np.full((3, 4, 5), np.nan, np.float32))
    with pytest.raises(InputError, match=r"a\.nii\.gz/z002 holds values that are not finite numbers"):
        read_image(file / "z002")


def test_a_packed_volume_is_unpacked_once(save_volume, volume, tmp_path, monkeypatch):
    files = [save_volume(tmp_path / f"{n}.nii.gz", volume + n) for n in range(2)]
    unpacked, unpack = [], nifti_volume.Volume._unpack
    monkeypatch.setattr(nifti_volume.Volume, "_unpack", lambda self: (unpacked.append(self.file.name), unpack(self))[1])
    for _ in range(2):
        for file in files:
            for place in nifti.places(file):
                read_image(file / place)
    assert unpacked == ["0.nii.gz", "1.nii.gz"]
    save_volume(files[0], volume + 5)
    np.testing.assert_array_equal(nifti.read(files[0], "z000"), (volume + 5)[:, :, 0].T)


def test_what_was_unpacked_is_kept_as_far_as_there_is_room(monkeypatch):
    monkeypatch.setattr("amsunet.data.readers.unpacked.free_memory", lambda: 8 * 250)
    kept, made = Unpacked(), []

    def get(key):
        return kept.get(key, lambda: (made.append(key), np.zeros(100, np.uint8))[1])

    for key in ("a", "b", "a", "c", "b", "a"):  # there is room for two: "c" puts out "b", and that "a"
        get(key)
    assert made == ["a", "b", "c", "b", "a"]
    kept.get("large", lambda: np.zeros(1000, np.uint8))
    assert kept.get("large", lambda: pytest.fail("the last one is always kept")).nbytes == 1000


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [((4, 5, 7), np.diag([-0.8, -0.8, 5, 1]), "have 4 x 5 x 6 and 4 x 5 x 7 voxels"),
     ((4, 5, 6), np.diag([-0.8, -0.8, 6, 1]), "lie 5 mm apart in space"),
     ((4, 5, 6), np.array([[-0.8, 0, 0, 3], [0, -0.8, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1]]), "lie 3 mm apart"),
     ((4, 5, 6), np.diag([0.8, -0.8, 5, 1]), "mm apart in space"),
     ((4, 5, 6), np.diag([-0.8, -0.8001, 5, 1]), "")],
)  # fmt: skip
def test_files_of_two_volumes_are_told_apart(shape, affine, message, volume, save_volume, tmp_path):
    image = save_volume(tmp_path / "a.nii.gz", volume)
    found = describe_apart(image, save_volume(tmp_path / "b.nii.gz", np.zeros(shape, np.uint8), affine))
    assert (message in found) if message else not found
