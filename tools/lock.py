"""Write what pip would install as a list with checksums: `make lock` makes requirements.lock of it.

python tools/lock.py REPORT > requirements.lock

REPORT is written by ``pip install --dry-run --ignore-installed --report REPORT ...``. torch is left out: a build for
processors and one for CUDA have the same version and different checksums, and the Makefile installs it first and alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

LEFT_OUT = ("amsunet", "torch", "triton")
HEADER = """\
# Made by `make lock` from constraints.txt: what .ci/run installs, each file by its checksum, for Python {python} on
# {system}. torch is left out, see tools/lock.py. Any other machine: --constraint constraints.txt
"""


def lock(report: Mapping[str, Any]) -> Iterator[str]:
    """A line for each package of a report of pip.

    Raises:
        SystemExit: If pip names no checksum of a file, as of one that was built here.
    """
    for one in sorted(report["install"], key=lambda one: canonicalize_name(one["metadata"]["name"])):
        name, version = one["metadata"]["name"], one["metadata"]["version"]
        if canonicalize_name(name) in LEFT_OUT:
            continue
        checksum = one["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if checksum is None:
            raise SystemExit(f"error: pip names no SHA-256 of {name} {version}")
        yield f"{name}=={version} --hash=sha256:{checksum}"


def main() -> None:
    """Print the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    report = json.loads(parser.parse_args().report.read_text(encoding="utf-8"))
    environment = report["environment"]
    python, system = environment["python_version"], f"{environment['sys_platform']} {environment['platform_machine']}"
    print(HEADER.format(python=python, system=system), end="")
    print("\n".join(lock(report)))


if __name__ == "__main__":
    main()
