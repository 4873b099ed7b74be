"""What every exported form of a trained run gives against torch in float32: logits and Dice on validation images.

    python benchmarks/parity.py RUN
    python benchmarks/parity.py nuclei DSB2018

DATA are other images than the run's: some of them it may have seen, which does not matter to what is lost.
Needs amsunet[export], and amsunet[mobile] for ExecuTorch; a form that is refused or cannot be written is in the result
with the reason.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amsunet.atomic_io import write_json
from amsunet.deployment.export import export
from amsunet.deployment.exporters import PRECISIONS
from amsunet.device import choose_device, environment
from amsunet.errors import InputError
from amsunet.inference.model_ref import ALL_SUFFIXES
from amsunet.training.run_folder import read_run

RESULT = Path(__file__).parents[1] / "results" / "parity.json"


def measure(run: str, data: str, folder: Path) -> list[dict[str, Any]]:
    rows = []
    for to, precisions in PRECISIONS.items():
        for precision in precisions:
            row: dict[str, Any] = {"format": to, "precision": precision}
            try:
                made = export(run, to, data, precision=precision, out=folder / f"{precision}{ALL_SUFFIXES[to]}")
            except InputError as error:
                row["refused"] = str(error).replace(data, Path(data).name)
            else:
                size = sum(file.stat().st_size for file in folder.glob(f"{precision}.*") if ".parity" not in file.name)
                row |= (
                    {"computed_in": made.computed_in}
                    | asdict(made.parity)
                    | {"dice_lost": made.parity.dice_lost, "megabytes": size / 1e6}
                )
                for file in folder.iterdir():
                    file.unlink()
            rows.append(row)
            print(*row.values(), flush=True)
    return rows


def main() -> None:
    run = sys.argv[1]
    data = sys.argv[2] if len(sys.argv) > 2 else read_run(Path(run))[1].source
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(run, data, Path(temporary))
    result = {
        "what": "exported forms of a trained run against torch in float32, on up to 32 validation images",
        "command": f"python benchmarks/parity.py {Path(run).name} {Path(data).name}",
        "rows": rows,
        "environment": environment(choose_device("cpu")),
    }
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
