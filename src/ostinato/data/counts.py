"""Counts: whole numbers, 0 and more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from .panel import Panel


def check_counts(panel: Panel, targets: Sequence[str]) -> None:
    """Raise DataError unless every known value of the targets is a count; it names the first that is none."""
    for name in targets:
        values = panel.columns[name]
        odd = np.flatnonzero(~np.isnan(values) & ~((values >= 0) & (values == np.floor(values)) & np.isfinite(values)))
        if not len(odd):
            continue
        row = int(odd[0])
        series = panel.ids[int(np.searchsorted(panel.starts, row, side="right")) - 1]
        where = f"at {panel.times[row]}" + (f" of series {series!r}" if series else "")
        raise DataError(
            f"{name!r} should hold counts, but is {values[row]:g} {where}.",
            "the negative binomial is for whole numbers from 0 on: take --likelihood student-t, or quantiles.",
        )
