"""Rebuild what the page takes from others (src/amsunet/page/vendor) from pinned packages.

    python tools/vendor_web.py                  # fetches the packages with npm and pip
    python tools/vendor_web.py --packages DIR   # takes them from DIR

Every file is compared with its checksum here, so a package that changed is noticed. NOTICE.md in that folder says what
the files are and under which terms; SHA256SUMS lists them, and a test holds it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "src" / "amsunet" / "page" / "vendor"
RUNTIME = "1.30.0"


@dataclass(frozen=True)
class Part:
    """A file of a package, and where it goes."""

    package: str
    """``npm:NAME@VERSION`` or ``pip:NAME==VERSION``."""
    member: str
    sha256: str
    target: str
    """Its name in the folder; what ends in ``.gz`` is packed on the way."""


_ORT = f"npm:onnxruntime-web@{RUNTIME}"
_ORT_NOTICES = f"pip:onnxruntime=={RUNTIME}"  # the package of npm carries no text of its licence
PARTS = (
    Part(
        _ORT,
        "package/dist/ort.wasm.bundle.min.mjs",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        "ort.wasm.bundle.min.mjs",
    ),
    Part(
        _ORT,
        "package/dist/ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        "ort-wasm-simd-threaded.wasm.gz",
    ),
    Part(
        _ORT_NOTICES,
        "onnxruntime/LICENSE",
        "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c",
        "onnxruntime-LICENSE.txt",
    ),
    Part(
        _ORT_NOTICES,
        "onnxruntime/ThirdPartyNotices.txt",
        "143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3",
        "onnxruntime-ThirdPartyNotices.txt",
    ),
)


def fetch(package: str, folder: Path) -> None:
    """Fetch a pinned package into a folder, without what it depends on."""
    kind, _, name = package.partition(":")
    if kind == "npm":
        subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    else:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "--dest", str(folder), name], check=True)


def read_member(part: Part, folder: Path) -> bytes:
    """Read one file out of its package and verify its checksum."""
    name = part.package.partition(":")[2]
    stem = name.replace("==", "-").replace("@", "-").replace("/", "-")
    package = next((one for end in (".tgz", "-*.whl") for one in folder.glob(stem + end)), None)
    if package is None:
        raise SystemExit(f"{folder} has no package {stem}")
    if package.suffix == ".tgz":
        with tarfile.open(package) as archive:
            member = archive.extractfile(part.member)
            content = member.read() if member else b""
    else:
        with zipfile.ZipFile(package) as wheel:
            content = wheel.read(part.member)
    if (found := hashlib.sha256(content).hexdigest()) != part.sha256:
        raise SystemExit(f"{part.member} in {package.name} is not the expected file: its sha256 is {found}")
    return content


def packed(content: bytes) -> bytes:
    """By gzip, with the same bytes every time."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(content)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder of the packages (default: fetched)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.packages or Path(temporary)
        if asked.packages is None:
            for package in sorted({part.package for part in PARTS}):
                fetch(package, folder)
        VENDOR.mkdir(exist_ok=True)
        for part in PARTS:
            content = read_member(part, folder)
            (VENDOR / part.target).write_bytes(packed(content) if part.target.endswith(".gz") else content)
    sums = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(VENDOR.iterdir())
        if path.name != "SHA256SUMS"
    )
    (VENDOR / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


if __name__ == "__main__":
    main()
