"""HDF5 files that hold an image, or a stack, and its label."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data import image_header
from amsunet.data.containers import addresses
from amsunet.data.dataset import open_dataset
from amsunet.data.image_file import count_pixels
from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.data.readers import hdf5
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs

h5py = pytest.importorskip("h5py", reason="needs the extra clinic")


@pytest.fixture
def save_hdf5(tmp_path):
    def save(name, **arrays):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                packed = {} if isinstance(array, h5py.Empty) else {"compression": "gzip"}
                file.create_dataset(key, data=array, **packed)
        return path

    return save


def test_slices_of_files_are_a_data_set(save_hdf5, tmp_path, picture, disc):
    for patient in range(3):
        for number in range(4):
            save_hdf5(
                f"set/patient{patient:03}_frame01_slice_{number}.h5",
                image=picture(number).astype(np.float32) / 255,
                label=disc(number).astype(np.uint8),
                scribble=disc(0).astype(np.uint8),
            )
    dataset = open_dataset(tmp_path / "set")
    assert [sample.name for sample in dataset.samples][:2] == [
        "patient000_frame01_slice_0",
        "patient000_frame01_slice_1",
    ]
    assert {sample.group for sample in dataset.samples} == {f"patient{n:03}" for n in range(3)}
    image, labels = dataset.read(dataset.samples[1])
    np.testing.assert_allclose(image[..., 0], picture(1) / 255, rtol=1e-6)
    np.testing.assert_array_equal(labels, disc(1))


def test_a_stack_is_a_volume(save_hdf5, tmp_path, picture, disc):
    for name in ("a", "b"):
        save_hdf5(
            f"train/{name}.h5",
            image=np.stack([picture(n) for n in range(3)]),
            label=np.stack([disc(n) for n in range(3)]),
        )
    dataset = open_dataset(tmp_path / "train")
    assert [sample.name for sample in dataset.samples] == [f"{n}_{z:03}" for n in "ab" for z in range(3)]
    assert [sample.volume for sample in dataset.samples] == ["a"] * 3 + ["b"] * 3
    assert [sample.group for sample in dataset.samples] == ["a"] * 3 + ["b"] * 3
    np.testing.assert_array_equal(dataset.read(dataset.samples[4])[0][..., 0], picture(1))
    names = [one.name for one in find_inputs([str(tmp_path / "train" / "a.h5")])]
    assert names == ["a/image/000", "a/image/001", "a/image/002"]


def test_channels_lie_first_or_last_as_the_label_tells(save_hdf5):
    image, label = np.arange(60, dtype=np.uint8).reshape(4, 5, 3), np.zeros((4, 5), np.uint8)
    last = save_hdf5("last.h5", image=image, label=label)
    first = save_hdf5("first.h5", image=image.transpose(2, 0, 1), label=label)
    alone = save_hdf5("alone.h5", image=image)
    for file in (last, first, alone):
        assert addresses(file) == [file / "image"] and count_pixels(file / "image") == 20
        np.testing.assert_array_equal(read_image(file / "image"), image)
    assert not hdf5.has_labels(alone) and hdf5.has_labels(last)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [({"volume": np.zeros((3, 3))}, r"no dataset image \(its names are volume\)"),
     ({}, "its names are none"),
     ({"image": np.zeros((5, 6, 7))}, "whether the first axis is slices or channels is not known"),
     ({"image": np.zeros((5, 6)), "label": np.zeros((5, 7))}, "an image of 5 x 6 and a label of 5 x 7"),
     ({"image": np.zeros((5, 6, 3)), "label": np.zeros((5, 6, 3))}, "save it as numbers, one a pixel"),
     ({"image": np.zeros((2, 5, 6, 7))}, "image of 4 dimensions"),
     ({"image": np.zeros((0, 6))}, "claims an image of 0 x 6"),
     ({"image": np.zeros(6)}, "1 dimensions"),
     ({"image": np.array(["a", "b"], "S1").reshape(1, 2)}, "is no array of numbers"),
     ({"image": np.zeros((4, 4), [("a", "u1")])}, "is no array of numbers"),
     ({"image": h5py.Empty("f")}, "is no array of numbers")],
)  # fmt: skip
def test_what_may_mean_several_things_is_refused(arrays, message, save_hdf5):
    file = save_hdf5("a.h5", **arrays)
    with pytest.raises(InputError, match=message):
        read_image(file / "image")


@pytest.mark.parametrize(
    ("shape", "kind", "options", "message"),
    [((90_000, 90_000, 3), "u1", {}, "more than the 500 million"),
     ((20_000, 20_000), "f8", {}, "more than 1,400 bytes can hold"),
     ((20_000, 20_000), "f8", {"chunks": (1000, 1000), "compression": "gzip"}, "bytes can hold"),
     ((20_000, 20_000), "f8", {"chunks": (1000, 1000)}, "which take 12.8 GB"),
     ((3000, 1000, 1000), "u1", {"chunks": (3000, 1000, 1000)}, "which take 3.0 GB")],
)  # fmt: skip
def test_what_was_never_written_takes_no_memory(shape, kind, options, message, tmp_path, monkeypatch):
    """A file of 1,400 bytes may claim any number of values; so may a chunk, which is unpacked whole."""
    monkeypatch.setattr(image_header, "free_memory", lambda: 2 << 30)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", shape, kind, **options)
        if len(shape) == 3 and shape[2] > 3:
            file.create_dataset("label", shape, kind)
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "a.h5" / ("image/000" if shape[0] == 3000 else "image"))


def test_few_of_many_names_are_repeated_and_none_steers_a_terminal(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(200):
            file.create_group(f"\x1b[2J{number}")
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "a.h5")
    assert len(str(caught.value)) < 500 and "\x1b" not in str(caught.value)


def test_damaged_files_are_refused_in_a_sentence(save_hdf5, tmp_path):
    file = save_hdf5("a.h5", image=np.arange(400).reshape(20, 20), label=np.zeros((20, 20), np.uint8))
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for number in range(60):
        content = bytearray(whole[: rng.integers(1, len(whole))] if number % 2 else whole)
        for place in rng.integers(0, len(content), 8 * (number % 4)):
            content[place] = rng.integers(256)
        file.write_bytes(content)
        count_pixels(file / "image")
        for read in (read_image, lambda path: read_mask(path.parent / "label")):
            try:
                read(file / "image")
            except InputError as error:
                assert str(file) in str(error) and "\n" not in str(error)
    for place in ("image/000", "other", "label/3"):
        file.write_bytes(whole)
        with pytest.raises(InputError, match=r"does not exist: name an image in .*, as image"):
            read_image(file / place)


def test_what_lies_in_another_file_is_not_followed(save_hdf5, tmp_path):
    other = save_hdf5("other.h5", image=np.ones((4, 4)))
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["image"] = h5py.ExternalLink(str(other), "image")
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("image", (4, 4), "u1", external=[(str(other), 0, 16)])
    for name in ("linked.h5", "external.h5"):
        with pytest.raises(InputError, match="has its image in another file"):
            read_image(tmp_path / name / "image")
