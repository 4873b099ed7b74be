"""Weights and description in one file, and files that are none."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import amsunet.zoo
from amsunet.errors import InputError
from amsunet.inference.model_file import _checksum, load_model, save_model
from amsunet.inference.model_metadata import METADATA, parse_description
from amsunet.inference.model_ref import FILE_NAME


def test_what_was_saved_is_loaded(make_run, tmp_path):
    path = make_run(threshold=0.35) / FILE_NAME
    network, description = load_model(path)
    assert not network.training
    assert description.threshold == 0.35
    assert description.arguments == {"in_channels": 1, "num_classes": 2, "base_channels": 4}
    save_model(tmp_path / "other" / FILE_NAME, network, description)
    again, same = load_model(tmp_path / "other" / FILE_NAME)
    assert same == description
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())


def test_the_same_network_is_the_same_bytes(make_run, tmp_path):
    """The library writes metadata in another order each time."""
    network, description = load_model(make_run(names=("background", "Drüse")) / FILE_NAME)
    for number in range(12):
        save_model(tmp_path / f"{number}.safetensors", network, description)
    assert len({path.read_bytes() for path in tmp_path.glob("*.safetensors")}) == 1
    assert load_model(tmp_path / "0.safetensors")[1] == description


@pytest.mark.parametrize(
    ("bits", "dtype", "white"), [(16, np.uint16, 65535), (32, np.float32, 1), (8, np.uint16, 4095)]
)
def test_a_run_of_an_earlier_version_sees_images_as_it_was_trained(make_run, bits, dtype, white):
    run = make_run()
    (run / "data.json").write_text(json.dumps({"fingerprint": {"bits": bits}}))
    dark = np.linspace(0, 4095 if dtype == np.uint16 else 0.05, 400).reshape(20, 20, 1).astype(dtype)
    for path in (run / FILE_NAME, run / "export" / "float32.onnx"):  # what it says of itself is read alike
        seen = parse_description(load_model(run / FILE_NAME)[1].model_dump_json(), path).preprocessing
        assert seen.normalize(dark).max() == round(255 * float(dark.max()) / white)
    assert (load_model(run / FILE_NAME)[1].preprocessing.values == ()) == (bits == 8)


def _described_in(path):
    """The preprocessing as the file itself has it."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"][METADATA])["preprocessing"]


@pytest.mark.parametrize("name", ["glands", "lesions", "vessels"])
def test_a_file_is_read_under_former_names_and_written_under_todays(name, tmp_path):
    """These weights of the zoo were written before ``windowing`` was called ``normalization``."""
    path = amsunet.zoo.FOLDER / f"{name}.safetensors"
    former = _described_in(path)
    assert "normalization" not in former
    network, description = load_model(path)
    save_model(tmp_path / FILE_NAME, network, description)
    written = _described_in(tmp_path / FILE_NAME)
    assert "windowing" not in written and written["normalization"] == former["windowing"]
    assert load_model(tmp_path / FILE_NAME)[1] == description


def test_weights_in_another_memory_order_come_back_as_they_were(make_run, tmp_path):
    network, description = load_model(make_run() / FILE_NAME)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_model(tmp_path / "last.safetensors", network.to(memory_format=torch.channels_last), description)
    after = load_model(tmp_path / "last.safetensors")[0].state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_one_tensor_under_two_names_is_saved(make_run, tmp_path):
    network, description = load_model(make_run() / FILE_NAME)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.again = network.head  # a second name, as networks that keep their parts in a list beside the whole
    save_model(tmp_path / FILE_NAME, network, description)
    saved = load_file(tmp_path / FILE_NAME)
    assert torch.equal(saved["again.weight"], saved["head.weight"])
    assert all(torch.equal(value, saved[name]) for name, value in before.items())


def test_failed_writing_leaves_the_old_file_and_no_other(make_run, monkeypatch):
    path = make_run() / FILE_NAME
    network, description = load_model(path)
    before = path.read_bytes()

    write = Path.write_bytes

    def full(target, content):
        write(target, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"No space left on device.*free some space"):
        save_model(path, network, description)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("place", [0, 9, 0.3, 0.6, 0.999])
def test_a_damaged_byte_is_noticed(make_run, place):
    """At the head's length, in the head, and in the weights."""
    path = make_run() / FILE_NAME
    content = bytearray(path.read_bytes())
    content[place if isinstance(place, int) else int(place * len(content))] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors (is|was|holds) .*(damaged|another version)"):
        load_model(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9999])
def test_a_truncated_file_is_noticed(make_run, share):
    path = make_run() / FILE_NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
@pytest.mark.parametrize("step", ["safe_open", "_build_for"])
def test_a_want_of_memory_is_no_damage(make_run, monkeypatch, step, error):
    def fail(*_, **__):
        raise error

    path = make_run() / FILE_NAME
    monkeypatch.setattr(f"amsunet.inference.model_file.{step}", fail)
    with pytest.raises(type(error)) as raised:
        load_model(path)
    assert raised.value is error


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        load_model(tmp_path / FILE_NAME)


class _Trap:
    """Executed when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_a_pickle_is_refused_and_its_code_not_executed(tmp_path, write):
    trap, path = tmp_path / "executed", tmp_path / FILE_NAME
    write(_Trap(trap), path)
    with pytest.raises(InputError, match="pickled checkpoints are never opened"):
        load_model(path)
    assert not trap.exists()
    torch.save(_Trap(trap), tmp_path / "trap.pt")
    torch.load(tmp_path / "trap.pt", weights_only=False).close()
    assert trap.exists(), "the trap does not work: nothing was tested"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta.pop("amsunet"), "not a model of amsunet"),
        (lambda meta: meta.pop("sha256"), "checksum differs"),
        (lambda meta: _change(meta, threshold=0.9), "checksum differs"),
        (lambda meta: _change(meta, surprise=1), r"another version of amsunet \(surprise: "),
        (lambda meta: _change(meta, model="unknown-net"), "do not fit its description"),
        (lambda meta: _change(meta, arguments={"base_channels": 8}), "do not fit its description"),
        (lambda meta: _change(meta, arguments={"wings": 2}), "do not fit its description"),
    ],
)  # fmt: skip
def test_a_foreign_description_is_refused(make_run, change, message):
    path = make_run() / FILE_NAME
    weights = load_file(path)
    metadata = _metadata(path)
    change(metadata)
    if message != "checksum differs" and "amsunet" in metadata:
        metadata["sha256"] = _checksum(weights, metadata["amsunet"])  # as who means it would
    save_file(weights, path, metadata)
    with pytest.raises(InputError, match=message):
        load_model(path)


def _metadata(path) -> dict[str, str]:
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def _change(metadata: dict[str, str], **fields) -> None:
    metadata["amsunet"] = json.dumps(json.loads(metadata["amsunet"]) | fields)
