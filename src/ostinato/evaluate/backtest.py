"""Back-tests: forecasts from one origin after the other, the model's and the baselines' on the very same windows.

A forecaster is a function of `Windows`. It is handed what lies before each origin, and truth only meets its forecast
afterwards, in `Scores`. One that learns anew as it goes is a function that does so; it may use all rows before an
origin, which it knows by series and number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..shapes import expect
from .forecast_metrics import Scores
from .linear import Ridge
from .naive import Forecast, drift, naive2, persistence, seasonal_naive
from .windows import Floats, Numbers, Rows, gather, rows_of

BATCH_VALUES = 2_000_000
"""By default a batch has so many values, lookback and horizon together: 16 MB."""


class Windows(NamedTuple):
    """A batch of what is known.

    history: [W, L, C], the last row being the one before the origin; rows before the beginning of a series are
    missing. series: the number of each window's series [W]. origins: the first row to forecast, in its series [W].
    """

    history: Floats
    series: Numbers
    origins: Numbers


Forecaster = Callable[[Windows], tuple[ArrayLike, ArrayLike | None]]
"""Returns point [W, H, C] and quantiles [W, H, C, Q], or None where there are no quantiles."""


def origins(first: int, last: int, stride: int = 1, horizon: int = 1) -> Numbers:
    """Return every `stride`-th origin, from row `first` on, whose horizon ends before row `last`.

    Raises DataError where there is none, or for a stride or horizon below 1.
    """
    if stride < 1 or horizon < 1:
        raise DataError(f"origins need a stride and a horizon of 1 or more rows, got {stride} and {horizon}.")
    found = np.arange(first, last - horizon + 1, stride, dtype=np.int64)
    if not len(found):
        raise DataError(
            f"rows {first} to {last} have no room for a horizon of {horizon} rows.",
            "take a shorter horizon, or more rows to forecast.",
        )
    return found


def backtest(
    series: ArrayLike | Sequence[ArrayLike],
    origins: ArrayLike | Sequence[ArrayLike],
    forecasters: Mapping[str, Forecaster],
    *,
    lookback: int,
    horizon: int,
    levels: Sequence[float] = (),
    scale: ArrayLike | None = None,
    batch_size: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
    onto: Mapping[str, Scores] | None = None,
) -> dict[str, Scores]:
    """Walk over the origins once, and return the scores of each forecaster by its name.

    series: [N, C], or a list of several. origins: rows of the series, or for several a list of the rows of each.
    lookback: L, the rows handed to forecasters. levels: of the quantiles that they return. scale: of MASE
    (`seasonal_scale` of training rows), [C], or for several [S, C]. batch_size: W. progress: told the share done.
    onto: scores of other origins of these series, which these are added to: what is walked in stretches, with other
    forecasters in each, so has the figures of all of them.

    Scores are grouped by channel, or for several series by channel within series: group s C + c.

    Raises DataError for an origin outside its series, ShapeError for forecasts of another shape.
    """
    rows = rows_of(series)
    channels = rows.values.shape[1]
    numbers, places = _windows(rows, origins, several=isinstance(series, Sequence))
    units = None if scale is None else _scale(scale, len(rows.lengths), channels)
    groups = len(rows.lengths) * channels
    scores = dict(onto or {})
    scores |= {name: Scores(horizon, groups, levels) for name in forecasters if name not in scores}
    size = batch_size or max(1, BATCH_VALUES // ((lookback + horizon) * channels))
    for start in range(0, len(places), size):
        batch = slice(start, start + size)
        number, place = numbers[batch], places[batch]
        window = gather(rows, number, place, lookback, horizon)
        truth = window[:, lookback:]
        group = number[:, None] * channels + np.arange(channels)
        for name, forecast in forecasters.items():
            # Each has a copy, and none has the truth, not even as memory behind its array.
            point, quantiles = forecast(Windows(window[:, :lookback].copy(), number.copy(), place.copy()))
            scores[name].add(truth, point, quantiles, group, None if units is None else units[number])
        progress(min(start + size, len(places)) / len(places))
    return scores


def baselines(
    horizon: int, season: int, levels: Sequence[float] = (), ridge: Ridge | None = None
) -> dict[str, Forecaster]:
    """Return the forecasters that stand beside a model, by name; the linear one if it has been fitted."""
    found = {
        "persistence": _naive(lambda history: persistence(history, horizon), levels),
        "seasonal naive": _naive(lambda history: seasonal_naive(history, horizon, season), levels),
        "drift": _naive(lambda history: drift(history, horizon), levels),
        "Naive2": _naive(lambda history: naive2(history, horizon, season), levels),
    }
    if ridge is not None:
        found["linear"] = _linear(ridge, levels)
    return found


def _naive(method: Callable[[Floats], Forecast], levels: Sequence[float]) -> Forecaster:
    def forecast(windows: Windows) -> tuple[ArrayLike, ArrayLike | None]:
        found = method(windows.history)
        return found.point, found.quantiles(levels) if levels else None

    return forecast


def _linear(ridge: Ridge, levels: Sequence[float]) -> Forecaster:
    def forecast(windows: Windows) -> tuple[ArrayLike, ArrayLike | None]:
        return ridge.predict(windows.history), ridge.quantiles(windows.history, levels) if levels else None

    return forecast


def _windows(rows: Rows, origins: ArrayLike | Sequence[ArrayLike], several: bool) -> tuple[Numbers, Numbers]:
    """Return the series and origin of every window, series after series."""
    lists = [np.asarray(part, np.int64).ravel() for part in (origins if several else [origins])]  # type: ignore[union-attr]
    if len(lists) != len(rows.lengths):
        raise DataError(f"origins were given for {len(lists)} series of {len(rows.lengths)}.", "give a list for each.")
    for number, (places, length) in enumerate(zip(lists, rows.lengths.tolist(), strict=True)):
        if len(places) and not 0 < places.min() <= places.max() < length:
            raise DataError(
                f"origins {places.min()} to {places.max()} do not lie in series {number}, of {length} rows.",
                "an origin has at least one row before it, and is a row itself.",
            )
    return np.repeat(np.arange(len(lists)), list(map(len, lists))), np.concatenate(lists)


def _scale(scale: ArrayLike, series: int, channels: int) -> Floats:
    """Return the scale of each series and channel [S, C]."""
    units = np.asarray(scale, np.float64)
    expect("backtest", "scale", units, "C" if units.ndim < 2 else "S C", S=series, C=channels)
    return np.broadcast_to(units, (series, channels))
