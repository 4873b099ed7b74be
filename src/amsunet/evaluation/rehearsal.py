"""What an evaluation will cost here, measured on imitated predictions: a plan by minutes leaves time for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from amsunet.evaluation.calibration import Calibration
from amsunet.evaluation.evaluate import is_thin
from amsunet.evaluation.metrics import score_image
from amsunet.evaluation.plots import case_panels, data_address, figure_text
from amsunet.progress import Stopwatch
from amsunet.training.command_time import Scene

_CASES = 9
"""Pictures of a report."""
_PLOTS = 5


def rehearse_evaluation(scenes: Sequence[Scene], thickness: float) -> tuple[float, float]:
    """Measure an evaluation.

    Args:
        scenes: images with labels and probabilities.
        thickness: of structures, pixels.

    Returns:
        Seconds to evaluate an image as large as these, and to write the report.
    """
    seconds = []
    for _, labels, probability in scenes:
        with Stopwatch() as watch:
            score_image(probability, probability.argmax(axis=0), labels, thin=is_thin(thickness))
            Calibration().add(probability, labels)
        seconds.append(watch.seconds)
    image, labels, probability = scenes[0]
    with Stopwatch() as panels:
        data_address(case_panels(image, labels, probability.argmax(axis=0)))
    with Stopwatch() as plot:
        figure = Figure()
        figure.subplots().plot([0, 1], [0, 1])
        figure_text(figure)
    return float(np.median(seconds)), _CASES * panels.seconds + _PLOTS * plot.seconds
