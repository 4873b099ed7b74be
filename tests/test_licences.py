"""The audit of licences: what is free passes, what is not fails, and what nobody has read fails too."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_TOOL = ROOT / "tools" / "licences.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("licences", _TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["licences"] = module  # dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules["licences"]


def _metadata(name: str, requires: list[str] | None = None, **more: object) -> dict[str, object]:
    return {"name": name, "version": "1.0", "requires_dist": requires or []} | (more or {"license_expression": "MIT"})


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", "permissive"),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSL-1.0", "permissive"),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", "permissive"),
        ("MPL-2.0 AND MIT", "weak copyleft"),
        ("GNU Lesser General Public License v2 (LGPLv2)", "weak copyleft"),
        ("LGPL-2.1-only", "weak copyleft"),
        ("GPL-3.0-only", "forbidden"),
        ("GPLv3", "forbidden"),
        ("AGPL-3.0-or-later", "forbidden"),
        ("GNU Affero General Public License v3", "forbidden"),
        ("GNU General Public License v2 (GPLv2)", "forbidden"),
        ("MIT AND GPL-2.0-or-later", "forbidden"),
        ("MIT OR GPL-2.0-or-later", "permissive"),
        ("LGPL-2.1 OR GPL-2.0", "weak copyleft"),
        ("BSD-2-Clause AND (BSD-3-Clause OR GPL-2.0-only) AND MIT", "permissive"),
        ("MIT AND (LGPL-2.1-only OR GPL-2.0-only)", "weak copyleft"),
        ("MIT with Commons Clause", "forbidden"),
        ("CC-BY-NC-SA-4.0", "forbidden"),
        ("CC BY-NC 4.0", "forbidden"),
        ("free for non-commercial use", "forbidden"),
        ("Other/Proprietary License", "forbidden"),
        ("Do What You Like Licence", "unknown"),
        ("none named", "unknown"),
    ],
)
def test_what_a_licence_allows(tool, licence, kind):
    assert tool.kind_of(licence) == kind


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ({"license_expression": "MIT", "classifier": ["License :: OSI Approved :: BSD License"]}, "MIT"),
        ({"license": "BSD\nlong text"}, "BSD"),
        ({"license": "====\n\nThe MIT License"}, "The MIT License"),
        ({"classifier": ["License :: OSI Approved", "License :: OSI Approved :: ISC"], "license": "x"}, "ISC"),
        ({"classifier": ["License :: OSI Approved :: MIT License", "License :: Other/Proprietary License"]},
         "MIT License AND Other/Proprietary License"),
        ({"classifier": ["Topic :: GPL"]}, "none named"),
    ],
)  # fmt: skip
def test_where_a_licence_is_named(tool, metadata, licence):
    assert tool.licence_of({"name": "x"} | metadata) == licence


def test_who_needs_a_package(tool):
    found = tool.audit(
        [
            _metadata(
                "amsunet",
                ["a", 'b[fast]; extra == "train"', 'd; extra == "dev"'],
                provides_extra=["train", "dev"],
                license_expression="Apache-2.0",
            ),
            _metadata("A"),
            _metadata("b", ['c; extra == "fast"', 'e; extra == "slow"']),
            _metadata("c"),
            _metadata("d", ["A"]),
            _metadata("e"),
        ]
    )
    assert {one.name: one.needed for one in found if one.name != "amsunet"} == {
        "A": True, "b": True, "c": True, "d": False, "e": False,
    }  # fmt: skip


def _write(site: Path, name: str, *fields: str) -> None:
    (site / f"{name}-1.0.dist-info").mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *fields])
    (site / f"{name}-1.0.dist-info" / "METADATA").write_text(text + "\n")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (["License-Expression: MIT"], None),
        (["License-Expression: GPL-3.0-or-later"], "helper 1.0: GPL-3.0-or-later"),
        (["Classifier: License :: OSI Approved :: GNU Affero General Public License v3"], "helper 1.0: GNU Affero"),
        (["License: CC-BY-NC-4.0"], "helper 1.0: CC-BY-NC-4.0"),
        ([], "helper 1.0: none named"),
    ],
)
def test_a_package_that_is_installed_is_found(tmp_path, fields, error):
    """A made environment: amsunet, packaging, which the tool itself uses, and a package that amsunet needs."""
    _write(tmp_path, "amsunet", "Requires-Dist: helper", "License-Expression: Apache-2.0")
    _write(tmp_path, "helper", *fields)
    packaging = Path(importlib.util.find_spec("packaging").origin).parent
    (tmp_path / "packaging").symlink_to(packaging)
    command = [sys.executable, "-S", str(_TOOL)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "weights, under terms of their own" in done.stdout and "glands: research only" in done.stdout, done.stderr
    if error is None:
        assert done.returncode == 0 and "needed by amsunet or an extra: 1 packages, 1 of them permissive" in done.stdout
    else:
        assert done.returncode == 1 and f"error: 1 packages may not be installed: {error}" in done.stderr


def test_a_package_that_would_be_installed_is_found(tmp_path):
    report = {
        "install": [
            {"metadata": _metadata("amsunet", ['helper; extra == "train"'], provides_extra=["train"])},
            {"metadata": _metadata("helper", license="GPL v3")},
        ]
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    command = [sys.executable, str(_TOOL), "--report", str(tmp_path / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.endswith("error: 1 packages may not be installed: helper 1.0: GPL v3\n")


def test_what_is_installed_here_may_be(tool):
    """At least of the packages that users need; amsunet itself may run from its source."""
    pytest.importorskip("torch")
    try:
        packages = tool.audit(tool._installed())
    except SystemExit:
        pytest.skip("amsunet is not installed here")
    assert [str(one) for one in packages if one.needed and one.kind in ("forbidden", "unknown")] == []
