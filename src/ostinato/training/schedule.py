"""The learning rate of each step."""

from __future__ import annotations

import math

FLOOR = 0.02
"""Share of the full rate that is left at the end."""


def learning_rate(step: int, steps: int, full: float, warmup: int) -> float:
    """Return the rate at a step: a linear rise over `warmup` steps, then half a cosine down to 2 %.

    rate(k) = full · min(1, (k + 1) / warmup) · (0.02 + 0.98 · (1 + cos(π k / steps)) / 2)
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return full * rise * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * step / steps)))
