"""Exported networks predict with the few packages that docs/ship.md names, and no others."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.data.builtin_samples import locate
from amsunet.deployment.export import export
from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions

_ROOT = Path(__file__).parents[1]
# What a package is imported as, where that is not its name.
_MODULES = {"pillow": "PIL", "scikit-image": "skimage", "pytorch-lightning": "pytorch_lightning"}


def _named_in_the_docs() -> set[str]:
    text = (_ROOT / "docs" / "ship.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install ([^-\n]*onnxruntime[^\n]*)$", text, re.MULTILINE)
    return set(line.split())


def _not_named() -> set[str]:
    """Modules of all packages that amsunet needs otherwise."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["deploy"]]
    packages = {re.split(r"[<>=]", text)[0] for text in wanted} - _named_in_the_docs()
    return {_MODULES.get(name, name.replace("-", "_")) for name in packages} | {"lightning", "kornia_rs"}


@pytest.fixture
def call(tmp_path):
    """Run the command line where importing any other package fails."""

    def run(*words: object, but: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        code = (
            f"import sys\nfor name in {sorted(_not_named() - {*but})!r}:\n    sys.modules[name] = None\n"
            "from amsunet import cli\ncli.main()"
        )
        command = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def network(whole, captured_once, tmp_path_factory):
    pytest.importorskip("onnxscript", reason='needs pip install "amsunet[deploy]"')
    with captured_once():
        return export(whole.run, "onnx", out=tmp_path_factory.mktemp("exports") / "network.onnx").path


def test_the_line_names_packages_and_leaves_the_heavy_ones_out():
    for name in _named_in_the_docs():
        assert importlib.metadata.version(name)
    assert {"torch", "scipy", "matplotlib", "monai", "kornia", "psutil", "safetensors"} <= _not_named()


@pytest.mark.parametrize(
    "words",
    ["models", "check sample:nuclei", "train sample:nuclei", "evaluate nuclei", "export nuclei --to onnx"],
)
def test_what_needs_the_rest_says_so(call, words):
    done = call(*words.split())
    assert done.returncode == 2
    assert re.fullmatch(r"error: \w+ is not installed: (run )?pip install amsunet.*\n", done.stderr), done.stderr


def test_slides_need_one_package_more(call, network, whole, tmp_path):
    image = np.asarray(Image.open(next((locate("sample:nuclei") / "test" / "images").iterdir())))
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
        tiff.write(image, subifds=1, tile=(32, 32), compression="zlib")
        tiff.write(image[::2, ::2], subfiletype=1, tile=(32, 32), compression="zlib")
    done = call("predict", network, "scan.tif", "--out", "masks")
    assert done.returncode == 2 and "error: filelock is not installed: pip install filelock" in done.stderr
    done = call("predict", network, "scan.tif", "--out", "masks", but=("filelock",))
    assert done.returncode == 0, done.stderr
    expected = load(whole.run, RuntimeOptions(device="cpu", precision="float32")).predict(image).to_mask()
    assert (tifffile.imread(tmp_path / "masks" / "scan.tif") != expected).mean() < 1e-3


def test_masks_are_those_of_torch(call, network, whole, tmp_path):
    done = call("predict", network, "sample:nuclei", "--out", "masks", "--probability")
    assert done.returncode == 0, done.stderr
    assert "on ONNX Runtime (network.onnx)" in done.stdout and "4 masks" in done.stdout
    predictor = load(whole.run, RuntimeOptions(device="cpu", precision="float32"))
    for image in (locate("sample:nuclei") / "test" / "images").iterdir():
        expected = predictor.predict(image).to_mask()
        found = np.asarray(Image.open(tmp_path / "masks" / image.name))
        assert found.dtype == expected.dtype and (found != expected).mean() < 1e-3
    assert len(list((tmp_path / "masks" / "probabilities").iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{run}", "sample:nuclei"), "torch is not installed: pip install amsunet, or name an exported file"),
        (("{network}", "sample:nuclei", "--device", "cpu"), "an exported network has its device and precision"),
        (("{run}", "sample:nuclei", "--runtime", "torch", "--precision", "float32"), "torch is not installed"),
        (("{network}", "sample:nuclei", "--overlay"), "scipy is not installed: pip install scipy"),
    ],
)
def test_what_is_missing_is_named(call, network, whole, words, message):
    done = call("predict", *(word.format(run=whole.run, network=network) for word in words), "--out", "masks")
    assert done.returncode == 2 and f"error: {message}" in done.stderr, done.stderr
