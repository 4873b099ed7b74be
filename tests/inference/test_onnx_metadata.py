"""What an ONNX file says of itself is read as ONNX Runtime reads it, and damage ends in a sentence."""

from __future__ import annotations

import random

import onnxruntime
import pytest

from amsunet.errors import InputError
from amsunet.inference.onnx_metadata import MACS, read_onnx_metadata
from amsunet.zoo import read_card, zoo_names


@pytest.mark.parametrize("name", zoo_names())
def test_it_is_what_the_runtime_reads(name):
    path = read_card(name).onnx
    found = read_onnx_metadata(path)
    assert found == onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert {"amsunet", "amsunet.sha256", MACS} == {*found}


def test_damage_ends_in_a_sentence(tmp_path):
    path, content = tmp_path / "a.onnx", read_card("nuclei").onnx.read_bytes()
    tail = content[-6000:]  # the metadata: what comes before is passed over
    chance = random.Random(0)
    for _ in range(300):
        damaged = bytearray(tail[chance.randrange(5000) :])
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randrange(len(damaged))])
        try:
            read_onnx_metadata(path)
        except InputError as error:
            assert str(error) == f"{path} is no ONNX file or is damaged: copy it again, or export it again"
    for content in (
        b"PK\x03\x04" + bytes(100),
        b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x72\x04\x0a\x02\xff\xfe",
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no ONNX file or is damaged"):
            read_onnx_metadata(path)
