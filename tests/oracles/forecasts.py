"""Figures and forecasts by plain loops over single numbers, from their definitions. NaN is missing.

Series are lists of numbers; windows [W][H][C] and such are anything that is indexed so.
"""

import math
from itertools import pairwise

import numpy as np


def known(values):
    return [value for value in values if not math.isnan(value)]


def mean(values):
    return math.fsum(values) / len(values) if values else math.nan


def figures(cases, levels):
    """Return every figure of cases (truth, point, quantiles, scale), one a value to forecast."""
    cases = [case for case in cases if not math.isnan(case[0])]
    answered = [case for case in cases if not math.isnan(case[1])]
    scaled = [case for case in answered if case[3] > 0]
    found = {
        "count": len(answered),
        "unanswered": len(cases) - len(answered),
        "mse": mean([(y - f) ** 2 for y, f, _, _ in answered]),
        "mae": mean([abs(y - f) for y, f, _, _ in answered]),
        "smape": mean([0 if y == f == 0 else 200 * abs(y - f) / (abs(y) + abs(f)) for y, f, _, _ in answered]),
        "mase": mean([abs(y - f) / s for y, f, _, s in scaled]),
        "unscaled": len(answered) - len(scaled),
    }
    banded = [case for case in cases if not any(map(math.isnan, case[2]))]
    size = math.fsum(abs(y) for y, _, _, _ in banded)
    losses = [
        math.fsum(2 * abs((y - q[i]) * ((y <= q[i]) - level)) for y, _, q, _ in banded)
        for i, level in enumerate(levels)
    ]
    found["wql"] = mean([loss / size for loss in losses]) if size else math.nan
    for low, high in [(i, j) for i in range(len(levels)) for j in range(i) if abs(levels[i] + levels[j] - 1) < 1e-9]:
        low, high = min(low, high), max(low, high)
        name = f"{100 * (levels[high] - levels[low]):.4g}"
        found[f"coverage_{name}"] = mean([float(q[low] <= y <= q[high]) for y, _, q, _ in banded])
        found[f"width_{name}"] = mean([q[high] - q[low] for _, _, q, _ in banded])
    return found


def seasonal_scale(series, season):
    pairs = zip(series[season:], series, strict=False)
    return mean(known([abs(now - before) for now, before in pairs]))


def root_mean_square(values):
    return math.sqrt(mean([value**2 for value in values])) if values else math.nan


def last_known(series):
    return known(series)[-1] if known(series) else math.nan


def rows_since_known(series):
    return next((age for age, value in enumerate(reversed(series)) if not math.isnan(value)), 0)


def one_step_error(series):
    places = [place for place, value in enumerate(series) if not math.isnan(value)]
    return root_mean_square([series[now] - series[before] for before, now in pairwise(places)])


def persistence(series, horizon):
    age, error = rows_since_known(series), one_step_error(series)
    return [last_known(series)] * horizon, [error * math.sqrt(age + step) for step in range(1, horizon + 1)]


def seasonal_naive(series, horizon, season):
    if season <= 1 or len(series) < season:
        return persistence(series, horizon)
    phases = [series[phase::season] for phase in range(season)]
    errors = []
    for phase in phases:
        places = [place for place, value in enumerate(phase) if not math.isnan(value)]
        errors += [phase[now] - phase[before] for before, now in pairwise(places)]
    point, deviation = [], []
    for step in range(horizon):
        value = last_known(phases[(len(series) + step) % season])
        point.append(last_known(series) if math.isnan(value) else value)
        deviation.append(root_mean_square(errors) * math.sqrt(step // season + 1))
    return point, deviation


def drift(series, horizon):
    places = [place for place, value in enumerate(series) if not math.isnan(value)]
    if not places:
        return [math.nan] * horizon, [math.nan] * horizon
    first, last = places[0], places[-1]
    span = max(last - first, 1)
    slope = (series[last] - series[first]) / span
    errors = [series[b] - series[a] - slope * (b - a) for a, b in pairwise(places)]
    steps = [len(series) - 1 - last + step for step in range(1, horizon + 1)]
    return (
        [series[last] + slope * step for step in steps],
        [root_mean_square(errors) * math.sqrt(step * (1 + step / span)) for step in steps],
    )


def is_seasonal(series, season):
    values = known(series)
    if season <= 1 or len(values) < 3 * season:
        return False
    centre = mean(values)
    off = [0.0 if math.isnan(value) else value - centre for value in series]
    total = math.fsum(value**2 for value in off)
    if total == 0:
        return False
    r = [math.fsum(a * b for a, b in zip(off, off[lag:], strict=False)) / total for lag in range(1, season + 1)]
    limit = 1.645 / math.sqrt(len(values)) * math.sqrt(1 + 2 * math.fsum(value**2 for value in r[:-1]))
    return abs(r[-1]) > limit


def seasonal_indices(series, season):
    """Return the indices by phase, or None where there are none."""
    ratios = [[] for _ in range(season)]
    half = season // 2
    for place in range(half, len(series) - half):
        around = series[place - half : place + half + 1]
        weights = [1.0] * season if season % 2 else [0.5] + [1.0] * (season - 1) + [0.5]
        trend = math.fsum(w * v for w, v in zip(weights, around, strict=True)) / season
        if trend and not math.isnan(trend) and not math.isnan(series[place]):
            ratios[place % season].append(series[place] / trend)
    if not all(ratios):
        return None
    means = [mean(part) for part in ratios]
    return [value / mean(means) for value in means]


def naive2(series, horizon, season):
    indices = seasonal_indices(series, season) if is_seasonal(series, season) else None
    if indices is None or min(indices) <= 0:
        return persistence(series, horizon)
    adjusted = [value / indices[place % season] for place, value in enumerate(series)]
    ahead = [indices[(len(series) + step) % season] for step in range(horizon)]
    return tuple(
        [value * index for value, index in zip(part, ahead, strict=True)] for part in persistence(adjusted, horizon)
    )


def held(window):
    """Return a lookback whose missing values are the last known before them, or the first known one; else None."""
    values = known(window)
    if not values:
        return None
    found, last = [], values[0]
    for value in window:
        last = last if math.isnan(value) else value
        found.append(last)
    return found


def windows(columns, lookback, horizon, first=0, scaled=False):
    """Return the lookbacks and horizons, less the last value of the lookback, of every window of the columns."""
    x, y = [], []
    for column in columns:
        for origin in range(max(first, lookback), len(column) - horizon + 1):
            before, after = held(column[origin - lookback : origin]), column[origin : origin + horizon]
            if before is None:
                continue
            before, after = (
                [value - last for value in part] for part, last in ((before, before[-1]), (after, before[-1]))
            )
            if scaled:
                unit = root_mean_square(before + known(after))
                if unit == 0:
                    continue
                before, after = ([value / unit for value in part] for part in (before, after))
            x.append(before)
            y.append(after)
    return np.array(x).reshape(-1, lookback), np.array(y).reshape(-1, horizon)
