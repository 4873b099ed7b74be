"""Damage to an exported file is noticed before it is run, wherever it is; so is a mix of two exports."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from amsunet.data.images import Array
from amsunet.deployment.exporters import ExportModule, missing_package, write_network
from amsunet.errors import InputError
from amsunet.inference.export_checksum import append_checksum, verify_checksum
from amsunet.inference.model_ref import ALL_SUFFIXES
from amsunet.inference.runtime import open_runtime

_OPENED_BY = {
    "onnx": "onnxruntime.InferenceSession",
    "openvino": "openvino.Core.read_model",
    "pt2": "torch.export.load",
}
_TRAILER = 120
"""Bytes that the longest trailer is shorter than."""


def _needing_packages(*formats: str) -> list[object]:
    return [
        pytest.param(
            to, marks=pytest.mark.skipif(missing_package(to) is not None, reason=f"needs {missing_package(to)}")
        )
        for to in formats
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Callable[[str], Path]:
    """A network of one convolution in a format, which is made once."""
    made: dict[str, Path] = {}

    def write(to: str) -> Path:
        if to not in made:
            torch.manual_seed(0)
            path = tmp_path_factory.mktemp(to) / f"network{ALL_SUFFIXES[to]}"
            whole = ExportModule(torch.nn.Conv2d(1, 2, 3, padding=1), (0.0,), (1 / 255,))
            write_network(whole, path, to, "float32", description="{}")
            made[to] = path
        return made[to]

    return write


@pytest.fixture
def copied(written, tmp_path) -> Callable[[str], Path]:
    def copy(to: str) -> Path:
        folder = Path(shutil.copytree(written(to).parent, tmp_path / to))
        return folder / written(to).name

    return copy


def _flip(path: Path, place: int, bit: int) -> bytes:
    """Turn one bit of a file round; its bytes before come back."""
    before = path.read_bytes()
    changed = bytearray(before)
    changed[place] ^= 1 << bit
    path.write_bytes(changed)
    return before


def _output(path: Path) -> Array:
    return open_runtime(path)(np.linspace(0, 255, 32 * 33, dtype=np.float32).reshape(1, 1, 32, 33))


@pytest.mark.parametrize("to", _needing_packages("onnx", "openvino", "pt2", "executorch"))
def test_every_flipped_bit_is_noticed_or_changes_nothing(copied, to, tally):
    network = copied(to)
    expected = _output(network)
    rng = np.random.default_rng(0)
    for path in sorted(network.parent.iterdir()):
        size = path.stat().st_size
        end = _TRAILER if path == network else 0
        for place in rng.integers(0, size - end, 200):
            before = _flip(path, place, rng.integers(8))
            with pytest.raises(InputError, match="checksum differs"):
                open_runtime(network)
            path.write_bytes(before)
        tally("bit flips", f"export to {to}, a network of one layer", flips=200, refused=200, changed_in_silence=0)
        for place in range(size - end, size, 4):
            before = _flip(path, place, rng.integers(8))
            try:
                np.testing.assert_array_equal(_output(network), expected)
            except InputError as error:
                assert re.search("checksum differs|cannot be opened", str(error))
            path.write_bytes(before)
    np.testing.assert_array_equal(_output(network), expected)


@pytest.mark.parametrize("to", _needing_packages("onnx", "openvino", "pt2", "executorch"))
@pytest.mark.parametrize("left", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_is_refused(copied, to, left):
    network = copied(to)
    for path in sorted(network.parent.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[: int(left * len(content))])
        with pytest.raises(InputError, match=r"checksum differs|cannot be opened"):
            open_runtime(network)
        path.write_bytes(content)


@pytest.mark.parametrize("to", _needing_packages("openvino"))
def test_files_of_two_exports_do_not_go_together(written, tmp_path, to):
    first, second = written(to), tmp_path / "second.xml"
    whole = ExportModule(torch.nn.Conv2d(1, 2, 3, padding=1), (0.0,), (1 / 255,))  # of the same size
    write_network(whole, second, to, "float32", description="{}")
    assert first.with_suffix(".bin").stat().st_size == second.with_suffix(".bin").stat().st_size
    shutil.copy(first.with_suffix(".bin"), second.with_suffix(".bin"))
    with pytest.raises(InputError, match=r"second\.xml and second\.bin are not of one export"):
        open_runtime(second)


@pytest.mark.parametrize("to", _needing_packages("onnx", "openvino", "pt2"))
def test_a_want_of_memory_is_no_damage(written, monkeypatch, to):
    def fail(*_, **__):
        raise RuntimeError("std::bad_alloc")

    path = written(to)
    monkeypatch.setattr(_OPENED_BY[to], fail)
    with pytest.raises(RuntimeError, match=r"^std::bad_alloc$") as raised:
        open_runtime(path)
    assert not isinstance(raised.value, InputError)


@pytest.mark.parametrize("to", _needing_packages("onnx", "openvino", "pt2"))
def test_a_file_of_an_earlier_version_opens_with_a_note(copied, said, to):
    network = copied(to)
    expected = _output(network)
    assert not said
    content = network.read_bytes()
    end = content.rindex(b"amsunet.sha256")
    start = {".onnx": end - 4, ".xml": end - len("<!-- "), ".pt2": end}[network.suffix]
    earlier = content[:start]
    network.write_bytes(earlier[:-2] + b"\0\0" if to == "pt2" else earlier)
    assert verify_checksum(network) is None
    np.testing.assert_array_equal(_output(network), expected)
    (note,) = said
    assert re.fullmatch(rf"note: .*network\{network.suffix} has no checksum, .*: export it again", note)


@pytest.mark.parametrize("to", _needing_packages("onnx", "openvino", "pt2"))
def test_the_checksum_is_what_the_format_allows(written, to):
    """Other programs read the file as before."""
    path = written(to)
    digits = verify_checksum(path)
    assert digits and re.fullmatch("[0-9a-f]{64}", digits)
    if to == "onnx":
        onnx = pytest.importorskip("onnx")
        model = onnx.load(path)
        onnx.checker.check_model(model)
        described = {entry.key: entry.value for entry in model.metadata_props}
        assert described == {"amsunet": "{}", "amsunet.macs_per_pixel": "18", "amsunet.sha256": digits}
    elif to == "pt2":
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None and file.comment == f"amsunet.sha256 {digits}".encode()


def test_what_a_checksum_covers(tmp_path):
    weights = tmp_path / "a.bin"
    weights.write_bytes(b"weights")
    for suffix in (".onnx", ".xml", ".pte"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(b"content")
        first = append_checksum(path)
        assert verify_checksum(path) == first
        path.write_bytes(b"other content")
        assert append_checksum(path) != first
    weights.write_bytes(b"Weights")
    with pytest.raises(InputError, match="not of one export"):
        verify_checksum(tmp_path / "a.xml")
    weights.unlink()
    with pytest.raises(InputError, match=r"a\.bin is missing, which a\.xml needs"):
        verify_checksum(tmp_path / "a.xml")
