"""JSON with the checksum of its content."""

from __future__ import annotations

import json
import random

import pytest

from amsunet.checked_json import read_checked, write_checked
from amsunet.errors import InputError

_CONTENT = {
    "seed": 12,
    "crop": (32, 64),
    "lr": 1e-3,
    "none": float("nan"),
    "name": "nüclei\udcff",
    "by": {"b": 1, "a": 2},
}
_READ = {**_CONTENT, "crop": [32, 64], "none": None}


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "config.json"
    write_checked(path, _CONTENT)
    assert read_checked(path) == _READ
    assert len(json.loads(path.read_text(encoding="utf-8"))["sha256"]) == 64


def test_a_flip_changes_nothing_in_silence(tmp_path):
    path = tmp_path / "config.json"
    write_checked(path, _CONTENT)
    sound, rng, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(300):
        flipped = bytearray(sound)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            assert read_checked(path) == _READ, "white space alone is another"
        except InputError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
        except AssertionError:
            # The name of the checksum was hit, which the reader of the record does not know.
            assert set(read_checked(path)) - set(_READ), bytes(flipped)
    assert refused > 200


def test_an_edit_is_noticed_and_kept_without_the_checksum(tmp_path):
    path = tmp_path / "config.json"
    write_checked(path, {"seed": 12})
    content = json.loads(path.read_text()) | {"seed": 13}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"config\.json is damaged or was edited, .*: copy it; to keep an edit, take"):
        read_checked(path, damaged="copy it")
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert read_checked(path) == {"seed": 13}


@pytest.mark.parametrize("content", ["[1]", "3", "{}"])
def test_json_without_a_checksum_is_read(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    assert read_checked(tmp_path / "x.json") == json.loads(content)
