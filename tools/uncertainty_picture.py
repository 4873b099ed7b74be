"""Draw from tables of images whether uncertainty tells which masks are wrong: a column for each result folder.

python tools/uncertainty_picture.py docs/uncertainty.png vessels=results/drive_gpu_8min_seed0 ...
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from amsunet.evaluation.statistics import risk_coverage


def main(target: str, *pairs: str) -> None:
    figure = Figure(figsize=(3 * len(pairs), 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, len(pairs), squeeze=False)
    for pair, dots, curve in zip(pairs, above, below, strict=True):
        name, folder = pair.split("=", 1)
        with (Path(folder) / "images.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        uncertainty, dice = (np.array([float(row[field]) for row in rows]) for field in ("uncertainty", "dice"))
        risk = risk_coverage(uncertainty, dice)
        dots.plot(uncertainty, dice, "o", ms=3, alpha=0.6, color="tab:blue")
        dots.axline((0, 1), slope=-1, color="grey", lw=0.8, ls=":")
        dots.set(title=f"{name}, {len(rows)} test images", xlabel="uncertainty", xlim=(0, None), ylim=(None, 1))
        curve.plot(risk.coverage, risk.risk, color="tab:blue", label="by uncertainty")
        curve.plot(risk.coverage, risk.best_risk, color="grey", ls=":", label="the best order")
        curve.axhline(risk.chance_area, color="grey", lw=0.8, label="by chance")
        curve.set(xlabel="share of images kept", xlim=(0, 1), ylim=(0, None))
        print(f"{name}: {risk.summary()}")
    above[0].set_ylabel("Dice")
    below[0].set_ylabel("1 - Dice of the images kept")
    below[0].legend(frameon=False)
    figure.savefig(target, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
