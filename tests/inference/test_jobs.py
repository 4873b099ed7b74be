"""Which images are named, and what their masks are called."""

from __future__ import annotations

import pytest

from amsunet.data.images import write_image
from amsunet.errors import InputError
from amsunet.inference.jobs import Job, find_inputs


def test_folder_names_all_images_below_it(images):
    where, sizes = images
    assert {job.name: job.image for job in find_inputs([str(where)])} == {n: where / f"{n}.png" for n in sizes}


def test_pattern_path_list_and_sample(images, tmp_path):
    where, _ = images
    assert [job.name for job in find_inputs([str(where / "[ab].png")])] == ["a", "b"]
    assert {job.name for job in find_inputs([str(where / "**" / "*.png")])} == {"a", "b", "c", "d", "e.with.dots"}
    assert find_inputs([str(where / "c.png")]) == [Job(where / "c.png", "c")]
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


@pytest.mark.parametrize("others", [["other/a.png"], ["images/a.jpg"]])
def test_equal_names_are_refused(images, tmp_path, picture, others):
    for other in others:
        write_image(tmp_path / other, picture(32, 32))
    with pytest.raises(InputError, match="would get the same mask name"):
        find_inputs([str(images[0]), *(str(tmp_path / other) for other in others)])


def test_what_an_earlier_prediction_wrote_is_passed_over_but_nothing_that_is_named(images, tmp_path, picture):
    where, sizes = images
    write_image(where / "masks" / "old.png", picture(32, 32))
    for found in (find_inputs([str(where)], where / "masks"), find_inputs([f"{where}/**/*.png"], where / "masks")):
        assert len(found) == len(sizes)
    assert [job.name for job in find_inputs([str(where / "masks" / "old.png")], where / "masks")] == ["old"]
    write_image(tmp_path / "other" / "q.png", picture(32, 32))
    both = find_inputs([str(where), str(tmp_path / "other" / "q.png")], where)
    assert len(both) == len(sizes) + 2
