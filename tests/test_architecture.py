"""Imports flow one way: blocks, models, training, evaluation, command line; prediction needs no training."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import amsunet

_ROOT = Path(amsunet.__file__).parent
_PARTS = ("blocks", "models", "data", "training", "inference", "evaluation")


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too, by its full name; not what only type checkers see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole path"
            assert node.module
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _of(part: str) -> dict[Path, set[str]]:
    files = sorted((_ROOT / part).rglob("*.py"))
    assert files, f"{part} holds no module: nothing was tested"
    return {path: _imports(path) for path in files}


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("part", "allowed"),
    # Triton comes with the builds of torch for GPUs.
    [("blocks", ("torch", "triton", "amsunet.blocks")), ("models", ("torch", "amsunet.blocks", "amsunet.models"))],
)
def test_networks_import_torch_alone(part, allowed):
    for path, names in _of(part).items():
        foreign = {
            name
            for name in names
            if name.partition(".")[0] not in sys.stdlib_module_names and not any(_within(name, one) for one in allowed)
        }
        assert not foreign, path


@pytest.mark.parametrize(
    ("part", "forbidden"),
    [
        ("data", ("blocks", "models", "training", "inference", "evaluation")),
        ("inference", ("training", "evaluation", "interchange")),
        ("interchange", ("blocks", "models", "training", "evaluation")),
        ("zoo", _PARTS),
        ("training", ("evaluation",)),
        *((part, ("cli", "serving")) for part in (*_PARTS, "zoo", "deployment", "interchange")),
        ("serving", ("cli", "training", "evaluation")),
    ],
)
def test_imports_flow_one_way(part, forbidden):
    for path, names in _of(part).items():
        wrong = {name for name in names for one in forbidden if _within(name, f"amsunet.{one}")}
        assert not wrong, path


def test_the_walk_sees_what_there_is():
    """The rules above hold nothing if imports are not found."""
    assert any(_within(name, "amsunet.training") for names in _of("evaluation").values() for name in names)
    assert any(_within(name, "kornia.augmentation") for names in _of("data").values() for name in names)


def test_every_part_is_known_to_the_rules():
    assert {path.parent.name for path in _ROOT.glob("*/__init__.py")} <= {
        *_PARTS,
        "zoo",
        "cli",
        "deployment",
        "interchange",
        "serving",
    }


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "import amsunet.inference.predictor, amsunet.inference.predict_files",
            ("pytorch_lightning", "lightning", "kornia", "amsunet.training"),
        ),
        (
            "import amsunet.deployment.web, amsunet.serving.page_server",
            ("torch", "pytorch_lightning", "onnx", "amsunet.training"),
        ),
        (
            "import amsunet.deployment.exporters",
            ("pytorch_lightning", "lightning", "kornia", "amsunet.training", "onnx", "openvino", "executorch"),
        ),
        ("import amsunet.inference.runtime", ("torch", "pytorch_lightning")),
        # Triton's kernels are told to torch's compiler.
        ("import amsunet.models, amsunet.inference.torch_runtime", () if find_spec("triton") else ("torch._dynamo",)),
        ("import amsunet.training.train", ("pytorch_lightning", "monai", "torchmetrics", "matplotlib")),
        ("import amsunet", ("torch", "numpy", "click")),
        (
            "import click.testing, amsunet, amsunet.cli\n"
            "runner = click.testing.CliRunner()\n"
            "helps = ([name, '--help'] for name in ('train', 'predict', 'export'))\n"
            "for words in ['--help'], *helps, ['--version']:\n"
            "    result = runner.invoke(amsunet.cli.cli, words)\n"
            "    assert result.exit_code == 0 and result.output, result",
            ("torch", "numpy", "pytorch_lightning"),
        ),
        (
            "import click.testing, amsunet.cli\n"
            "lines = ['check no/where', 'train no/where', 'evaluate no_run', 'predict no_run a.png --out o',\n"
            "         'train sample:nuclei --pretrained no_run', 'compare no/where --models unet',\n"
            "         'check sample:kidneys']\n"
            "for line in lines:\n"
            "    error = click.testing.CliRunner().invoke(amsunet.cli.cli, line.split()).exception\n"
            "    assert isinstance(error, amsunet.InputError), (line, error)",
            ("torch", "numpy", "pytorch_lightning"),
        ),
    ],
    ids=["prediction", "page", "formats", "runtimes", "networks", "reading data", "amsunet", "help", "wrong names"],
)
def test_what_is_not_needed_is_not_loaded(code, absent):
    code += f"\nimport sys\nprint([name for name in {absent!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().splitlines()[-1] == "[]"


def test_public_names_are_there():
    for name in amsunet.__all__:
        assert getattr(amsunet, name) is not None
    assert {*amsunet.__all__, "__version__"} <= {*dir(amsunet)}
    with pytest.raises(AttributeError, match="has no attribute 'wings'"):
        _ = amsunet.wings


def test_type_checkers_see_what_python_finds():
    """They read the imports that Python skips: of the same names, from where the objects are."""
    tree = ast.parse((_ROOT / "__init__.py").read_text(encoding="utf-8"))
    (hidden,) = (node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in hidden.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: f"{home}.{name}" for name, home in amsunet._HOMES.items()}


def test_the_package_is_a_command():
    words = [sys.executable, "-m", "amsunet", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(f"version {amsunet.__version__}")
