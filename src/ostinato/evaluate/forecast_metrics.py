"""The figures in which forecasts are compared, summed batch by batch so that no test has to fit in memory.

With y the truth, f the forecast, q_τ its quantile at level τ, and means over all known y:

    mse       mean (y − f)²
    mae       mean |y − f|
    smape     mean 200 |y − f| / (|y| + |f|), where 0 / 0 counts 0: from 0 to 200, as in M4
    mase      mean |y − f| / s, with s the scale of `seasonal_scale`, from training rows
    wql       mean over τ of 2 Σ ρ_τ(y − q_τ) / Σ |y|, where ρ_τ(e) = max(τ e, (τ − 1) e): GluonTS' mean weighted
              quantile loss
    coverage_80, width_80
              the share of y from the quantile 0.1 to that of 0.9, both included, and their mean distance; so for
              every pair of levels that lies symmetrically

Where all windows are of equal length and complete, the mean over values equals M4's mean over series. Sources:
Makridakis, Spiliotis and Assimakopoulos 2020, "The M4 Competition", International Journal of Forecasting 36;
Hyndman and Koehler 2006, "Another look at measures of forecast accuracy" (MASE).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..shapes import expect
from .windows import Floats, Numbers

Figures = dict[str, float]


class Scores:
    """Sums of errors over windows: overall, by step of the horizon, and by series.

    horizon: H. groups: how many series (or channels, or both) are told apart. levels: those of the quantiles [Q],
    rising; none for point forecasts alone.

        scores = Scores(horizon=24, groups=7, levels=(0.1, 0.5, 0.9))
        for truth, point, quantiles in batches:
            scores.add(truth, point, quantiles)
        scores.overall()["mae"], scores.by_step()["mae"], scores.by_series()["mae"]

    Where truth is missing nothing counts. Where it is known and the forecast is missing, the value is counted as
    ``unanswered`` and is no part of the other figures; a known value whose scale is missing or zero is counted as
    ``unscaled`` and is no part of mase. A figure of nothing is not-a-number. How values were cut into batches
    changes figures by rounding alone, less than 1e-12 of them.

    Raises DataError for levels that do not rise from above 0 to below 1.
    """

    def __init__(self, horizon: int, groups: int, levels: Sequence[float] = ()) -> None:
        self.horizon, self.groups, self.levels = horizon, groups, check_levels(levels)
        self.intervals = central_intervals(self.levels)
        names = ["count", "unanswered", "squared", "absolute", "symmetric", "scaled", "scaled_count", "unscaled"]
        if levels:
            names += ["quantile_count", "magnitude", *(f"pinball_{i}" for i in range(len(levels)))]
            names += [f"{kind}_{name}" for name in self.intervals for kind in ("covered", "width")]
        self._steps = {name: np.zeros(horizon) for name in names}
        self._series = {name: np.zeros(groups) for name in names}

    def add(
        self,
        truth: ArrayLike,
        point: ArrayLike,
        quantiles: ArrayLike | None = None,
        group: ArrayLike | None = None,
        scale: ArrayLike | None = None,
    ) -> None:
        """Count a batch of windows.

        truth, point: [W, H, C]. quantiles: [W, H, C, Q]; None counts for no figure of quantiles. group: the number
        of the series that each column of each window belongs to, [C] or [W, C]; by default the channel. scale: of
        MASE, [C] or [W, C].

        Raises ShapeError where shapes do not fit together, DataError for a group that does not exist.
        """
        truth, point = np.asarray(truth, np.float64), np.asarray(point, np.float64)
        expect("Scores.add", "truth", truth, "W H C", H=self.horizon)
        sizes = dict(zip("WHC", truth.shape, strict=True))
        expect("Scores.add", "point", point, "W H C", **sizes)
        numbers = self._numbers(np.arange(sizes["C"]) if group is None else np.asarray(group, np.int64), sizes)
        unit = None if scale is None else _of_columns("scale", np.asarray(scale, np.float64), sizes)
        bands = None if quantiles is None or not self.levels else np.asarray(quantiles, np.float64)
        if bands is not None:
            expect("Scores.add", "quantiles", bands, "W H C Q", **sizes, Q=len(self.levels))
        for name, terms in self._point_terms(truth, point, unit):
            self._count(name, terms, numbers)
        if bands is not None:
            for name, terms in self._quantile_terms(truth, bands):
                self._count(name, terms, numbers)

    def overall(self) -> Figures:
        """Return every figure over all that was counted."""
        return {name: float(value) for name, value in self._figures({n: s.sum() for n, s in self._steps.items()})}

    def by_step(self) -> dict[str, Floats]:
        """Return every figure for each step of the horizon [H]."""
        return dict(self._figures(self._steps))

    def by_series(self) -> dict[str, Floats]:
        """Return every figure for each series [S]."""
        return dict(self._figures(self._series))

    def _numbers(self, group: Numbers, sizes: dict[str, int]) -> Numbers:
        """Return the series of each column of each window [W, C]."""
        numbers = _of_columns("group", group, sizes)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < self.groups:
            raise DataError(
                f"a column belongs to series {numbers.min()} to {numbers.max()}, but there are {self.groups}.",
                "number series from 0, and say how many there are as `groups`.",
            )
        return numbers

    def _count(self, name: str, terms: Floats | NDArray[np.bool_], numbers: Numbers) -> None:
        """Add terms [W, H, C] to the sums of their steps and of their series."""
        self._steps[name] += terms.sum(axis=(0, 2))
        np.add.at(self._series[name], numbers.ravel(), terms.sum(axis=1).ravel())

    def _point_terms(
        self, truth: Floats, point: Floats, unit: Floats | None
    ) -> Iterator[tuple[str, Floats | NDArray[np.bool_]]]:
        known = ~np.isnan(truth)
        counts = known & ~np.isnan(point)
        error = np.abs(np.where(counts, truth - point, 0.0))
        size = np.where(counts, np.abs(truth) + np.abs(point), 0.0)
        yield "count", counts
        yield "unanswered", known & ~counts
        yield "squared", error**2
        yield "absolute", error
        yield "symmetric", 200 * np.divide(error, size, out=np.zeros_like(error), where=size > 0)
        if unit is not None:
            unit = np.broadcast_to(unit[:, None], truth.shape)
            scaled = counts & (unit > 0)
            yield "scaled", np.divide(error, unit, out=np.zeros_like(error), where=scaled)
            yield "scaled_count", scaled
            yield "unscaled", counts & ~scaled

    def _quantile_terms(self, truth: Floats, bands: Floats) -> Iterator[tuple[str, Floats | NDArray[np.bool_]]]:
        counts = ~(np.isnan(truth) | np.isnan(bands).any(axis=-1))
        yield "quantile_count", counts
        yield "magnitude", np.where(counts, np.abs(truth), 0.0)
        for index, level in enumerate(self.levels):
            error = np.where(counts, truth - bands[..., index], 0.0)
            yield f"pinball_{index}", np.maximum(level * error, (level - 1) * error)
        for name, (low, high) in self.intervals.items():
            yield f"covered_{name}", counts & (bands[..., low] <= truth) & (truth <= bands[..., high])
            yield f"width_{name}", np.where(counts, bands[..., high] - bands[..., low], 0.0)

    def _figures(self, sums: Mapping[str, Floats]) -> Iterator[tuple[str, Floats]]:
        yield "count", sums["count"]
        yield "unanswered", sums["unanswered"]
        yield "mse", _ratio(sums["squared"], sums["count"])
        yield "mae", _ratio(sums["absolute"], sums["count"])
        yield "smape", _ratio(sums["symmetric"], sums["count"])
        yield "mase", _ratio(sums["scaled"], sums["scaled_count"])
        yield "unscaled", sums["unscaled"]
        if self.levels:
            losses = [sums[f"pinball_{index}"] for index in range(len(self.levels))]
            yield "wql", _ratio(2 * sum(losses[1:], losses[0]) / len(losses), sums["magnitude"])
            for name in self.intervals:
                yield f"coverage_{name}", _ratio(sums[f"covered_{name}"], sums["quantile_count"])
                yield f"width_{name}", _ratio(sums[f"width_{name}"], sums["quantile_count"])


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels of quantiles.

    Raises DataError unless they rise from above 0 to below 1.
    """
    given = tuple(map(float, levels))
    if not all(low < high for low, high in zip((0.0, *given), (*given, 1.0), strict=True)):
        raise DataError(
            f"levels of quantiles rise from above 0 to below 1, got {list(given)}.", "give such as 0.1, 0.5, 0.9."
        )
    return given


def central_intervals(levels: Sequence[float]) -> dict[str, tuple[int, int]]:
    """Return the places of the two levels that bound each central interval, by its share in percent, widest first.

    Levels 0.05, 0.1, 0.5, 0.9, 0.95 bound ``90`` (0, 4) and ``80`` (1, 3).
    """
    return {
        f"{round(100 * (levels[high] - levels[low]), 6):g}": (low, high)
        for low in range(len(levels))
        for high in range(low + 1, len(levels))
        if abs(levels[low] + levels[high] - 1) < 1e-9
    }


def seasonal_scale(history: ArrayLike, season: int) -> Floats:
    """Return the scale of MASE: the mean |y_t − y_{t−m}| over training rows [N, C], for each channel [C].

    season: m, in rows. Pairs of which one is missing do not count; without any pair it is not-a-number.
    """
    values = np.asarray(history, np.float64)
    expect("seasonal_scale", "history", values, "N C")
    differences = np.abs(values[season:] - values[: max(len(values) - season, 0)])
    known = ~np.isnan(differences)
    return _ratio(np.where(known, differences, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def owa(figures: Mapping[str, float], naive2: Mapping[str, float]) -> float:
    """Return M4's overall weighted average: the mean of the ratios of smape and of mase to those of Naive2.

    It is not-a-number where Naive2 errs nowhere.
    """
    names = ("smape", "mase")
    own, other = (np.array([each[name] for name in names]) for each in (figures, naive2))
    return float(_ratio(own, other).mean())


def _of_columns(name: str, given: NDArray[Any], sizes: dict[str, int]) -> NDArray[Any]:
    """Return numbers for each column of each window [W, C], from such or from [C]."""
    expect("Scores.add", name, given, "C" if given.ndim < 2 else "W C", W=sizes["W"], C=sizes["C"])
    return np.broadcast_to(given, (sizes["W"], sizes["C"]))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient; not-a-number where nothing was counted."""
    quotient = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) > 0)
    return quotient
