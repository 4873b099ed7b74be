"""From the raw folder of a public data set to its table: train, judge plain and with flips, put under results/.

python tools/reproduce.py drive|glas|dsb2018|isic2017 [--minutes 40] [--seeds 1] [--root ../shared/data]

Every seed is a training of its own. One that was stopped goes on; one that is under results/ is not done again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FOLDERS = {"drive": "DRIVE", "glas": "GlaS", "dsb2018": "DSB2018", "isic2017": "ISIC2017-256"}
ROOT = Path(__file__).parents[1]


def call(*words: object) -> None:
    subprocess.run([sys.executable, *map(str, words)], check=True)


def reproduce(data: Path, name: str, minutes: float, seed: int, extra: list[str]) -> None:
    """Train one seed and record it."""
    target = ROOT / "results" / f"{name}_{minutes:g}min_seed{seed}"
    if (target / "result.json").exists():
        print(f"{target} is there already")
        return
    run = ROOT / "runs" / target.name
    settings = ["--minutes", f"{minutes:g}", "--seed", str(seed), *extra]
    if (run / "config.json").exists():
        call("-m", "amsunet.cli", "train", "--resume", run)
    else:
        call("-m", "amsunet.cli", "train", data, "--out", run, *settings)
    call("-m", "amsunet.cli", "evaluate", run)
    call("-m", "amsunet.cli", "evaluate", run, "--flips")
    command = f"amsunet train {data.name} {' '.join(settings)}; amsunet evaluate RUN; amsunet evaluate RUN --flips"
    call(ROOT / "tools" / "record.py", run, target, "--command", command, "--commit", commit_of())


def commit_of() -> str:
    """The commit that is at work."""
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=FOLDERS)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared" / "data", help="where the raw folders lie")
    asked, extra = parser.parse_known_args()
    data = asked.root / FOLDERS[asked.data]
    if not data.is_dir():
        raise SystemExit(
            f"{data} is missing: get {FOLDERS[asked.data]} from its owners, and say --root (ROOT= to make)"
        )
    for seed in range(asked.seeds):
        reproduce(data, asked.data, asked.minutes, seed, extra)


if __name__ == "__main__":
    main()
