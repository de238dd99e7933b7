"""The cheap baselines that stand beside a classifier of numeric sequences.

    majority    how frequent each class is in training
    summaries   logistic regression on summary statistics of each channel
    neighbour   the class of the nearest training series

S series, D channels; not-a-number is missing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, ShapeError
from .class_baselines import ClassWeights, Labels, check_labels, majority
from .logistic import Features, LinearPart, Path, Tensors
from .windows import Floats, Rows

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
STATISTICS = (
    *("known", "mean", "deviation", "slope", "change", "first", "last", *map(str, QUANTILES)),
    *("deviation of changes", *(f"{level} of changes" for level in QUANTILES)),
)
"""Of each channel: see `summaries`."""
STRENGTH = 1.0
"""C of the regression, on statistics less their mean over their deviation."""
FARTHEST = 20.0
"""A statistic counts for at most so many deviations: one series in another unit moves no other one's weight."""

MOST_VALUES = 16_000_000
"""Values of all resampled training series: 128 MB."""
BLOCK_VALUES = 4_000_000
"""Values of series, or distances, in memory at once: 32 MB."""
MOST_TRIED = 1000
"""Training series by which a way of comparing is judged."""


def series_baselines(
    train: Rows, labels: Any, rows: Rows, classes: int, *, class_weights: ClassWeights = None
) -> dict[str, Floats]:
    """Return what each baseline, fitted on training series, predicts for other series: probabilities [S, K] by name.

    Class weights are of the regression. Raises DataError, ShapeError, MissingExtraError.
    """
    learned = check_labels(labels, len(train.lengths), classes)
    regression = SummaryLogistic(classes, class_weights=class_weights).fit(train, learned)
    return {
        "majority": majority(learned, classes, len(rows.lengths)),
        "summaries": regression.probabilities(rows),
        "neighbour": NearestNeighbour(classes).fit(train, learned).probabilities(rows),
    }


class SummaryLogistic(LinearPart[Rows]):
    """Logistic regression on summary statistics (`summaries`), each less its training mean over its deviation.

    A statistic that a series does not have, of a channel without known values, counts as the mean.

    After `fit`: ``means_`` and ``scales_`` [F].
    """

    strength = STRENGTH
    means_: Floats
    scales_: Floats

    def fit(self, inputs: Rows, labels: Any) -> SummaryLogistic:
        learned = check_labels(labels, len(inputs.lengths), self.classes)
        found = summaries(inputs)
        self.means_, self.scales_ = _moments(found)
        self.regression.fit(self._standard(found), learned)
        return self

    def probabilities(self, inputs: Rows) -> Floats:
        """Return the probability of each class [S, K]. Raises ShapeError for another number of channels."""
        found = summaries(inputs)
        _check_channels(inputs, (found.shape[1], len(self.means_)))
        return self.regression.probabilities(Features.of(self._standard(found)))

    def tensors(self) -> dict[str, NDArray[Any]]:
        return {"means": self.means_, "scales": self.scales_, **self.regression.tensors()}

    @classmethod
    def from_tensors(
        cls, path: Path, tensors: Tensors, classes: int, channels: int, *, several: bool = False
    ) -> SummaryLogistic:
        """Return what `tensors` gave. path: of the file, for errors. Raises FileFormatError for what does not fit."""
        part = cls(classes)
        size = 1 + len(STATISTICS) * channels
        part._restore(path, tensors, size, several, {"means": (np.float64, (size,)), "scales": (np.float64, (size,))})
        part.means_, part.scales_ = tensors["means"], tensors["scales"]
        if not (part.scales_ > 0).all():
            raise FileFormatError(f"{path} is damaged: the scales of its linear part are impossible.")
        return part

    def _standard(self, found: Floats) -> Floats:
        with np.errstate(over="ignore"):
            standard = (found - self.means_) / self.scales_
        return np.clip(np.where(np.isfinite(standard), standard, 0.0), -FARTHEST, FARTHEST)


def summaries(rows: Rows) -> Floats:
    """Return statistics of series [S, 1 + 22 D]: the logarithm of 1 + length, and of each channel over its known values

        known       their share
        mean, deviation
        slope       of the line of least squared error, a step
        change      the mean of |y_t - y_{t-1}| where both are known
        first, last
        quantiles   0 (the least), 0.1, 0.25, 0.5, 0.75, 0.9 and 1 (the largest), linear between two values
        changes     deviation and quantiles of y_t - y_{t-1} where both are known: of actions of people, told by the
                    places of their joints, others' were told right at 0.75 with them and 0.68 without

    Statistics of a channel that has no such value are not-a-number, and those beyond float64 too.
    """
    parts = [_summary(rows.values[start:end]) for start, end in pairwise(rows.starts.tolist())]
    found = np.stack(parts) if parts else np.empty((0, 1 + len(STATISTICS) * rows.values.shape[1]))
    return np.where(np.isfinite(found), found, np.nan)


def _summary(values: Floats) -> Floats:
    """Return the statistics of one series [T, D]."""
    length = len(values)
    values = values if length else np.full((1, values.shape[1]), np.nan)
    known = ~np.isnan(values)
    steps = np.where(known, np.arange(float(len(values)))[:, None], np.nan)
    # Squares of values beyond 1e154 overflow; what comes of them counts as missing.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _mean(values)
        off, apart = values - mean, steps - _mean(steps)
        spread = _mean(apart**2)
        slope = np.divide(_mean(apart * off), spread, out=np.zeros_like(mean), where=spread > 0)
        slope[~known.any(axis=0)] = np.nan
        changes = np.diff(values, axis=0)
        changes = changes if len(changes) else np.full((1, values.shape[1]), np.nan)
        statistics = [
            known.sum(axis=0) / max(length, 1),
            mean,
            np.sqrt(_mean(off**2)),
            slope,
            _mean(np.abs(changes)),
            _at(values, known.argmax(axis=0)),
            _at(values, len(values) - 1 - known[::-1].argmax(axis=0)),
            *_quantiles(values, known.sum(axis=0)),
            np.sqrt(_mean((changes - _mean(changes)) ** 2)),
            *_quantiles(changes, (~np.isnan(changes)).sum(axis=0)),
        ]
    return np.concatenate([[np.log1p(length)], np.stack(statistics, axis=1).ravel()])


def _mean(values: Floats) -> Floats:
    """Return the mean of the known values of each column; not-a-number where there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def _at(values: Floats, places: NDArray[np.int64]) -> Floats:
    return np.asarray(values[places, np.arange(values.shape[1])])


def _quantiles(values: Floats, count: NDArray[np.int64]) -> list[Floats]:
    """Return quantiles of the known values of each column, not-a-number where there is none."""
    ordered = np.sort(values, axis=0)  # what is missing comes last
    found = []
    for level in QUANTILES:
        place = level * np.maximum(count - 1, 0)
        below = np.floor(place).astype(np.int64)
        low, high = _at(ordered, below), _at(ordered, np.ceil(place).astype(np.int64))
        found.append(low + (high - low) * (place - below))
    return found


class NearestNeighbour:
    """The class of the training series that is nearest, by the Euclidean distance of all values of all channels.

    Series are brought to one length, that of the longest training series (less where that would take more than 128
    MB for all): read off at even distances between the first step and the last, along straight lines between known
    values. Then they are compared in one of two ways, whichever tells more of up to 1,000 training series by their
    nearest other training series: with their levels, each channel less its training mean over its training deviation,
    as archives of several channels compare them (Bagnall et al. 2018, "The UEA multivariate time series classification
    archive"); or by shape alone, each channel of each series less its own mean over its own deviation, as those of one
    do (Dau et al. 2018, "The UCR Time Series Archive").

    Probabilities come from how often that was right among those training series (of r out of n, (1 + r) / (2 + n)): so
    much has the neighbour's class, and the others share the rest evenly.

    After `fit`: ``by_shape_``, and ``rate_``, that probability.
    """

    by_shape_: bool
    rate_: float

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def fit(self, rows: Rows, labels: Any) -> NearestNeighbour:
        """Keep series and their labels, and return self. Raises DataError, ShapeError."""
        self._labels = check_labels(labels, len(rows.lengths), self.classes)
        channels = rows.values.shape[1]
        room = MOST_VALUES // max(1, len(rows.lengths) * channels)
        self._steps = max(1, min(int(rows.lengths.max()), room))
        self._means, self._scales = _moments(rows.values)
        best = -1.0
        for by_shape in (False, True):
            points = self._points(rows, 0, len(rows.lengths), by_shape)
            rate = _rate(points, self._labels)
            if rate > best:
                best, self.by_shape_, self._kept = rate, by_shape, points
        # The neighbour's class stays the likeliest, even where neighbours tell less than chance.
        chance = 1 / 2 if self._labels.ndim == 2 else 1 / max(self.classes, 1)
        self.rate_ = min(1.0, max(best, 1.01 * chance))
        return self

    def probabilities(self, rows: Rows) -> Floats:
        """Return the probability of each class [S, K]. Raises ShapeError for another number of channels."""
        _check_channels(rows, (rows.values.shape[1], len(self._means)))
        block = max(1, BLOCK_VALUES // max(1, self._kept.shape[1]))
        places = [
            _nearest(self._points(rows, start, min(start + block, len(rows.lengths)), self.by_shape_), self._kept)
            for start in range(0, len(rows.lengths), block)
        ]
        labels = self._labels[np.concatenate([np.empty(0, np.int64), *places])]
        if labels.ndim == 2:
            return np.where(labels, self.rate_, 1 - self.rate_)
        found = np.full((len(labels), self.classes), (1 - self.rate_) / max(self.classes - 1, 1))
        found[np.arange(len(labels)), labels] = self.rate_
        return found

    def _points(self, rows: Rows, first: int, last: int, by_shape: bool) -> Floats:
        """Return some series as points [S, L D]."""
        points = np.zeros((last - first, self._steps, rows.values.shape[1]))
        bounds = rows.starts[first : last + 1].tolist()
        for point, (start, end) in zip(points, pairwise(bounds), strict=True):
            series = rows.values[start:end]
            means, scales = _moments(series) if by_shape else (self._means, self._scales)
            _resample((series - means) / scales, point)
        return points.reshape(len(points), -1)


def _moments(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of each column; for a deviation of no more than rounding makes, the column's size."""
    size = np.max(np.abs(values), axis=0, initial=0.0, where=~np.isnan(values))
    unit = np.where(size > 0, size, 1.0)  # so that no square is too large or too small for float64
    mean = np.nan_to_num(_mean(values / unit))
    deviation = np.nan_to_num(np.sqrt(_mean((values / unit - mean) ** 2)))
    return mean * unit, np.where(deviation > 1e-12, deviation, 1.0) * unit


def _resample(series: Floats, into: Floats) -> None:
    """Write a series [T, D] at L even distances into [L, D], linear between known values; zeros where none is known."""
    at = np.linspace(0, max(len(series) - 1, 0), len(into))
    for channel, values in enumerate(series.T):
        known = np.flatnonzero(~np.isnan(values))
        if len(known):
            into[:, channel] = np.clip(np.interp(at, known, values[known]), -1e6, 1e6)


def _rate(points: Floats, labels: Labels) -> float:
    """Return how often the nearest other series has the same class, over evenly spaced ones, with one more and less."""
    tried = np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_TRIED)).astype(np.int64))
    if len(points) == 1:
        return 0.5
    right = labels[_nearest(points[tried], points, tried)] == labels[tried]
    return float((1 + right.mean() * len(tried)) / (2 + len(tried)))


def _nearest(points: Floats, kept: Floats, own: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the place of the kept point [N, F] nearest to each point [S, F], of equal ones the first.

    own: the place of each point itself among the kept ones, which is not looked at.
    """
    squares = (kept**2).sum(axis=1)
    block = max(1, BLOCK_VALUES // len(kept))
    found = []
    for start in range(0, len(points), block):
        part = points[start : start + block]
        distances = squares - 2 * (part @ kept.T)  # less the square of the point itself, the same in its row
        if own is not None:
            distances[np.arange(len(part)), own[start : start + block]] = np.inf
        found.append(distances.argmin(axis=1))
    return np.concatenate([np.empty(0, np.int64), *found])


def _check_channels(rows: Rows, sizes: tuple[int, int]) -> None:
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"series of {rows.values.shape[1]} channels came, but training series had another number of them.",
            "give the channels that the training series have.",
        )
