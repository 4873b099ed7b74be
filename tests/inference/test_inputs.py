"""Which images are named, and what their masks are called."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.images import write_image
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.predict_files import predict_files


def test_folder_names_all_images_below_it(images):
    where, sizes = images
    assert {job.name: job.image for job in find_inputs([str(where)])} == {n: where / f"{n}.png" for n in sizes}


def test_pattern_path_list_and_sample(images, tmp_path):
    where, _ = images
    assert [job.name for job in find_inputs([str(where / "[ab].png")])] == ["a", "b"]
    assert {job.name for job in find_inputs([str(where / "**" / "*.png")])} == {"a", "b", "c", "d", "e.with.dots"}
    assert find_inputs([str(where / "c.png")]) == [InputImage(where / "c.png", "c")]
    listing = tmp_path / "list.txt"
    listing.write_text(f"images/a.png\n\n  images/sub/d.png  \n{where / 'b.png'}\n", encoding="utf-8-sig")
    assert [(job.name, job.image) for job in find_inputs([str(listing)])] == [
        ("a", where / "a.png"), ("d", where / "sub/d.png"), ("b", where / "b.png")
    ]  # fmt: skip
    assert len(find_inputs(["sample:nuclei"])) == 4


def test_an_image_named_twice_is_predicted_once(images):
    where, _ = images
    assert len(find_inputs([str(where / "a.png"), str(where / "[ab].png")])) == 2


@pytest.mark.parametrize("inputs", [["{}/nowhere"], ["{}/*.gif"], ["{}/images/a.png", "{}/nowhere.png"]])
def test_an_input_that_names_nothing_is_refused(images, tmp_path, inputs):
    with pytest.raises(InputError, match="names no image"):
        find_inputs([text.format(tmp_path) for text in inputs])


def _names(jobs: list[InputImage]) -> set[str]:
    return {job.name for job in jobs}


def test_images_that_differ_in_their_suffix_keep_it(tmp_path, picture, said):
    for name in ("a.jpg", "a.png", "a.b.png", "A.png", "deep/a.png", "other.png"):
        write_image(tmp_path / "in" / name, picture(16, 16))
    assert _names(find_inputs([str(tmp_path / "in")])) == {
        "a.jpg", "a.png", "a.b", "A", "deep/a", "other"
    }  # fmt: skip
    assert len(said) == 1 and "a.jpg and a.png" in said[0]
    assert _names(find_inputs([str(tmp_path / "in/a.jpg"), str(tmp_path / "in/a.b.png")])) == {"a", "a.b"}


def test_images_of_one_name_in_several_folders_are_named_from_the_folder_that_holds_all(tmp_path, picture, said):
    for name in ("P1/scan.png", "P2/scan.png", "P2/scan.bmp", "P2/more/x.png"):
        write_image(tmp_path / "in" / name, picture(16, 16))
    both = find_inputs([str(tmp_path / "in/P1"), str(tmp_path / "in/P2")])
    assert _names(both) == {"P1/scan", "P2/scan.png", "P2/scan.bmp", "P2/more/x"}
    assert len(said) == 2 and str(tmp_path / "in") in said[0]
    assert _names(find_inputs([f"{tmp_path}/in/*/scan.png"])) == {"P1/scan", "P2/scan"}
    listing = tmp_path / "list.txt"
    listing.write_text("in/P1/scan.png\nin/P1/../P1/scan.png\nin/P2/scan.png\n", encoding="utf-16")
    assert _names(find_inputs([str(listing)])) == {"P1/scan", "P2/scan"}


def test_names_that_stay_equal_are_refused(tmp_path, picture):
    for name in ("a.jpg", "a.png", "a.jpg.png"):
        write_image(tmp_path / name, picture(16, 16))
    with pytest.raises(InputError, match="would get the same mask name"):
        find_inputs([str(tmp_path)])


def test_a_list_may_hold_names_that_are_not_utf_8_if_there_are_such_files(tmp_path, picture):
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.png"))
    write_image(tmp_path / "x.png", picture(16, 16))
    try:
        (tmp_path / "x.png").rename(strange)
    except OSError:
        pytest.skip("this file system takes no such names")
    listing = tmp_path / "list.txt"
    listing.write_bytes(b"bad\xff.png\n")
    assert [job.image for job in find_inputs([str(listing)])] == [strange]
    listing.write_bytes(b"gone\xff.png\n")
    with pytest.raises(InputError, match="save it as UTF-8"):
        find_inputs([str(listing)])


def test_what_an_earlier_prediction_wrote_is_passed_over_but_nothing_that_is_named(images, tmp_path, picture):
    where, sizes = images
    write_image(where / "masks" / "old.png", picture(32, 32))
    for found in (find_inputs([str(where)], where / "masks"), find_inputs([f"{where}/**/*.png"], where / "masks")):
        assert len(found) == len(sizes)
    assert [job.name for job in find_inputs([str(where / "masks" / "old.png")], where / "masks")] == ["old"]
    write_image(tmp_path / "other" / "q.png", picture(32, 32))
    both = find_inputs([str(where), str(tmp_path / "other" / "q.png")], where)
    assert len(both) == len(sizes) + 2


def test_links_are_followed_and_what_is_left_out_of_a_folder_is_said(tmp_path, picture, said):
    write_image(tmp_path / "in" / "a.png", picture(16, 16))
    write_image(tmp_path / "elsewhere" / "b.png", picture(16, 16))
    (tmp_path / "in" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "dead.png").symlink_to(tmp_path / "nowhere.png")
    for name in ("c.jp2", "d.mha", "e.svs", "f.vms"):
        (tmp_path / "in" / name).touch()
    assert _names(find_inputs([str(tmp_path / "in")])) == {"a", "more/b", "e", "f"}
    text = "\n".join(said)
    assert (
        all(word in text for word in ("more is a link", "1 dead link", "JPEG 2000", "volume")) and "e.svs" not in text
    )


@pytest.mark.parametrize("place", ["s3://bucket/images", "gs://bucket/images/*.png", "file://host/images"])
def test_a_place_that_is_no_path_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is not on a disk: mount it"):
        find_inputs([place])
    with pytest.raises(InputError, match="is not on a disk: mount it"):
        predict_files(None, [], Path(place))
    assert not [*tmp_path.iterdir()]


def test_the_masks_of_a_data_set_are_no_images(tmp_path, save, caplog):
    for folder in ("images", "masks", "fov"):
        for name in ("a.png", "b.png"):
            save(tmp_path / "set" / folder / name, np.zeros((8, 8), np.uint8))
    with caplog.at_level("INFO"):
        found = find_inputs([str(tmp_path / "set")])
    assert [job.name for job in found] == ["images/a", "images/b"]
    assert "4 files in folders of masks, as fov/a.png, are left out" in caplog.text
    assert [job.name for job in find_inputs([str(tmp_path / "set" / "masks")])] == ["a", "b"]


def test_folders_whose_names_tell_nothing_are_images(tmp_path, save):
    for folder in ("left", "masks"):
        save(tmp_path / "set" / folder / "a.png", np.zeros((8, 8), np.uint8))
    assert len(find_inputs([str(tmp_path / "set")])) == 2
