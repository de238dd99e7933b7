"""What a forecasting library is given, and how its forecasts are judged: NumPy alone, since it runs among the libraries
of others, too.

W windows, L lookback, H horizon, S series, N rows of all series, F further inputs. Each target is a series of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]
Figures = dict[str, float]


@dataclass(frozen=True)
class Problem:
    """Series, their parts, and the windows that count.

    values: the series, one after the other, missing values as not-a-number [N]. starts: where each begins, and the last
    one ends [S + 1]. inputs: what else is known of the past [N, F], without missing values. Rows of a series, counted
    from its first: train ends the training part and valid that for validation; the windows' origins are first, first +
    1, … as far as a horizon ends before last [S]. scale: of MASE, in the unit of the series [S]. standardised: errors
    count in deviations of the training part.
    """

    values: Array
    starts: Array
    inputs: Array
    train: Array
    valid: Array
    first: Array
    last: Array
    scale: Array
    horizon: int
    standardised: bool

    def save(self, path: Path) -> None:
        """Write it as an NPZ file."""
        np.savez(path, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> Problem:
        """Read what `save` wrote."""
        with np.load(path) as kept:
            arrays = dict(kept)
        horizon, standardised = int(arrays.pop("horizon")), bool(arrays.pop("standardised"))
        return cls(**arrays, horizon=horizon, standardised=standardised)

    def rows(self, number: int, first: int, last: int) -> slice:
        """Return where some rows of a series lie."""
        return slice(int(self.starts[number] + first), int(self.starts[number] + last))

    @property
    def num_series(self) -> int:
        """The number of series S."""
        return len(self.train)

    def series(self) -> list[Array]:
        """Return the series less their training mean over their training deviation, as a library is given them.

        A missing value is the last known one before it, or at a beginning the first.
        """
        means, deviations = self.moments()
        return [
            held((self.values[self.rows(number, 0, self.last[number])] - means[number]) / deviations[number])
            for number in range(self.num_series)
        ]

    def moments(self) -> tuple[Array, Array]:
        """Return mean and deviation of the training part of each series [S]; the deviation of a constant is 1."""
        parts = [self.values[self.rows(number, 0, self.train[number])] for number in range(self.num_series)]
        deviations = np.array([np.nanstd(part) if np.nanmin(part) < np.nanmax(part) else 1.0 for part in parts])
        return np.array([np.nanmean(part) for part in parts]), deviations

    def truth(self, number: int) -> Array:
        """Return what the windows of a series should forecast [W, H], in its own unit."""
        values = self.values[self.rows(number, self.first[number], self.last[number])]
        return sliding_window_view(values, self.horizon)

    def judge(self, forecasts: Sequence[Array]) -> Figures:
        """Return the figures of forecasts, [W, H] of each series, in the units that `series` has.

        With y the truth and f the forecast, over all known y of all windows: mse mean (y − f)², mae mean |y − f|,
        smape mean 200 |y − f| / (|y| + |f|), mase mean |y − f| / scale.

        Raises ValueError for forecasts of other shapes, or that are not numbers.
        """
        means, deviations = self.moments()
        errors, magnitudes, scaled = [], [], []
        for number, found in enumerate(forecasts):
            forecast, truth = np.asarray(found, np.float64), self.truth(number)
            if forecast.shape != truth.shape or not np.isfinite(forecast).all():
                raise ValueError(f"forecasts of series {number} are {forecast.shape} numbers, not {truth.shape}")
            shift, unit = means[number], deviations[number]
            if self.standardised:
                truth = (truth - shift) / unit
            else:
                forecast = forecast * unit + shift
            known = ~np.isnan(truth)
            error = np.abs(truth - forecast)[known]
            errors.append(error)
            magnitudes.append((np.abs(truth) + np.abs(forecast))[known])
            scale = self.scale[number] / (unit if self.standardised else 1)
            scaled.append(error / scale if scale > 0 else error[:0])
        error, magnitude = np.concatenate(errors), np.concatenate(magnitudes)
        symmetric = 200 * np.divide(error, magnitude, out=np.zeros_like(error), where=magnitude > 0)
        return {
            "mse": _mean(error**2),
            "mae": _mean(error),
            "smape": _mean(symmetric),
            "mase": _mean(np.concatenate(scaled)),
        }

    def persistence(self) -> list[Array]:
        """Return the last known value before each window as its forecast: what anyone who judges the same windows in
        the same way has the same figures of.
        """
        found = []
        for number, values in enumerate(self.series()):
            truth = self.truth(number)
            begin = int(self.first[number]) - 1
            found.append(np.broadcast_to(values[begin : begin + len(truth), None], truth.shape))
        return found


def held(values: Array) -> Array:
    """Return a series in which a missing value is the last known one before it, or at the beginning the first."""
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    return np.where(np.isnan(values[last]), values[known.argmax()], values[last])


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def problem_of(
    files: Sequence[str],
    further: Sequence[str],
    options: dict[str, Any],
    windows: int | None = None,
    season: int | None = None,
    standardised: bool = False,
) -> Problem:
    """Return what `ostinato fit forecast` and `ostinato evaluate` are given, read and split as they do.

    further: files that `evaluate` is given besides. options: of the fit. windows, season, standardised: of `evaluate`.
    """
    from ostinato.data.extension import known_ends
    from ostinato.data.layout import panel_of
    from ostinato.data.splits import split
    from ostinato.evaluate.forecast_metrics import seasonal_scale
    from ostinato.tasks.forecast_fitting import layout_of
    from ostinato.tasks.forecast_options import ForecastOptions
    from ostinato.tasks.options import make

    given = make(ForecastOptions, options)
    horizon = given.horizon
    assert horizon is not None, "a protocol says its horizon"
    learned = panel_of(list(files), layout_of(given))
    targets = learned.roles.targets
    parts = split(learned.panel, known_ends(learned.panel, targets), given.split, horizon)
    begins = learned.panel.starts[:-1]
    train, valid, last = (part - begins for part in parts)
    panel, first = learned.panel, valid
    if further:
        panel = panel_of([*files, *further], layout_of(given, learned.roles)).panel
    if windows is not None:
        last = known_ends(panel, targets) - panel.starts[:-1]
        first = last - horizon - (windows - 1)
    season = season or given.season or (1 if panel.frequency is None else panel.frequency.season)
    values, inputs = panel.matrix(targets), _inputs(panel, learned.roles, train)
    found: dict[str, list[Any]] = {name: [] for name in ("values", "inputs", "scale")}
    for number in range(panel.num_series):
        rows = panel.rows(number)
        found["values"] += list(values[rows].T)
        found["inputs"] += [inputs[rows]] * len(targets)
        found["scale"] += list(seasonal_scale(values[rows][: first[number]], season))
    ends = (np.repeat(rows, len(targets)) for rows in (train, valid, first, last))
    lengths = np.cumsum([0, *map(len, found["values"])])
    return Problem(
        np.concatenate(found["values"]),
        lengths,
        np.concatenate(found["inputs"]),
        *ends,
        np.array(found["scale"]),
        horizon,
        standardised,
    )


def _inputs(panel: Any, roles: Any, train: Array) -> Array:
    """Return the columns that are no targets as numbers [N, F], as Ostinato's encoder makes them."""
    from ostinato.data.forecast_encoder import InputEncoder
    from ostinato.tasks.forecast_fitting import rows_before

    is_train = rows_before(panel, panel.starts[:-1] + train)
    encoded = [
        InputEncoder.fit(panel, name, is_train).encode(panel) for name in (*roles.past, *roles.known, *roles.static)
    ]
    return np.concatenate([np.empty((len(panel.times), 0), np.float32), *encoded], axis=1)
