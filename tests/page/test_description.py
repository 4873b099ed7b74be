"""What an exported network tells of itself, read in the browser."""

from __future__ import annotations

import json

import pytest
from made_onnx import describe, write

_READ = """bytes => import("/description.js").then(({ descriptionOf }) => {
  try {
    return descriptionOf(Uint8Array.from(bytes), "small");
  } catch (error) {
    return [error.code, error.values];
  }
})"""


def _changed(**fields):
    known = json.loads(describe().model_dump_json())
    return json.dumps({name: value for name, value in (known | fields).items() if value != "left out"})


def test_the_description_is_that_of_the_export(blank, tmp_path):
    network = write(tmp_path)
    expected = json.loads(describe().model_dump_json())
    assert blank.evaluate(_READ, list(network.path.read_bytes())) == expected


@pytest.mark.parametrize(
    ("description", "problem"),
    [
        (_changed(format=2), "format 2"),
        (_changed(format="left out"), "format undefined"),
        (_changed(preprocessing="left out"), "preprocessing"),
        ("{not JSON", "model"),
        ("7", "model"),
        ("null", "model"),
    ],
)
def test_an_export_of_another_version_is_refused(blank, tmp_path, description, problem):
    network = write(tmp_path, description=description)
    answer = blank.evaluate(_READ, list(network.path.read_bytes()))
    assert answer == ["network_other_version", {"name": "small", "problem": problem}]


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x72\x7f\x01", b"no network at all"])
def test_what_is_no_export_is_refused(blank, content):
    answer = blank.evaluate(_READ, list(content))
    assert answer == ["network_other_version", {"name": "small", "problem": "model"}]
