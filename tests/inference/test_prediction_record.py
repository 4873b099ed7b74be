"""The record of what was predicted into a folder."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from amsunet.inference.prediction_record import RECORD, Prediction, PredictionRecord, checksum, stamp


def _prediction(name: str, **more) -> Prediction:
    return Prediction(name=name, image=f"{name}.png", network="n", **more)


def test_of_a_name_the_last_line_holds(tmp_path):
    record = PredictionRecord(tmp_path / "out")
    record.begin(["a", "sub/b"])
    first = _prediction("a", file=(1, 2, 3), checksum="c", outputs={"a.png": 5}, uncertainty=0.25, reason="r")
    record.add(first)
    again = PredictionRecord(tmp_path / "out")
    again.read()
    assert again.find("a") == first and not again.is_begun("a")
    assert again.find("sub/b") is None and again.is_begun("sub/b")
    assert again.find("c") is None and not again.is_begun("c")
    record.begin(["a"])
    again.read()
    assert again.find("a") is None and again.is_begun("a")
    record.add(_prediction("a", failure="is damaged"))
    again.read()
    assert again.find("a").failure == "is damaged" and again.find("a").review is None
    assert [one.name for one in again.predictions()] == ["a", "a"]


@pytest.mark.parametrize("cut", range(1, 48, 6))
def test_a_line_that_a_kill_tore_costs_that_line_alone(tmp_path, cut):
    record = PredictionRecord(tmp_path)
    for name in "ab":
        record.add(_prediction(name))
    content = (tmp_path / RECORD).read_bytes()
    (tmp_path / RECORD).write_bytes(content[:-cut])
    record.add(_prediction("c"))
    record.read()
    whole = cut == 1  # the end of the line alone was missing
    assert [one.name for one in record.predictions()] == (["a", "b", "c"] if whole else ["a", "c"])
    assert (record.find("b") is None) != whole


@pytest.mark.parametrize(
    "line",
    [b"", b"null", b"[]", b"7", b'{"name": "a"}', b'{"name": 3}', b'{"begun": 3}', b'{"begun": [3]}', b"\xff\xfe",
     b"[" * 200_000,
     b'{"name": "a", "image": "x", "network": "n", "outputs": {"a.png": "many"}}',
     b'{"name": "a", "image": "x", "network": "n", "uncertainty": 1e999, "unknown": 1}'],
)  # fmt: skip
def test_a_damaged_line_is_passed_over(tmp_path, line):
    (tmp_path / RECORD).write_bytes(line + b"\n")
    record = PredictionRecord(tmp_path)
    record.add(_prediction("b"))
    record.read()
    assert record.find("a") is None and record.find("b") == _prediction("b")


def test_names_that_are_not_utf_8_are_found(tmp_path):
    name = os.fsdecode(b"bad\xff")
    record = PredictionRecord(tmp_path)
    record.begin([name])
    record.read()
    assert record.is_begun(name)


def test_lines_of_many_threads_stay_whole(tmp_path):
    records = [PredictionRecord(tmp_path) for _ in range(2)]
    names = [f"{number}" for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: records[int(name) % 2].add(_prediction(name)), names))
    assert sorted(one.name for one in records[0].predictions()) == sorted(names)


def test_a_file_system_without_locks_is_said_once(tmp_path, monkeypatch, said):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    record = PredictionRecord(tmp_path)
    for name in "ab":
        record.add(_prediction(name))
    assert [one.name for one in record.predictions()] == ["a", "b"]
    assert len(said) == 1 and "knows no locks" in said[0]


def test_an_image_is_known_by_its_stamp_and_else_by_its_content(tmp_path):
    image = tmp_path / "a.png"
    image.write_bytes(b"content")
    known = Prediction(name="a", image=str(image), network="n", file=stamp(image), checksum=checksum(image))
    assert known.is_of(image)
    assert known.model_copy(update={"checksum": "of another one"}).is_of(image), "not read where the stamp is the same"
    before = image.stat()
    image.write_bytes(b"CONTENT")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not known.is_of(image), "of the same size and time"
    moved = tmp_path / "elsewhere.png"
    moved.write_bytes(b"content")
    assert known.is_of(moved)
    assert not known.is_of(tmp_path / "missing.png") and not known.is_of(tmp_path)


def test_a_slide_is_known_by_its_size_and_time(tmp_path):
    slide = tmp_path / "a.svs"
    slide.write_bytes(b"content")
    known = Prediction(name="a", image=str(slide), network="n", file=stamp(slide))
    slide.chmod(0o600)
    assert known.is_of(slide)
    os.utime(slide, ns=(0, 0))
    assert not known.is_of(slide)
