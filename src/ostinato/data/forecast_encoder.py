"""What turns a panel into numbers for a forecaster: fitted on training rows alone, kept in the model file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, closest
from .calendar import phases, waves
from .panel import Panel, Roles
from .windows import Encoded

Array = NDArray[Any]
MOST_CATEGORIES = 32
"""Categories of a column that have an input of their own; the rarer ones share none, as do those unseen in training."""


class InputEncoder(msgspec.Struct, frozen=True):
    """A column of inputs: numbers less their mean over their deviation, or a 1 for one of its categories.

    masked: missing values occur, and a further number says where; else they are the mean, as they are with it.
    """

    name: str
    mean: float
    deviation: float
    categories: list[str] | None
    masked: bool

    @classmethod
    def fit(cls, panel: Panel, name: str, rows: Array) -> InputEncoder:
        """Return the encoder of a column, from some rows (a mask [N])."""
        values = panel.columns[name][rows]
        known = values[~np.isnan(values)]
        masked = len(known) < len(values)
        if name in panel.categories:
            codes, counts = np.unique(known.astype(np.int64), return_counts=True)
            most = codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]]
            return cls(name, 0.0, 1.0, [panel.categories[name][code] for code in sorted(most)], masked)
        return cls(name, *_moments(known), None, masked)

    @property
    def size(self) -> int:
        """The numbers it makes of a value."""
        return (1 if self.categories is None else len(self.categories)) + self.masked

    def encode(self, panel: Panel) -> Array:
        """Return the column's numbers [N, size]."""
        values = panel.columns[self.name]
        known = ~np.isnan(values)
        self._check(panel, known)
        if self.categories is None:
            parts = [np.where(known, (values - self.mean) / self.deviation, 0)]
        else:
            given = panel.categories.get(self.name, [])
            place = np.full(len(given) + 1, -1)
            own = {category: number for number, category in enumerate(self.categories)}
            place[:-1] = [own.get(category, -1) for category in given]
            chosen = place[np.where(known, values, len(given)).astype(np.int64)]
            parts = [chosen == number for number in range(len(self.categories))]
        if self.masked:
            parts.append(known)
        return np.stack(parts, axis=1).astype(np.float32)

    def _check(self, panel: Panel, known: Array) -> None:
        """Raise DataError where the column is of another kind than in training; one without values is of any."""
        is_text = self.name in panel.categories
        if known.any() and is_text != (self.categories is not None):
            now, then = ("categories", "numbers") if is_text else ("numbers", "categories")
            raise DataError(
                f"column {self.name!r} holds {now}, but held {then} in training.",
                f"give it as {'numbers' if is_text else 'text'}.",
            )


class ForecastEncoder(msgspec.Struct, frozen=True):
    """Targets less their mean over their deviation, as training rows have them; and the further inputs.

    means, deviations: of each target, or 0 and 1 where each window has a scale of its own. calendar: the cycles of the
    calendar that are inputs. elapsed: for irregular times, the usual time between two rows, in the panel's unit;
    the time since the row before is an input then, as log(1 + time / usual time), 0 in a series' first row.
    """

    roles: Roles
    means: list[float]
    deviations: list[float]
    past: list[InputEncoder]
    known: list[InputEncoder]
    static: list[InputEncoder]
    calendar: list[str]
    elapsed: float | None = None

    @classmethod
    def fit(cls, panel: Panel, roles: Roles, rows: Array, standardise: bool, cycles: list[str]) -> ForecastEncoder:
        """Return the encoder of a panel, from some rows (a mask [N]); times are irregular where it has no frequency."""
        moments = [_moments(panel.columns[name][rows]) if standardise else (0.0, 1.0) for name in roles.targets]
        past, known, static = (
            [InputEncoder.fit(panel, name, rows) for name in names] for names in (roles.past, roles.known, roles.static)
        )
        elapsed = _usual(_elapsed(panel)[rows]) if panel.frequency is None else None
        return cls(roles, [m for m, _ in moments], [d for _, d in moments], past, known, static, cycles, elapsed)

    @property
    def past_size(self) -> int:
        """The further inputs of a step of the past."""
        return _size(self.past) + self.future_size

    @property
    def future_size(self) -> int:
        """The further inputs of a step ahead."""
        return _size(self.known) + _size(self.static) + 2 * len(self.calendar) + (self.elapsed is not None)

    def encode(self, panel: Panel) -> Encoded:
        """Return a panel's numbers. Raises DataError where it lacks a column."""
        self._check(panel)
        targets = (panel.matrix(self.roles.targets) - self.means) / self.deviations
        ahead = [column.encode(panel) for column in (*self.known, *self.static)]
        if self.calendar:
            ahead.append(self._calendar(panel))
        if self.elapsed is not None:
            ahead.append(np.log1p(_elapsed(panel) / self.elapsed).astype(np.float32)[:, None])
        future = _joined(ahead, len(panel.times))
        past = _joined([column.encode(panel) for column in self.past] + [future], len(panel.times))
        return Encoded(targets, past, future, panel.starts)

    def decode(self, values: Array) -> Array:
        """Return values [B, h, C, Q] of targets in the units of the data."""
        whole: Array = values.astype(np.float64) * np.array(self.deviations)[:, None] + np.array(self.means)[:, None]
        return whole

    def _calendar(self, panel: Panel) -> Array:
        found = phases(panel.times, panel.frequency)
        if not set(self.calendar) <= set(found):
            was, now = (", ".join(each) or "none" for each in (self.calendar, found))
            raise DataError(
                f"the model reads the calendar's {was}, but this frequency has {now}.",
                "give data of the frequency that the model was trained on.",
            )
        return waves([found[name] for name in self.calendar], len(panel.times))

    def _check(self, panel: Panel) -> None:
        wanted = [*self.roles.targets, *(column.name for column in (*self.past, *self.known, *self.static))]
        for name in wanted:
            if name not in panel.columns:
                raise DataError(f"the model reads a column {name!r}, which is not there.", closest(name, panel.columns))


def _elapsed(panel: Panel) -> Array:
    """Return the time from the row before to each row [N], 0 for the first row of each series."""
    times = panel.times.astype(np.int64)
    elapsed = np.diff(times, prepend=times[:1]).astype(np.float64)
    elapsed[panel.starts[:-1][panel.lengths > 0]] = 0
    return elapsed


def _usual(elapsed: Array) -> float:
    """Return the median of those times that are above 0; 1 where there are none."""
    return float(np.median(elapsed[elapsed > 0])) if (elapsed > 0).any() else 1.0


def _moments(values: Array) -> tuple[float, float]:
    """Return mean and deviation of what is known; 0 and 1 of nothing, and deviation 1 of a constant."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 1.0
    # Of equal numbers the mean may be a little off, and so the deviation a little above 0.
    deviation = float(known.std()) if known.min() < known.max() else 0.0
    return float(known.mean()), deviation if deviation > 0 else 1.0


def _size(columns: Iterable[InputEncoder]) -> int:
    return sum(column.size for column in columns)


def _joined(parts: Sequence[Array], rows: int) -> Array:
    return np.concatenate([np.zeros((rows, 0), np.float32), *parts], axis=1)
