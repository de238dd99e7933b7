"""The learning rate of each step."""

from __future__ import annotations


def learning_rate(step: int, steps: int, full: float, warmup: int) -> float:
    """Return the rate at a step: a linear rise over `warmup` steps, and a linear fall from the first step on.

    rate(k) = full · min(1, (k + 1) / warmup) · (1 - k / steps)
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return full * rise * (1.0 - step / steps)
