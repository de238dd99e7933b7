"""Forecasts that need no fitting: the last value, the last season, drift, and M4's Naive2.

Each takes histories [W, L, C], the last row being the last that is known, and gives for every step of the horizon
a point and a standard deviation [W, H, C]. Missing values are passed over, back to the last known one; where a
history has none, its forecast is missing. A history that is shorter than the others begins with missing rows.

With y the history of L rows, its last one y_L known, at step h = 1, 2, …:

    persistence     y_L                              σ √h
    seasonal naive  the same phase of the last season, of m rows
                                                     σ √(k + 1), with k = ⌊(h − 1) / m⌋
    drift           y_L + h (y_L − y_1) / (L − 1)    σ √(h (1 + h / (L − 1)))
    Naive2          persistence of y divided by its seasonal indices, times the index of the step

σ is the root mean square of what the method errs by one step (one season) ahead within the history.
Sources: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, sections 5.2 and 5.5;
Makridakis, Spiliotis and Assimakopoulos 2020, "The M4 Competition" (Naive2).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .forecast_metrics import check_levels
from .windows import Floats, check_history, hold, hold_forward

SEASONALITY_QUANTILE = 1.645
"""The normal quantile of M4's test for seasonality, 90 % on two sides."""


class Forecast(NamedTuple):
    """A normal distribution for each step: point and deviation [W, H, C].

    The deviation is missing where the history gave no error to measure it by.
    """

    point: Floats
    deviation: Floats

    def quantiles(self, levels: Sequence[float]) -> Floats:
        """Return quantiles [W, H, C, Q].

        Raises DataError unless levels rise from above 0 to below 1.
        """
        at = np.array([NormalDist().inv_cdf(level) for level in check_levels(levels)])
        return np.asarray(self.point[..., None] + self.deviation[..., None] * at)


def persistence(history: ArrayLike, horizon: int) -> Forecast:
    """Forecast the last known value."""
    values = check_history("persistence", history)
    steps = _steps_since_known(values, horizon)
    return Forecast(np.repeat(hold(values)[:, -1:], horizon, axis=1), _one_step_error(values) * np.sqrt(steps))


def seasonal_naive(history: ArrayLike, horizon: int, season: int) -> Forecast:
    """Forecast the last known value of the same phase of the season, of `season` rows.

    A phase without a known value takes the last known value of all. A history shorter than a season is forecast by
    `persistence`.
    """
    values = check_history("seasonal_naive", history)
    windows, length, channels = values.shape
    if length < season or season <= 1:
        return persistence(values, horizon)
    folded = _by_phase(values, season).reshape(windows, -1, season * channels)
    held = hold_forward(folded).reshape(windows, -1, channels)[:, :length]
    last = np.where(np.isnan(held[:, -season:]), hold(values)[:, -1:], held[:, -season:])
    steps = np.arange(horizon)
    deviation = _root_mean_square(values[:, season:] - held[:, :-season])
    return Forecast(last[:, steps % season], deviation * np.sqrt(steps // season + 1)[:, None])


def drift(history: ArrayLike, horizon: int) -> Forecast:
    """Go on from the last known value along the line through the first known one."""
    values = check_history("drift", history)
    held, known, length = hold(values), ~np.isnan(values), values.shape[1]
    steps = _steps_since_known(values, horizon)
    span = np.maximum(length - steps[:, :1] - known.argmax(axis=1)[:, None], 1)
    slope = (held[:, -1:] - held[:, :1]) / span
    deviation = _one_step_error(values - slope * np.arange(length)[:, None])
    return Forecast(held[:, -1:] + slope * steps, deviation * np.sqrt(steps * (1 + steps / span)))


def naive2(history: ArrayLike, horizon: int, season: int) -> Forecast:
    """Forecast the last known value, adjusted for the season where the history has one.

    Each window and channel is tested by itself (`is_seasonal`); its indices come of the classical multiplicative
    decomposition (`seasonal_indices`). Where these are not all positive, as in data that are not, there is no
    adjustment. M4's program looks for autocorrelations up to lag 10 log10 L only, and so finds no longer season;
    this one does.
    """
    values = check_history("naive2", history)
    length = values.shape[1]
    phases = np.arange(length + horizon) % max(season, 1)
    indices = _adjustment(values, season)[:, phases]
    adjusted = persistence(values / indices[:, :length], horizon)
    ahead = indices[:, length:]
    return Forecast(adjusted.point * ahead, adjusted.deviation * ahead)


def is_seasonal(history: Floats, season: int) -> NDArray[np.bool_]:
    """Return whether each window and channel [W, C] repeats itself after `season` rows.

    With r_k the autocorrelation at lag k and n the number of known values, it does where n ≥ 3 m and
    |r_m| > 1.645 √((1 + 2 Σ_{k<m} r_k²) / n). A missing value counts as the mean.
    """
    known = ~np.isnan(history)
    count = known.sum(axis=1)
    if season <= 1 or history.shape[1] < 3 * season:
        return np.zeros(count.shape, bool)
    held = np.where(known, history, 0.0)
    deviations = np.where(known, history - (held.sum(axis=1) / np.maximum(count, 1))[:, None], 0.0)
    correlations = _autocorrelations(deviations, season)
    limit = SEASONALITY_QUANTILE * np.sqrt((1 + 2 * (correlations[:, :-1] ** 2).sum(axis=1)) / np.maximum(count, 1))
    return np.asarray((count >= 3 * season) & (np.abs(correlations[:, -1]) > limit))


def seasonal_indices(history: Floats, season: int) -> Floats:
    """Return the index of each phase [W, m, C], counted from the first row: of mean 1 over the phases.

    It is the mean of y divided by its moving average, which is taken over m rows around it (over m + 1 where m is
    even, the two at its ends counting half). Phases without a known ratio are missing.
    """
    weights = np.full(season, 1 / season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5] / season
    views = np.lib.stride_tricks.sliding_window_view(history, len(weights), axis=1)
    trend, half = views @ weights, len(weights) // 2
    ratios = np.full_like(history, np.nan)
    middle = history[:, half : history.shape[1] - half]
    np.divide(middle, trend, out=ratios[:, half : history.shape[1] - half], where=trend != 0)
    by_phase = _by_phase(ratios, season)
    known = ~np.isnan(by_phase)
    count = known.sum(axis=1)
    sums = np.where(known, by_phase, 0.0).sum(axis=1)
    means = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
    level = means.mean(axis=1, keepdims=True)
    return np.asarray(np.divide(means, level, out=np.full(sums.shape, np.nan), where=level != 0))


def _adjustment(values: Floats, season: int) -> Floats:
    """Return what to divide each phase by [W, m, C]: 1 where there is no season."""
    windows, _, channels = values.shape
    ones = np.ones((windows, max(season, 1), channels))
    seasonal = is_seasonal(values, season)
    if not seasonal.any():
        return ones
    indices = seasonal_indices(values, season)
    return np.where((seasonal & (indices > 0).all(axis=1))[:, None], indices, ones)


def _autocorrelations(deviations: Floats, lags: int) -> Floats:
    """Return the autocorrelations at lags 1, …, `lags` of windows with mean zero [W, lags, C]; 0 for constant ones."""
    spectrum = np.fft.rfft(deviations, n=deviations.shape[1] + lags, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    products = np.fft.irfft(power, n=deviations.shape[1] + lags, axis=1)[:, : lags + 1]
    variance = (deviations**2).sum(axis=1, keepdims=True)
    products = products[:, 1:]
    return np.asarray(np.divide(products, variance, out=np.zeros_like(products), where=variance > 0))


def _by_phase(values: Floats, season: int) -> Floats:
    """Fold windows [W, L, C] to [W, seasons, m, C], with missing rows after the end."""
    windows, length, channels = values.shape
    seasons = -(-length // season)
    padding = np.full((windows, seasons * season - length, channels), np.nan)
    return np.concatenate([values, padding], axis=1).reshape(windows, seasons, season, channels)


def _steps_since_known(values: Floats, horizon: int) -> Floats:
    """Return how many rows each step of the horizon lies after the last known value [W, H, C]."""
    since: Floats = (~np.isnan(values))[:, ::-1].argmax(axis=1)[:, None] + np.arange(1.0, horizon + 1)[:, None]
    return since


def _one_step_error(values: Floats) -> Floats:
    """Return the root mean square by which a value differs from the last known one before it [W, 1, C]."""
    return _root_mean_square(values[:, 1:] - hold_forward(values)[:, :-1])


def _root_mean_square(residuals: Floats) -> Floats:
    """Return the root mean square over rows [W, 1, C] of what is known; missing where nothing is."""
    known = ~np.isnan(residuals)
    count = known.sum(axis=1, keepdims=True)
    squares = np.where(known, residuals, 0.0) ** 2
    mean = np.divide(squares.sum(axis=1, keepdims=True), count, out=np.full(count.shape, np.nan), where=count > 0)
    return np.asarray(np.sqrt(mean))
