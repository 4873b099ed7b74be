"""Descriptions of networks that somebody made up: refused where they are read, in one sentence."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from amsunet.errors import InputError
from amsunet.inference.model_file import _checksum, load_model
from amsunet.inference.model_metadata import (
    METADATA,
    ModelDescription,
    describe_together,
    parse_description,
    read_description,
)
from amsunet.inference.model_ref import FILE_NAME
from amsunet.zoo import FOLDER, zoo_names


@pytest.fixture
def known(make_run) -> dict:
    """A description, as JSON holds it, that is accepted."""
    found = read_description(make_run() / FILE_NAME)
    assert found is not None
    return json.loads(found.model_dump_json())


def _set(known: dict, path: str, value: object) -> str:
    *way, last = path.split(".")
    inner = known
    for name in way:
        inner = inner[name]
    inner[last] = value
    return json.dumps(known)


_NAMES = [
    *(
        "../../x",
        "/x",
        "a/b",
        "a\\b",
        "a\0b",
        "",
        " ",
        ".",
        "..",
        "x" * 101,
        "a\nb",
        "\x1b[2J",
        "\u202ea",
        "Background",
    ),
]
_STATISTICS = {"images": [[0.0] * 17], "spread": [1.0] * 17, "limit": 1.0}
_WRONG = [
    *(("convention.class_names", ["background", name]) for name in _NAMES),
    *(("convention", {"kind": "folders", "values": [0, 1, 2], "class_names": ["b", *names]})
      for names in (["x", "X"], ["x", "../y"])),
    ("convention", {"kind": "values", "values": list(range(300)), "class_names": [f"c{n}" for n in range(300)]}),
    ("convention", {"kind": "values", "values": [], "class_names": []}),
    ("convention", {"kind": "values", "values": [0, 1, 2], "class_names": ["a", "b", "c"]}),
    ("convention.order", [1, 1]),
    ("convention.order", [7]),
    ("convention.folders", ["a", "b", "c"]),
    ("convention.threshold", float("nan")),
    *(("temperature", value) for value in (0, -1, 1e-300, 1e300, float("nan"), float("inf"), "x", None)),
    *(("threshold", value) for value in (-0.1, 1.1, float("nan"))),
    *(("smallest_object", value) for value in (-1, 2**40, 0.5, float("inf"))),
    *(("uncertainty_limit", value) for value in (-1, 2, float("nan"))),
    *(("preprocessing.mean", value) for value in ([1e9], [-1], [float("nan")], [], [0.5] * 3)),
    *(("preprocessing.std", value) for value in ([0], [-1], [1e-300], [float("inf")], [1e9])),
    *(("preprocessing.scale", value) for value in (0, -1, 1e-9, 5, float("nan"))),
    *(("preprocessing.in_channels", value) for value in (0, 2, 3, 1000)),
    *(("preprocessing.typical_size", value) for value in ([0, 5], [-1, 5], [10**12, 5], [5])),
    *(("preprocessing.size_range", value) for value in ([[0, 1], [5, 5]], [[1, 1], [5, 10**30]])),
    *(("preprocessing.spacing", value) for value in ([0, 1], [float("nan"), 1], [1e30, 1])),
    ("preprocessing.values", [{"type": "uint8", "low": float("-inf"), "high": 1}]),
    ("preprocessing.values", [{"type": "uint8", "low": 0, "high": 1}] * 10),
    ("image_statistics", _STATISTICS | {"images": [[0.0] * 3]}),
    ("image_statistics", _STATISTICS | {"images": []}),
    ("image_statistics", _STATISTICS | {"images": [[0.0] * 17] * 300}),
    ("image_statistics", _STATISTICS | {"spread": [0.0] * 17}),
    ("image_statistics", _STATISTICS | {"limit": float("nan")}),
    ("code", "\x1b[2J"),
    ("model", "x" * 5000),
    ("arguments.in_channels", 3),
    ("arguments.num_classes", 3),
    ("arguments.base_channels", 10**400),
    ("arguments.base_channels", float("nan")),
    ("arguments.dilations", [1] * 1000),
    ("arguments.mixer", "x" * 5000),
    ("arguments.dilations", [[[[[[1]]]]]]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), _WRONG, ids=[f"{n}-{field}" for n, (field, _) in enumerate(_WRONG)])
def test_a_field_that_cannot_be_is_refused_in_one_sentence(known, tmp_path, field, value):
    with pytest.raises(InputError, match=r"m\.onnx (describes its network wrongly|was written by another)") as told:
        parse_description(_set(known, field, value), tmp_path / "m.onnx")
    assert len(str(told.value)) < 400 and str(told.value).isprintable()
    assert field.split(".")[0] in str(told.value) or "arguments have" in str(told.value)


def test_what_is_accepted_stays_accepted(known, tmp_path):
    assert parse_description(json.dumps(known), tmp_path).model_dump(mode="json") == known
    known["image_statistics"] = _STATISTICS
    assert parse_description(json.dumps(known), tmp_path).image_statistics is not None


@pytest.mark.parametrize("name", zoo_names())
def test_the_zoo_is_within_all_bounds(name):
    assert isinstance(read_description(FOLDER / f"{name}.safetensors"), ModelDescription)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "", "null", '{"model": 1}', "NaN"])
def test_text_that_is_no_description_is_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"m\.onnx (is damaged|was written by another version|describes)"):
        parse_description(text, tmp_path / "m.onnx")


@pytest.mark.parametrize("header", [b"[" * 200_000, b'{"__metadata__": []}', b"{}", b"\xff", b""])
@pytest.mark.parametrize("length", [None, 2**63 - 1, 2**64 - 1])
def test_a_header_that_is_none_is_refused(tmp_path, header, length):
    path = tmp_path / FILE_NAME
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match="is damaged"):
        read_description(path)


def _forge(path, **fields) -> None:
    """Write a description as whoever means harm would: with the checksum that goes with it."""
    content = path.read_bytes()
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    weights = load_file(path)
    text = json.dumps(json.loads(metadata[METADATA]) | fields)
    save_file(weights, path, {METADATA: text, "sha256": _checksum(weights, text)})


@pytest.mark.parametrize(
    "fields",
    [
        {"arguments": {"in_channels": 1, "num_classes": 2, "base_channels": 3000}},
        {"arguments": {"in_channels": 1, "num_classes": 2, "base_channels": 500_000}},
        {
            "arguments": {"in_channels": 1, "num_classes": 3, "base_channels": 4},
            "convention": {"kind": "values", "values": [0, 1, 2], "class_names": ["a", "b", "c"]},
        },
        {"model": "unet", "arguments": {"in_channels": 1, "num_classes": 2, "base_channels": 4}},
    ],
    ids=["wide", "wider", "classes", "network"],
)
def test_weights_of_other_shapes_are_refused_without_a_network_being_built(make_run, monkeypatch, fields):
    path = make_run() / FILE_NAME
    _forge(path, **fields)

    class Watch(TorchDispatchMode):
        """Holds that whatever is made has no memory: 3000 channels would take 22 GB."""

        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            made = function(*arguments, **(named or {}))
            assert not isinstance(made, torch.Tensor) or made.device.type == "meta" or made.numel() < 10**6
            return made

    monkeypatch.setattr(torch.nn.Module, "to_empty", None)
    with Watch(), pytest.raises(InputError, match="weights that do not fit its description"):
        load_model(path)


def test_classes_that_the_weights_do_not_have_are_refused(make_run):
    path = make_run() / FILE_NAME
    _forge(path, convention={"kind": "values", "values": [0, 1, 2], "class_names": ["a", "b", "c"]})
    with pytest.raises(InputError, match="arguments have num_classes 2, and all else is for 3"):
        load_model(path)


def test_a_description_of_before_objects_were_parted_keeps_connected_components(known, tmp_path):
    del known["separation"]
    assert parse_description(json.dumps(known), tmp_path / "model").separation == 0


def test_a_waist_is_as_deep_in_what_the_network_sees_whatever_the_size_of_the_image(known, tmp_path):
    known["preprocessing"] |= {"scale": 0.5}
    description = parse_description(_set(known, "separation", 2.0), tmp_path / "model")
    assert description.separation_in(100, 100) == 2
    halved = description.at_scale(0.25)
    assert halved.separation == 4 and halved.separation_in(100, 100) == 4
    known["preprocessing"] |= {"spacing": [0.5, 0.5]}
    spaced = parse_description(_set(known, "separation", 2.0), tmp_path / "model")
    assert spaced.separation_in(100, 100, (0.25, 0.25)) == pytest.approx(4)


@pytest.mark.parametrize(("separations", "expected"), [((1, 2, 0), 1.5), ((1, 0, 0), 0), ((0, 0), 0), ((1, 0), 0)])
def test_an_ensemble_parts_objects_if_most_of_its_networks_do(known, tmp_path, separations, expected):
    known = [parse_description(_set(known, "separation", one), tmp_path / "model") for one in separations]
    assert describe_together(known, 0.5).separation == expected
