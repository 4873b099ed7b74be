"""The lists of versions that are installed belong together: bounds, constraints, checksums, the oldest versions."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_REQUIREMENTS = [
    Requirement(text)
    for lines in (_PROJECT["dependencies"], *_PROJECT["optional-dependencies"].values())
    for text in lines
    if not text.startswith("amsunet[")
]


def _versions(lines: list[str]) -> dict[str, str]:
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return _versions((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())


def test_every_package_is_pinned_within_its_bounds(constraints):
    for one in _REQUIREMENTS:
        assert one.specifier.contains(constraints[canonicalize_name(one.name)]), one


def test_the_list_with_checksums_is_that_of_the_constraints(constraints):
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    for line in entries:
        assert re.fullmatch(r"[\w.-]+==[\w.+-]+ --hash=sha256:[0-9a-f]{64}", line), line
    locked = _versions([line.partition(" ")[0] for line in entries])
    assert {name: constraints.get(name) for name in locked} == locked, "make lock"
    extras = ("train", "export", "openvino", "cluster", "dev", "docs")
    texts = [*_PROJECT["dependencies"], *(text for one in extras for text in _PROJECT["optional-dependencies"][one])]
    wanted = {canonicalize_name(Requirement(text).name) for text in texts}
    assert wanted - {*locked} == {"amsunet", "torch"}, "make lock"


def test_the_oldest_versions_are_the_lower_bounds():
    oldest = runpy.run_path(str(ROOT / "tools" / "oldest.py"))["oldest"]
    pins = _versions(list(oldest(_PROJECT)))
    assert "torch" not in pins and "amsunet" not in pins and {"numpy", "onnx", "openslide-python", "pytest"} <= {*pins}
    bounds = {canonicalize_name(one.name): {part.version for part in one.specifier} for one in _REQUIREMENTS}
    assert all(version in bounds[name] for name, version in pins.items())
    with pytest.raises(AssertionError, match="no lower bound"):
        list(oldest({"name": "x", "dependencies": ["numpy"], "optional-dependencies": {}}))


def test_a_list_is_made_of_what_pip_would_install():
    lock = runpy.run_path(str(ROOT / "tools" / "lock.py"))["lock"]

    def entry(name: str, **hashes: str) -> dict[str, object]:
        archive = {"archive_info": {"hashes": hashes}}
        return {"metadata": {"name": name, "version": "1.0"}, "download_info": archive}

    report = {"install": [entry("torch"), entry("b", sha256="2" * 64), entry("A", sha256="1" * 64), entry("amsunet")]}
    assert list(lock(report)) == [f"A==1.0 --hash=sha256:{'1' * 64}", f"b==1.0 --hash=sha256:{'2' * 64}"]
    with pytest.raises(SystemExit, match=r"no SHA-256 of c 1\.0"):
        list(lock({"install": [entry("c")]}))
