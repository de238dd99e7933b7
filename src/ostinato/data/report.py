"""What was found in a table, for a person: a line for its size and times, and one for each role and oddity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .grid import written
from .panel import Panel, Roles

_MOST_NAMES = 12


def summary(panel: Panel, roles: Roles, missing: Mapping[str, int], rows: int, irregular: bool) -> list[str]:
    """Return the lines. missing: how many values of each column, out of so many rows, the table itself leaves open."""
    lines = [_size(panel, irregular)]
    for role in ("targets", "known", "past", "static"):
        names = getattr(roles, role)
        if names:
            lines.append(f"{role}: {listed([_described(panel, name) for name in names])}")
    gone = [f"{name} {count:,} ({100 * count / rows:.2g} %)" for name, count in missing.items() if 0 < count < rows]
    if gone:
        lines.append(f"missing values: {listed(gone)}")
    empty = [name for name, count in missing.items() if count == rows]
    if empty:
        lines.append(f"without any value: {listed(empty)}")
    constant = [name for name in roles.columns if name not in empty and _is_constant(panel.columns[name])]
    if constant:
        lines.append(f"constant: {listed(constant)}")
    return lines


def listed(names: list[str]) -> str:
    """Return names in a row; the first and the last of many."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMES - 1])}, … {names[-1]} ({len(names):,} in all)"


def _size(panel: Panel, irregular: bool) -> str:
    shortest, longest = int(panel.lengths.min()), int(panel.lengths.max())
    of_each = f" of {shortest:,} to {longest:,}" if shortest < longest else f" of {longest:,}"
    frequency = (
        panel.frequency.name if panel.frequency else "irregular" if irregular else "too few times for a frequency"
    )
    first, last = written(np.array([panel.times.min(), panel.times.max()]))
    zone = f" {panel.time_zone}" if panel.time_zone else ""
    each = of_each if panel.num_series > 1 else ""
    return f"{panel.num_series:,} series{each}, {len(panel.times):,} rows, {frequency}, {first} to {last}{zone}"


def _described(panel: Panel, name: str) -> str:
    return f"{name} ({len(panel.categories[name])} categories)" if name in panel.categories else name


def _is_constant(values: np.ndarray) -> bool:
    return bool(np.nanmin(values) == np.nanmax(values))
