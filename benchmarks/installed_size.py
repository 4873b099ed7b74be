"""What must be installed to predict with an exported network: megabytes on disk, by package.

A new virtual environment gets the base installation, at the versions of constraints.txt, and segments an image with it.
Python itself and pip are not counted.

    python benchmarks/installed_size.py NETWORK.onnx IMAGE
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "installed_size.json"
MEGABYTE = 10**6


def megabytes(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file()) / MEGABYTE


def main() -> None:
    network, image = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        venv.create(place / "venv", with_pip=True)
        python = place / "venv" / "bin" / "python"
        site = Path(
            subprocess.run(
                [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
        )
        before = set(site.iterdir())
        install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
        subprocess.run([*install, ROOT], check=True)
        predict = [python, "-m", "amsunet", "predict", network, image, "--out", place / "masks"]
        subprocess.run(predict, check=True)
        versions = json.loads(
            subprocess.run(
                [python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True, text=True
            ).stdout
        )
        parts = {path.name: round(megabytes(path), 1) for path in set(site.iterdir()) - before}
    result = {
        "what": "megabytes (10^6 bytes) installed to predict with an exported network, without Python and pip",
        "command": f"python benchmarks/installed_size.py {network.name} {image.name}",
        "megabytes": round(sum(parts.values()), 1),
        "parts": dict(sorted((item for item in parts.items() if item[1] >= 1), key=lambda item: -item[1])),
        "python": sys.version.split()[0],
        "versions": {one["name"]: one["version"] for one in versions},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["parts"], indent=1), f"together {result['megabytes']} MB", sep="\n")


if __name__ == "__main__":
    main()
