"""Packages of bioimage.io: they compute what predict does, and say all that another program needs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from click.testing import CliRunner
from PIL import Image

from amsunet.cli import cli
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.value_range import ValueRange
from amsunet.deployment import bioimage
from amsunet.deployment.bioimage import export_bioimage
from amsunet.deployment.resource_description import (
    Package,
    _identifiers,
    _plain_name,
    apply_steps,
    normalization_steps,
)
from amsunet.deployment.standalone_onnx import write_standalone
from amsunet.deployment.web import network_of
from amsunet.errors import InputError
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_metadata import read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.onnx_metadata import read_onnx_metadata
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.zoo import read_card

VALIDATOR = os.environ.get("AMSUNET_BIOIMAGEIO", "")
"""The command ``bioimageio`` of an environment of its own: its library does not go with the pydantic of this one."""


@pytest.fixture
def coloured(tmp_path, picture, save, disc):
    """Twelve smooth images in colours, with masks."""
    for number in range(12):
        image = np.stack([picture(number + 20 * channel, 90, 120) for channel in range(3)], axis=2)
        save(tmp_path / "set" / "images" / f"{number:02}.png", image)
        save(tmp_path / "set" / "masks" / f"{number:02}.png", np.uint8(255) * disc(number, 90, 120))
    return tmp_path / "set"


def _files(package: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(("name", "size"), [("glands", (90, 121)), ("lesions", (90, 121)), ("lesions", (260, 250))])
def test_what_stands_alone_gives_the_probabilities_of_predict(name, size, tmp_path, picture):
    card = read_card(name)
    known = read_description(card.weights)
    assert write_standalone(card.onnx, known.preprocessing, tmp_path / "weights.onnx") >= 18
    image = np.stack([picture(seed, *size) for seed in range(3)], axis=2)
    session = ort.InferenceSession(str(tmp_path / "weights.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": np.moveaxis(image, 2, 0)[None].astype(np.float32)})
    expected = Predictor(f"zoo:{name}", RuntimeOptions(runtime="onnx")).predict(image).probability
    assert found.shape == (1, *expected.shape)
    # Pillow rounds to whole levels between rows and columns, which ONNX has no word for.
    assert np.abs(found[0] - expected).mean() < 0.005 and np.abs(found.sum(axis=1) - 1).max() < 1e-4
    assert not read_onnx_metadata(tmp_path / "weights.onnx"), "it is none of amsunet's exports any more"


def test_a_package_holds_all_that_another_program_needs(coloured, tmp_path):
    made = export_bioimage("zoo:glands", coloured, out=tmp_path / "glands.zip")
    files = _files(made.path)
    assert files.keys() == {
        "rdf.yaml", "weights.onnx", "test_input.npy", "test_output.npy", "cover.png", "README.md",
    }  # fmt: skip
    about = json.loads(files["rdf.yaml"])
    (image,), (probability,), weights = about["inputs"], about["outputs"], about["weights"]["onnx"]
    for one in (image["test_tensor"], probability["test_tensor"], weights):
        assert one["sha256"] == hashlib.sha256(files[one["source"]]).hexdigest()
    given, expected = (np.load(io.BytesIO(files[f"test_{name}.npy"])) for name in ("input", "output"))
    assert given.dtype == image["data"]["type"] == "uint8" and given.shape[:2] == (1, 3)
    session = ort.InferenceSession(files["weights.onnx"], providers=["CPUExecutionProvider"])
    (found,) = session.run(["probability"], {"image": apply_steps(given, image["preprocessing"])})
    assert np.allclose(found, expected, atol=1e-5)
    # Of any number of images, and of other sizes.
    twice = np.concatenate([given, given], axis=0)[..., :80, :70].astype(np.float32)
    assert session.run(None, {"image": twice})[0].shape == (2, 2, 80, 70)
    assert image["axes"][2]["size"]["min"] == 65  # 32 at working size
    assert probability["axes"][1]["channel_names"] == ["background", "foreground"]
    assert about["license"] is None and about["authors"] == [{"name": "The amsunet maintainers"}]
    text = files["README.md"].decode()
    assert "fewer than 1043 pixels" in text and "research only" in text and "## Validation" in text
    with Image.open(io.BytesIO(files["cover.png"])) as cover:
        assert cover.size == (512, 256) and len(files["cover.png"]) < 500_000
    with pytest.raises(InputError, match=r"glands.zip is there already: choose another out, or set overwrite=True"):
        export_bioimage("zoo:glands", coloured, out=tmp_path / "glands.zip")


def test_a_whole_view_is_tested_whole_and_known_pixels_are_said(coloured, tmp_path, monkeypatch):
    card = read_card("lesions")
    network, known = load_model(card.weights)
    measured = known.preprocessing.model_copy(update={"spacing": (0.02, 0.01)})
    renamed = known.convention.model_copy(update={"class_names": ("background", "1st lesion")})
    known = known.model_copy(update={"preprocessing": measured, "convention": renamed})
    save_model(tmp_path / "mine.safetensors", network, known)
    of_zoo = network_of(ModelRef.resolve("zoo:lesions"))
    monkeypatch.setattr(bioimage, "network_of", lambda *_, **__: of_zoo)
    made = export_bioimage(
        tmp_path / "mine.safetensors", coloured, author=("A", "B"), licence="CC-BY-4.0", out=tmp_path / "mine.zip"
    )
    files = _files(made.path)
    about = json.loads(files["rdf.yaml"])
    assert np.load(io.BytesIO(files["test_input.npy"])).shape == (1, 3, 90, 120)
    for tensor in (about["inputs"][0], about["outputs"][0]):
        assert [(axis["unit"], axis["scale"]) for axis in tensor["axes"][2:]] == [
            ("millimeter", 0.02),
            ("millimeter", 0.01),
        ]
    assert about["outputs"][0]["axes"][1]["channel_names"] == ["background", "class_1st_lesion"]
    assert about["authors"] == [{"name": "A"}, {"name": "B"}] and about["license"] == "CC-BY-4.0"
    assert "Pixels must be 20 x 10 um" in files["README.md"].decode()


def _record(normalization, *values, channels=3):
    return Preprocessing(
        in_channels=channels, normalization=normalization, mean=(0.5,) * channels, std=(0.2,) * channels, values=values
    )


@pytest.mark.parametrize(
    ("record", "dtype"),
    [
        (_record("depth"), np.uint8),
        (_record("depth", ValueRange(type="uint8", low=0, high=255)), np.uint8),
        (_record("depth", ValueRange(type="uint16", low=0, high=4095)), np.uint16),
        (_record("depth", ValueRange(type="float32", low=-1, high=3)), np.float32),
        (_record("percentiles"), np.uint8),
        (_record("percentiles", ValueRange(type="uint16", low=0, high=4095)), np.uint16),
        (_record("channels", ValueRange(type="uint16", low=0, high=4095)), np.uint16),
    ],
)
def test_the_operations_of_the_format_give_the_levels_that_predict_gives(record, dtype, picture):
    image = np.stack([picture(seed, 60, 80) // (seed + 1) for seed in range(3)], axis=2)
    image = (
        image.astype(np.float32) / 64 - 1
        if dtype == np.float32
        else image.astype(dtype) * (16 if dtype == np.uint16 else 1)
    )
    kind, steps = normalization_steps(record, "it")
    assert kind == image.dtype
    found = np.clip(np.round(apply_steps(np.moveaxis(image, 2, 0)[None], steps)), 0, 255)[0]
    assert np.abs(np.moveaxis(found, 0, 2) - record.normalize(image)).max() <= 1
    assert len(np.unique(found)) > 50


def test_names_are_those_that_the_format_takes():
    assert _identifiers(["a b", "a-b", "7", "핵"], "class") == ["a_b", "a_b_1", "class_7", "핵"]
    assert _plain_name("핵 v1.2") == "- v1-2"


@pytest.mark.parametrize("names", [("DAPI", "488", "far red"), ()])
def test_channels_are_called_as_the_network_calls_them(names):
    known = read_description(read_card("glands").weights)
    preprocessing = known.preprocessing.model_copy(update={"channel_names": names})
    known = known.model_copy(update={"preprocessing": preprocessing})
    package = Package(ModelRef.resolve("zoo:glands"), known, ["A"], None, "uint8", [])
    files = dict.fromkeys(("test_input.npy", "test_output.npy", "weights.onnx"), b"")
    channels = package.describe(files, 18)["inputs"][0]["axes"][1]["channel_names"]
    assert channels == (["DAPI", "channel_488", "far_red"] if names else ["red", "green", "blue"])
    assert ("channels, in this order: DAPI, 488, far red." in package.write_readme()) == bool(names)


def test_a_window_is_cut_off_at_both_ends():
    record = _record("depth", ValueRange(type="float32", low=-160, high=240, always=True))
    dtype, steps = normalization_steps(record, "it")
    values = np.array([-2000.0, -160, 40, 240, 3000], np.float32).reshape(1, 1, 1, 5)
    assert dtype == "float32" and [step["id"] for step in steps] == ["ensure_dtype", "clip", "scale_linear"]
    expected = record.normalize(values[0, 0, ..., None])[..., 0]
    np.testing.assert_allclose(apply_steps(values, steps)[0, 0], expected, atol=0.5)
    np.testing.assert_array_equal(expected, [[0, 0, 128, 255, 255]])


@pytest.mark.parametrize("normalization", ["gamma", "bright_on_dark"])
def test_what_the_format_has_no_operations_for_is_refused_with_the_reason(normalization):
    with pytest.raises(
        InputError, match=f"^it has the normalization {normalization}, which bioimage.io has no operations"
    ):
        normalization_steps(_record(normalization), "it")
    two = ValueRange(type="uint8", low=0, high=255), ValueRange(type="uint16", low=0, high=4095)
    with pytest.raises(InputError, match="it was trained on images of 8 bits and of 12 bits in 16, and a package"):
        normalization_steps(_record("depth", *two), "it")


def test_what_cannot_be_packed_is_refused_before_any_work(coloured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model, settings, message in (
        ("zoo:nuclei", {}, "zoo:nuclei has the normalization bright_on_dark"),
        (read_card("glands").weights, {}, "names who made the network: set author"),
        ("zoo:glands", {"author": " "}, "author: ' ' is no name that bioimage.io takes"),
        ("zoo:glands", {"licence": "my own"}, "licence: 'my own' is no name of the SPDX list"),
        ("zoo:glands", {"out": "package.onnx"}, "package.onnx must end in .zip for bioimage"),
        (read_card("glands").onnx, {}, "is an exported network: name the run or the model file"),
        ("zoo:glands", {}, "zoo:glands comes without data: name images"),
    ):
        with pytest.raises(InputError, match=message):
            export_bioimage(model, **settings)
    grey = tmp_path / "grey"
    for number in range(12):
        for folder, top in (("images", 60_000), ("masks", 255)):
            (grey / folder).mkdir(parents=True, exist_ok=True)
            values = np.arange(90 * 90).reshape(90, 90) % 251 * (top // 255) + number
            Image.fromarray(values.astype(np.uint16) if folder == "images" else np.uint8(255) * (values > 99)).save(
                grey / folder / f"{number}.png"
            )
    with pytest.raises(
        InputError, match="grey has no validation image of uint8 to test the package by: name other DATA"
    ):
        export_bioimage("zoo:glands", grey)
    assert not list(tmp_path.glob("*.zip"))


def test_the_command_writes_it_and_knows_what_goes_with_it(coloured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["export", "zoo:glands", str(coloured), "--to", "bioimage", "--author", "A. Person"])
    assert done.exit_code == 0 and "glands-bioimage.zip: " in done.output
    assert json.loads(_files(tmp_path / "glands-bioimage.zip")["rdf.yaml"])["authors"] == [{"name": "A. Person"}]
    for words in (
        ["--to", "onnx", "--author", "x"],
        ["--to", "web", "--licence", "MIT"],
        ["--to", "bioimage", "--one-file"],
    ):
        assert CliRunner().invoke(cli, ["export", "zoo:glands", str(coloured), *words]).exit_code == 2


@pytest.mark.skipif(not VALIDATOR, reason="needs bioimageio.core in an environment of its own: AMSUNET_BIOIMAGEIO")
def test_the_formats_own_program_finds_nothing_wrong(coloured, tmp_path):
    made = export_bioimage("zoo:vessels", coloured, out=tmp_path / "vessels.zip")
    done = subprocess.run([VALIDATOR, "test", str(made.path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
