"""What is wrong with an installation is found from outside, with a remedy for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

import amsunet
from amsunet import installation
from amsunet.import_probe import import_all
from amsunet.installation import (
    BASE,
    Package,
    describe_machine,
    inspect_installation,
    is_within,
    read_requirements,
)
from amsunet.optional import install_command

_GOOD = Package("click", ">=8", "8.5.1")
_TORCH = {"cuda_build": None, "cuda": False, "threads": 2, "device": "CPU, float32, 2 threads"}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Write modules that Python finds."""

    def write(**sources: str) -> None:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)

    monkeypatch.syspath_prepend(str(tmp_path))
    return write


@pytest.fixture
def needs(monkeypatch):
    """Have amsunet need these packages, and no process look at them."""

    def set_(facts=None, openmp=(), errors=None, **packages):
        found = {extra: list(ones) for extra, ones in packages.items()}
        names = [one.module for ones in found.values() for one in ones]
        results = {
            name: {"error": (errors or {}).get(name, ""), "facts": (facts or {}).get(name, {})} for name in names
        }
        monkeypatch.setattr(installation, "read_requirements", lambda: found)
        monkeypatch.setattr(installation, "import_all", lambda _: (results, list(openmp)))
        monkeypatch.setattr(installation, "_DRIVERS", ())
        monkeypatch.setattr(installation, "EXTRAS", {extra: () for extra in packages if extra != BASE})

    return set_


def test_a_broken_package_hides_none_of_the_others(modules):
    modules(
        good="print('hello')",
        raising="raise ValueError('no luck')",
        lacking="import no_such_module",
        ending="import os; os._exit(3)",
        crashing="import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        last="import sys; sys.stdout.write('{\"module\": 1}')",
    )
    names = ["good", "raising", "ending", "lacking", "crashing", "last"]
    results, openmp = import_all(names)
    assert openmp == []
    assert {name: result["error"] for name, result in results.items()} == {
        "good": "",
        "raising": "ValueError: no luck",
        "ending": "ends the process with exit code 3",
        "lacking": "ModuleNotFoundError: No module named 'no_such_module'",
        "crashing": "ends the process with SIGKILL",
        "last": "",
    }


def test_a_package_that_hangs_is_broken(modules, monkeypatch):
    modules(hanging="import time; time.sleep(60)", good="")
    monkeypatch.setattr("amsunet.import_probe._LONGEST", 2)
    results, _ = import_all(["hanging", "good"])
    assert results["hanging"]["error"] == "takes over 2 seconds" and results["good"]["error"] == ""


@pytest.mark.parametrize(
    ("version", "bounds", "within"),
    [
        ("2.13.0+cpu", ">=2.10", True),
        ("2.9.1", ">=2.10", False),
        ("2.10", ">=2.10.0", True),
        ("2026.3.3", ">=2024.8.10", True),
        ("3.0", ">=2,<3", False),
        ("3.0rc1", "<=3", True),
        ("1.0", "", True),
        ("1.0", "!=1.0.0", False),
    ],
)
def test_versions_are_numbers(version, bounds, within):
    assert is_within(version, bounds) is within


def test_what_is_needed_is_read_from_the_installed_package(monkeypatch):
    lines = [
        "click>=8.4",
        "pillow >=11,<99",
        'torch>=2.10; extra == "train"',
        "amsunet[train]; extra == 'export'",
        'no-such-package>=0.5; python_version > "3" and extra == "export"',
        'mypy; extra == "dev"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: lines)
    found = read_requirements()
    assert [(one.name, one.bounds, one.module) for one in found[BASE]] == [
        ("click", ">=8.4", "click"),
        ("pillow", ">=11,<99", "PIL"),
    ]
    assert [one.name for one in found["train"]] == ["torch"] and found["train"][0].version
    assert found["export"] == [Package("no-such-package", ">=0.5")]
    assert "dev" not in found


def test_all_is_well(needs):
    needs(base=[_GOOD], train=[Package("torch", ">=2", "2.13")], facts={"torch": _TORCH})
    found = inspect_installation()
    assert found.problems == [] and found.notes == []
    assert found.abilities["train, evaluate, compare, explain"] == "yes"
    assert found.abilities["predict with a run"] == "torch on CPU, float32, 2 threads"
    assert found.abilities["export to"].startswith("onnx, openvino, pt2, executorch")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"base": [Package("click", ">=8")]}, 'click is not installed, which amsunet needs: pip install "click>=8"'),
        ({"base": [replace(_GOOD, bounds=">=9")]}, "click 8.5.1 is not among the versions that amsunet works with"),
        ({"base": [_GOOD], "errors": {"click": "ImportError: x"}}, "click 8.5.1 cannot be imported (ImportError: x): "),
        ({"base": [_GOOD], "train": [Package("torch", ">=2.10", "2.9")]}, "torch 2.9 is not among the versions"),
        (
            {
                "base": [_GOOD],
                "train": [Package("torch", "", "2.9")],
                "facts": {"torch": {"cuda_build": "12.8", "cuda": False}},
            },
            "torch is a build for CUDA 12.8 and finds no GPU",
        ),
        (
            {"base": [_GOOD], "openmp": ["/a/libgomp.so.1", "/b/libiomp5.so"]},
            "load OpenMP of 2 makers (/a/libgomp.so.1, ",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(needs, wrong, sentence):
    needs(**wrong)
    (problem,) = inspect_installation().problems
    assert sentence in problem and ": " in problem


@pytest.mark.parametrize("writable", [True, False])
def test_a_list_of_fonts_that_is_lost_each_time_is_noted_wherever_the_home_folder_lies(
    needs, monkeypatch, tmp_path, writable
):
    """A folder that was set stays, below the folder for temporary files too; Matplotlib leaves one it cannot use."""
    place = tmp_path / "fonts"
    place.mkdir() if writable else place.write_bytes(b"")
    monkeypatch.setenv("MPLCONFIGDIR", str(place))
    facts = import_all(["matplotlib"])[0]["matplotlib"]["facts"]
    assert facts["temporary"] is not writable
    needs(base=[_GOOD], train=[Package("matplotlib", "", "3.11")], facts={"matplotlib": facts | {"fonts": ""}})
    notes = inspect_installation().notes
    assert [note.startswith("Matplotlib cannot keep") for note in notes] == [True] * (not writable)


def test_a_gpu_that_torch_leaves_unused_is_wrong(needs, monkeypatch, tmp_path):
    needs(base=[_GOOD], train=[Package("torch", "", "2.13")], facts={"torch": _TORCH})
    monkeypatch.setattr(installation, "_DRIVERS", (tmp_path,))
    (problem,) = inspect_installation().problems
    assert "has an NVIDIA GPU, and torch is a build for processors" in problem


def test_packages_of_other_programs_are_no_problem(needs):
    """Of an extra that is not installed as a whole some may be there, old ones too."""
    needs(base=[_GOOD], train=[Package("torch", ">=2"), Package("scipy", ">=2", "1.0")])
    found = inspect_installation()
    assert found.problems == []
    assert found.abilities["predict with a run"] == f"no: {install_command('train')}"


def test_copies_of_one_openmp_are_no_problem(needs):
    needs(base=[_GOOD], openmp=["/a/libgomp-24e2ab19.so.1", "/b/libgomp.so.1.0.0"])
    assert inspect_installation().problems == []


def test_the_machine_is_looked_at(needs, monkeypatch):
    needs(base=[_GOOD])
    machine = describe_machine()
    assert machine["cores"] >= 1 and machine["temporary"]["writable"] and machine["working"]["free"] > 0
    poor = machine | {"free_memory": 1 << 30, "temporary": {"path": "/tmp", "free": 1, "writable": False}}
    poor |= {"working": machine["working"] | {"free": 5 << 20}}
    monkeypatch.setattr(installation, "describe_machine", lambda: poor)
    temporary, working, memory = inspect_installation().problems
    assert temporary == "/tmp, the folder for temporary files, cannot be written to: set TMPDIR to another one"
    assert "has only 0.0 GB free: free some space" in working and "only 1.1 GB of memory are free" in memory


def test_the_real_packages_are_told(tmp_path):
    """The small ones that the base installation brings, in the process that ``doctor`` starts."""
    results, _ = import_all(["numpy", "PIL", "click"])
    assert [result["error"] for result in results.values()] == ["", "", ""]


def test_the_command_ends_with_what_it_found(needs, monkeypatch, capsys):
    from amsunet.cli import main

    def doctor(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["amsunet", "doctor", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, capsys.readouterr().out

    needs(base=[_GOOD], train=[Package("torch", "")])
    code, text = doctor()
    assert code == 0 and text.endswith("nothing is wrong\n")
    assert f"amsunet {amsunet.__version__}, Python 3." in text and "not installed: pip install" in text
    needs(base=[Package("click", ">=8")])
    code, text = doctor()
    assert code == 1 and "\nproblem: click is not installed" in text and "nothing is wrong" not in text
    code, text = doctor("--json")
    found = json.loads(text)
    assert code == 1 and found["packages"]["base"][0]["name"] == "click" and len(found["problems"]) == 1


def test_the_parent_loads_no_torch():
    code = "import sys, amsunet.installation, amsunet.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "False\n"
