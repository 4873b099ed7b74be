"""What the page takes from others: as its packages have it, and named with its terms."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

from conftest import SOURCES

ROOT = Path(__file__).parents[2]
VENDOR = SOURCES / "vendor"


def _tool():
    spec = importlib.util.spec_from_file_location("vendor_web", ROOT / "tools" / "vendor_web.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_file_is_what_was_vendored():
    lines = (VENDOR / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {path.name: path for path in VENDOR.iterdir() if path.name != "SHA256SUMS"}
    assert sums.keys() == files.keys()
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sums[name], name


def test_the_tool_makes_these_files_and_the_notice_names_them():
    parts = _tool().PARTS
    notice = (VENDOR / "NOTICE.md").read_text(encoding="utf-8")
    for part in parts:
        assert f"`{part.target}`" in notice
        content = (VENDOR / part.target).read_bytes()
        if not part.target.endswith(".gz"):
            assert hashlib.sha256(content).hexdigest() == part.sha256, part.target
    written_here = {"NOTICE.md", "SHA256SUMS", *(path.name for path in VENDOR.glob("*.d.mts"))}
    assert {path.name for path in VENDOR.iterdir()} == written_here | {part.target for part in parts}


def test_what_is_packed_unpacks_to_what_the_package_has():
    gzip = _tool().gzip
    for part in _tool().PARTS:
        if part.target.endswith(".gz"):
            assert hashlib.sha256(gzip.decompress((VENDOR / part.target).read_bytes())).hexdigest() == part.sha256
