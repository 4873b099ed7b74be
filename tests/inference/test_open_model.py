"""Runs and exported files behind one interface."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import amsunet
from amsunet.data.builtin_samples import locate
from amsunet.data.images import read_image
from amsunet.deployment.export import export
from amsunet.errors import InputError
from amsunet.inference.export_checksum import append_checksum
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_metadata import METADATA, read_description
from amsunet.inference.model_ref import FILE_NAME, ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnxscript", "openvino")),
    reason='needs pip install "amsunet[export]"',
)


@pytest.fixture(scope="module")
def shipped(whole, captured_once, tmp_path_factory):
    """A run with exported networks in it, to read from."""
    run = shutil.copytree(whole.run, tmp_path_factory.mktemp("runs") / "shipped")
    with captured_once():
        for to in ("onnx", "openvino"):
            export(run, to)
    return run


@pytest.fixture(scope="module")
def image():
    return read_image(sorted((locate("sample:nuclei") / "test" / "images").iterdir())[0])


@pytest.fixture(scope="module")
def expected(shipped, image):
    return amsunet.load(shipped, RuntimeOptions(device="cpu", precision="float32")).predict(image)


@pytest.mark.parametrize("to", ["onnx", "openvino"])
@pytest.mark.parametrize("tta", ["none", "flips"])
def test_a_file_and_its_run_give_what_torch_gives(shipped, image, to, tta):
    exact = amsunet.load(shipped, RuntimeOptions(device="cpu", precision="float32", tta=tta)).predict(image)
    path = ModelRef.resolve(shipped).export_path(to, "float32")
    for found in (
        amsunet.load(path, RuntimeOptions(tta=tta)).predict(image),
        amsunet.load(path, RuntimeOptions(runtime=to, tta=tta)).predict(image),
        amsunet.load(shipped, RuntimeOptions(runtime=to, tta=tta)).predict(image),
    ):
        np.testing.assert_allclose(found.probability, exact.probability, atol=1e-4)
        assert (found.mask != exact.mask).mean() < 1e-3
        assert found.convention == exact.convention


def test_of_several_files_the_most_exact_is_taken(shipped, captured_once, image, expected, tmp_path, said):
    run = shutil.copytree(shipped, tmp_path / "several")
    with captured_once():
        export(run, "openvino", precision="float16")
    assert str(amsunet.load(run, RuntimeOptions(runtime="openvino"))) == "OpenVINO (float32.xml)"
    assert "float16.xml" in str(amsunet.load(run, RuntimeOptions(runtime="openvino", precision="float16")))
    said.clear()
    ModelRef.resolve(run).export_path("openvino", "float32").write_text("<wings/>")
    predictor = amsunet.load(run, RuntimeOptions(runtime="openvino"))
    assert "float16.xml" in str(predictor) and len(said) == 1 and said[0].startswith("left out: ")
    assert (predictor.predict(image).mask != expected.mask).mean() < 0.01


@pytest.fixture
def changed(shipped, tmp_path):
    """A copy of the run whose weights are another's by now."""
    run = shutil.copytree(shipped, tmp_path / "changed")
    network, description = load_model(run / FILE_NAME)
    save_model(run / FILE_NAME, network, description.model_copy(update={"temperature": 3.0}))
    return run


def test_what_was_exported_before_the_weights_changed_is_not_used(changed, said):
    with pytest.raises(InputError, match=r"float32\.onnx is not of the weights that the run has now: export it again"):
        amsunet.load(changed, RuntimeOptions(runtime="onnx"))


def test_the_description_is_read_without_the_weights(whole, tmp_path):
    assert read_description(whole.run / FILE_NAME) == load_model(whole.run / FILE_NAME)[1]
    assert read_description(tmp_path / FILE_NAME) is None


@pytest.mark.parametrize("content", [b"", b"12345678", b"\xff" * 40, b"\x02" + b"\0" * 7 + b"{}"])
def test_a_damaged_header_is_said(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        read_description(tmp_path / FILE_NAME)


@pytest.mark.parametrize(
    ("where", "settings", "message"),
    [
        (
            "run",
            {"runtime": "onnx", "precision": "bfloat16"},
            r"to='onnx', precision='bfloat16'\) makes one",
        ),
        ("run", {"runtime": "auto"}, r"'auto' is unknown: choose torch, onnx or openvino"),
        ("run", {"runtime": "tensorrt"}, r"'tensorrt' is unknown: choose torch, onnx or openvino"),
        ("run", {"runtime": "onnx", "compile": True}, "compile is for torch"),
        ("file", {"model_file": "a.py:b"}, "model_file is for torch"),
        ("file", {"precision": "bfloat16"}, "^an exported network has its precision: leave precision out$"),
        ("file", {"device": "cuda"}, "^exported networks run on the CPU: leave device out$"),
        ("file", {"runtime": "torch"}, r"float32\.onnx is not for torch: leave runtime out"),
        ("file", {"runtime": "openvino"}, r"float32\.onnx is not for openvino: leave runtime out"),
        ("absent.onnx", {}, r"absent\.onnx not found"),
        ("alone", {"runtime": "openvino"}, r"holds no exported network for openvino: amsunet\.export"),
    ],
)
def test_what_does_not_go_together_is_said(shipped, tmp_path, where, settings, message):
    (tmp_path / "alone").mkdir()
    paths = {"run": shipped, "file": ModelRef.resolve(shipped).export_path("onnx", "float32")}
    with pytest.raises(InputError, match=message):
        model_file = settings.pop("model_file", None)
        amsunet.load(paths.get(where, tmp_path / where), RuntimeOptions(**settings), model_file=model_file)


def test_an_exported_file_may_be_told_to_run_on_the_cpu(shipped, image):
    path = ModelRef.resolve(shipped).export_path("onnx", "float32")
    on_cpu = amsunet.load(path, RuntimeOptions(device="cpu")).predict(image)
    assert np.array_equal(on_cpu.mask, amsunet.load(path).predict(image).mask)


def test_a_precision_of_exported_networks_asks_for_no_device(shipped, monkeypatch):
    monkeypatch.setattr("amsunet.device.choose_device", lambda *_: pytest.fail("no device is to be chosen"))
    assert "float32.onnx" in str(amsunet.load(shipped, RuntimeOptions(runtime="onnx", precision="float32")))
    with pytest.raises(InputError, match="precision='int8'\\) makes one"):
        amsunet.load(shipped, RuntimeOptions(runtime="onnx", precision="int8"))


def test_an_ensemble_runs_in_torch(ensemble):
    assert amsunet.load(ensemble, RuntimeOptions(device="cpu")).folds is not None
    with pytest.raises(InputError, match="holds no exported network for onnx"):
        amsunet.load(ensemble, RuntimeOptions(runtime="onnx"))


def _describe(run: Path, path: Path, change: Callable[[str], str]) -> None:
    """A copy of the ONNX file of a run that describes itself otherwise, and has the checksum of that."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(ModelRef.resolve(run).export_path("onnx", "float32"))
    (entry,) = (entry for entry in model.metadata_props if entry.key == METADATA)
    text = change(entry.value)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA: text})
    onnx.save(model, path)
    append_checksum(path)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ('{"model": "amsunet", "surprise": 1}', r"was written by another version of amsunet \(\w+: Field required\)"),
        ("no JSON", "is damaged"),
        ("", "holds no description of amsunet"),
    ],
)
def test_an_exported_file_of_another_version_is_said(shipped, tmp_path, description, message):
    _describe(shipped, tmp_path / "other.onnx", lambda _: description)
    with pytest.raises(InputError, match=rf"other\.onnx {message}"):
        Predictor(tmp_path / "other.onnx")


@pytest.mark.parametrize(("field", "value"), [("format", 2), ("threshold", 7.0), ("temperature", -1.0)])
def test_fields_of_an_exported_file_that_mean_nothing_here_are_refused(shipped, tmp_path, field, value):
    _describe(shipped, tmp_path / "other.onnx", lambda text: json.dumps(json.loads(text) | {field: value}))
    with pytest.raises(InputError, match=rf"\({field}: "):
        Predictor(tmp_path / "other.onnx")


@pytest.mark.parametrize("suffix", [".pt2", ".pte", ".bin"])
def test_what_is_exported_for_other_programs_is_named(tmp_path, suffix):
    (tmp_path / f"net{suffix}").touch()
    with pytest.raises(InputError, match=r"is for other programs: name \.onnx or \.xml"):
        Predictor(tmp_path / f"net{suffix}")
