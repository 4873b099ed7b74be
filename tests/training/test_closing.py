"""What comes after the last epoch, rehearsed."""

from __future__ import annotations

import pytest

from amsunet.evaluation.rehearsal import rehearse_evaluation
from amsunet.training.closing import ClosingCost, rehearse
from amsunet.training.prepare import prepare


@pytest.mark.parametrize("source", ["sample:nuclei", "sample:brain"])
def test_every_part_costs_something_and_evaluating_only_where_somebody_evaluates(source):
    prepared = prepare(source, {"minutes": 1.0}, device="cpu")
    given = prepared.dataset, prepared.of("train"), prepared.of("val"), prepared.plan, prepared.fingerprint.thickness
    evaluated, alone = rehearse(*given, rehearse_evaluation), rehearse(*given, None)
    assert evaluated.images == len(prepared.of("val"))
    assert min(evaluated.reading, evaluated.choosing, evaluated.looking, evaluated.evaluating, evaluated.report) > 0
    assert (alone.evaluating, alone.report) == (0, 0)
    sample = prepared.of("val")[0]
    height, width = prepared.dataset.sizes()[sample.name]
    assert evaluated.pixels == pytest.approx(height * width, rel=0.6)


def test_what_is_evaluated_is_read_and_predicted_twice():
    cost = ClosingCost(10, 100.0, 1.0, 8.0, 16.0, 0.5, 3.0)
    assert cost.of_image(0.5, 0.01) == 2 * 1.0 + 0.5 + 0.25 * (8.0 + 2 * 0.01 * 100)
    assert cost.seconds(0.5, 0.01, 4) == 4 * cost.of_image(0.5, 0.01) + 0.25 * 16.0 + 3.0
    alone = ClosingCost(10, 100.0, 1.0, 8.0, 16.0, 0.0, 0.0)
    assert alone.of_image(1.0, 0.01) == 1.0 + 8.0 + 0.01 * 100
