"""Learning rate over a training: linear warm-up, then polynomial decay."""

from __future__ import annotations

_POWER = 0.9


def learning_rate_factor(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Factor on the learning rate after ``step`` optimizer steps.

    From 0.001 to 1 in a straight line over the warm-up, then (1 - progress) ** 0.9 down to 0 at the end.

    Source: the released recipe of AMSUnet, doi 10.1016/j.compbiomed.2023.107120.
    """
    if step < warmup_steps:
        return 0.001 + 0.999 * step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return float(max(0.0, 1.0 - progress) ** _POWER)
