"""The base installation predicts with exported networks; what an extra brings is named where it is missing."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from packaging.requirements import Requirement
from PIL import Image

import amsunet
from amsunet.data.builtin_samples import locate
from amsunet.deployment.export import export
from amsunet.deployment.page_files import SOURCES, START
from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.optional import EXTRAS, describe_missing, install_command

_SOURCE = Path(amsunet.__file__).parent
_PROJECT = tomllib.loads((_SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_INSTALL = f'pip install -e "{_SOURCE.resolve().parents[1]}'
"""Where the source runs without being installed, as in ``base``."""
# What a package is imported as, where that is not its name.
_MODULES = {
    "python-gdcm": "gdcm",
    "openslide-bin": "openslide",
    "openslide-python": "openslide",
    "pillow": "PIL",
    "pytorch-lightning": "pytorch_lightning",
    "scikit-image": "skimage",
}


def _module(package: str) -> str:
    return _MODULES.get(package, package.replace("-", "_"))


def _with_what_they_need(wanted: list[str]) -> set[str]:
    """Packages, and all that these need in turn, by their names in the environment of this test."""
    found: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        marker, name = requirement.marker, requirement.name.lower()
        if name not in found and (marker is None or marker.evaluate({"extra": ""})):
            found.add(name)
            wanted += importlib.metadata.requires(name) or []
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A folder of packages: amsunet and what the base installation brings, and nothing else."""
    site = tmp_path_factory.mktemp("site")
    (site / "amsunet").symlink_to(_SOURCE)
    for name in _with_what_they_need([*_PROJECT["dependencies"]]):
        for file in importlib.metadata.files(name) or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(Path(str(file.locate())).parents[len(file.parts) - 2] if len(file.parts) > 1
                                        else Path(str(file.locate())))  # fmt: skip
    return site


@pytest.fixture
def call(base, tmp_path):
    """Run ``python -m amsunet`` in the base installation."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "amsunet", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(base)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def network(whole, captured_once, tmp_path_factory):
    pytest.importorskip("onnxscript", reason='needs pip install "amsunet[export]"')
    with captured_once():
        return export(whole.run, "onnx", out=tmp_path_factory.mktemp("exports") / "network.onnx").path


def test_the_base_is_small(base):
    there = {path.name for path in base.iterdir()}
    assert {"amsunet", "click", "numpy", "onnxruntime", "PIL"} <= there
    assert not there & {module for modules in EXTRAS.values() for module in modules}


def test_every_extra_is_known_by_what_it_brings():
    extras = _PROJECT["optional-dependencies"]
    assert {*extras} - {"dev", "docs"} == {*EXTRAS}
    for extra, modules in EXTRAS.items():
        names = [Requirement(text).name for text in extras[extra]]
        assert {_module(name) for name in names if name != "amsunet"} == {*modules}
        assert describe_missing(f"{modules[0]}.part").endswith(
            install_command(extra)
        ) and f'[{extra}]"' in install_command(extra)


def test_every_package_that_the_code_imports_is_asked_for():
    """None is there only because another package happens to need it."""
    asked = [
        *_PROJECT["dependencies"],
        *(text for texts in _PROJECT["optional-dependencies"].values() for text in texts),
    ]
    known = {_module(Requirement(text).name) for text in asked} | {*sys.stdlib_module_names}
    for path in _SOURCE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        names |= {
            str(node.args[0].value)
            for node in nodes
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) == "require"
            and isinstance(node.args[0], ast.Constant)
        }
        # Triton comes with the builds of torch for GPUs, pydantic_core is part of pydantic.
        assert {name.partition(".")[0] for name in names} <= known | {"triton", "pydantic_core"}, path


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "train --help",
        "predict --help",
        "page --help",
        "zoo",
        "zoo nuclei",
        "doctor",
        "doctor --json",
    ],
)
def test_what_needs_no_network_answers(call, words):
    done = call(*words.split())
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr


@pytest.mark.parametrize(
    ("words", "package"),
    [
        ("models", "torch"),
        ("check sample:nuclei", ""),
        ("train sample:nuclei", ""),
        ("evaluate nuclei", ""),
        ("compare sample:nuclei --models unet", ""),
        ("explain nuclei image.png", ""),
        ("export nuclei --to onnx", ""),
    ],
)
def test_what_needs_an_extra_names_it(call, words, package):
    done = call(*words.split())
    assert done.returncode == 2
    assert re.fullmatch(
        rf'error: {package or "[a-z_]+"} is not installed: pip install (-e )?"[^"]*\[train\]"(, or name [^\n]*)?\n',
        done.stderr,
    )


def test_in_python_it_is_named_too(base, tmp_path):
    code = "import amsunet\namsunet.load, amsunet.predict, amsunet.Segmentation\namsunet.create_model"
    environment = {**os.environ, "PYTHONPATH": str(base)}
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert re.fullmatch(r'ModuleNotFoundError: torch is not installed: pip install (-e )?"[^"]*\[train\]"', last)


def test_slides_are_predicted(call, network, whole, tmp_path):
    image = np.asarray(Image.open(next((locate("sample:nuclei") / "test" / "images").iterdir())))
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
        tiff.write(image, subifds=1, tile=(32, 32), compression="zlib")
        tiff.write(image[::2, ::2], subfiletype=1, tile=(32, 32), compression="zlib")
    done = call("predict", network, "scan.tif", "--out", "masks")
    assert done.returncode == 0, done.stderr
    expected = load(whole.run, RuntimeOptions(device="cpu", precision="float32")).predict(image).to_mask()
    assert (tifffile.imread(tmp_path / "masks" / "scan.tif") != expected).mean() < 1e-3


def test_masks_are_those_of_torch(call, network, whole, tmp_path):
    done = call("predict", network, "sample:nuclei", "--device", "cpu", "--out", "masks", "--probability", "--overlay")
    assert done.returncode == 0, done.stderr
    assert "on ONNX Runtime (network.onnx)" in done.stdout and "4 masks" in done.stdout
    predictor = load(whole.run, RuntimeOptions(device="cpu", precision="float32"))
    for image in (locate("sample:nuclei") / "test" / "images").iterdir():
        expected = predictor.predict(image).to_mask()
        found = np.asarray(Image.open(tmp_path / "masks" / image.name))
        assert found.dtype == expected.dtype and (found != expected).mean() < 1e-3
    assert len(list((tmp_path / "masks" / "probabilities").iterdir())) == 4
    assert len(list((tmp_path / "masks" / "overlays").iterdir())) == 4


def test_the_zoo_predicts(call, tmp_path):
    done = call("predict", "zoo:nuclei", "sample:nuclei", "--out", "masks")
    assert done.returncode == 0, done.stderr
    assert "note: torch is not installed, so zoo:nuclei runs in ONNX Runtime" in done.stdout
    predictor = load("zoo:nuclei", RuntimeOptions(device="cpu", precision="float32"))
    for image in (locate("sample:nuclei") / "test" / "images").iterdir():
        found = np.asarray(Image.open(tmp_path / "masks" / image.name))
        assert (found != predictor.predict(image).to_mask()).mean() < 1e-3


@pytest.mark.skipif(not (SOURCES / START).is_file(), reason="needs the page")
def test_the_page_is_made(call, network, tmp_path):
    for model, words in (("zoo:nuclei", ["--one-file"]), (network, [])):
        done = call("export", model, "--to", "web", "--out", f"page{'.html' * len(words)}", *words)
        assert done.returncode == 0, done.stderr
    assert "connect-src 'none'" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (tmp_path / "page" / "networks.json").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("{run}", "sample:nuclei"),
            f'torch is not installed: {_INSTALL}[train]", or name an exported file, which needs no torch\n',
        ),
        (("{network}", "sample:nuclei", "--device", "cuda"), "exported networks run on the CPU: leave --device out"),
        (("{network}", "sample:nuclei", "--precision", "float32"), "an exported network has its precision: leave --p"),
        (("{run}", "sample:nuclei", "--runtime", "torch", "--precision", "float32"), "torch is not installed"),
        (("zoo:nuclei", "sample:nuclei", "--runtime", "torch"), "torch is not installed"),
        (("zoo:nuclei", "sample:nuclei", "--device", "cuda"), "exported networks run on the CPU: leave --device out"),
    ],
)
def test_what_is_missing_is_named(call, network, whole, words, message):
    done = call("predict", *(word.format(run=whole.run, network=network) for word in words), "--out", "masks")
    assert done.returncode == 2 and f"error: {message}" in done.stderr, done.stderr


def test_a_file_of_openvino_names_its_extra(call, tmp_path):
    (tmp_path / "float32.xml").write_text("<net/>")
    (tmp_path / "float32.bin").write_bytes(b"")
    done = call("predict", "float32.xml", "sample:nuclei", "--out", "masks")
    assert done.stderr == f'error: openvino is not installed: {_INSTALL}[openvino]"\n'
