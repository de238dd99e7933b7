"""Series as windows: a lookback that a forecaster reads, and the horizon behind it that it is to forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..forecast_architecture import ForecastArchitecture

Array = NDArray[Any]
Scaling = Literal["level", "window"]


class Batch(NamedTuple):
    """Windows as the network reads them: B windows, C targets; J targets in one sequence, B·C / J = R sequences.

    x: [n, R, I]. future: [m, R, w·F], or None where nothing is known ahead. truth: [R, h, J], missing values as 0;
    known: the same, 1 where truth is known and 0 where it is missing. All of these are float32. shift, scale:
    [R, 1, J], float64: what was taken off each window and what it was then divided by, to be undone.
    """

    x: Array
    future: Array | None
    truth: Array
    known: Array
    shift: Array
    scale: Array


@dataclass(frozen=True)
class Encoded:
    """Numbers of S series, one after the other: targets [N, C], float64, not-a-number where missing; past [N, P] and
    future [N, F] further inputs, float32, without missing values; starts [S + 1], where each series' rows begin and
    the last ends.
    """

    targets: Array
    past: Array
    future: Array
    starts: Array


@dataclass(frozen=True)
class Origins:
    """Windows by their origin, the row where the horizon begins: rows [W], and the first [W] and last + 1 [W] row of
    the series that each is in.
    """

    rows: Array
    begins: Array
    ends: Array

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Any) -> Origins:
        """Return some of the windows."""
        return Origins(self.rows[places], self.begins[places], self.ends[places])


def origins(starts: Array, first: Array, last: Array, horizon: int, least: int = 1, stride: int = 1) -> Origins:
    """Return every window whose horizon lies in rows first [S] to last [S] - 1 of its series.

    starts [S + 1]: of the series. least: rows of a series before an origin, at least. stride: rows from one origin to
    the next.
    """
    begin = np.maximum(first, starts[:-1] + least)
    counts = np.maximum((last - horizon - begin) // stride + 1, 0)
    series = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return Origins(begin[series] + within * stride, starts[:-1][series], starts[1:][series])


def gather(encoded: Encoded, sizes: ForecastArchitecture, windows: Origins, scaling: Scaling) -> Batch:
    """Return windows as a batch.

    From each target of a window its last known value is taken off; with scaling "window" what is left is divided by
    its root mean square over the lookback too (by 1 where that is 0), so that series of any size are alike. This is
    done in float64: what is left of a large value is small. Nothing behind the origin is read but `truth`, and
    `future`.
    """
    lookback, horizon = sizes.lookback, sizes.horizon
    back = windows.rows[:, None] + np.arange(-lookback, 0)
    ahead = windows.rows[:, None] + np.arange(sizes.future_segments * sizes.segment)
    is_there = back >= windows.begins[:, None]
    seen = encoded.targets[np.maximum(back, windows.begins[:, None])]  # [B, L, C]
    known = is_there[:, :, None] & ~np.isnan(seen)
    shift = _last_known(seen, known)
    level = np.where(known, seen - shift, 0)
    scale = np.ones_like(shift)
    if scaling == "window":
        size = np.sqrt((level**2).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1))
        scale = np.where(size > 0, size, 1)
        level = level / scale
    parts = [_segments(level.astype(np.float32), sizes)]
    if sizes.masked:
        parts.append(_segments(known.astype(np.float32), sizes))
    if sizes.past_size:
        inputs = np.where(is_there[:, :, None], encoded.past[np.maximum(back, windows.begins[:, None])], 0)
        parts.append(_further(inputs, sizes))
    x = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
    future = None
    if sizes.future_size:
        # The last segment may be longer than the horizon; what lies behind that is nobody's to know.
        within = (ahead < windows.ends[:, None]) & (np.arange(ahead.shape[1]) < horizon)
        inputs = encoded.future[np.minimum(ahead, windows.ends[:, None] - 1)]
        future = _further(np.where(within[:, :, None], inputs, 0), sizes)
    truth, truth_known = _truth(encoded, windows, ahead[:, :horizon], shift, scale)
    rows = (-1, horizon, sizes.joint)
    by_target = (0, 1, 2) if sizes.mixed else (0, 2, 1)
    one = (-1, 1, sizes.joint)
    return Batch(
        np.ascontiguousarray(x),
        future,
        np.ascontiguousarray(truth.transpose(by_target).reshape(rows)),
        np.ascontiguousarray(truth_known.transpose(by_target).reshape(rows)),
        shift.transpose(by_target).reshape(one),
        scale.transpose(by_target).reshape(one),
    )


def by_window(values: Array, channels: int) -> Array:
    """Return values of sequences [R, h, J, Q] as those of windows [B, h, C, Q]."""
    _, horizon, joint, outputs = values.shape
    if joint == channels:
        return values
    return np.moveaxis(values.reshape(-1, channels, horizon, outputs), 1, 2)


def by_sequence(values: Array, joint: int) -> Array:
    """Return values of windows [B, h, C, Q] as those of sequences [R, h, J, Q], the inverse of `by_window`."""
    _, horizon, channels, outputs = values.shape
    if joint == channels:
        return values
    return np.moveaxis(values, 2, 1).reshape(-1, horizon, joint, outputs)


class Shuffled:
    """Windows in batches, in an order that (seed, epoch) decides; the batch of a step depends on nothing else."""

    def __init__(
        self, encoded: Encoded, sizes: ForecastArchitecture, windows: Origins, scaling: Scaling, batch: int, seed: int
    ) -> None:
        if not len(windows):
            raise DataError(
                f"no series is long enough for a window of {sizes.lookback} steps back and {sizes.horizon} ahead.",
                "give longer series, or a smaller --lookback or --horizon.",
            )
        self.encoded, self.sizes, self.windows, self.scaling = encoded, sizes, windows, scaling
        self.batch_size, self.seed = min(batch, len(windows)), seed
        self.steps_per_epoch = len(windows) // self.batch_size
        self._order: tuple[int, Array] = -1, np.zeros(0, np.int64)

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over all epochs."""
        return gather(self.encoded, self.sizes, self.chosen(step), self.scaling)

    def chosen(self, step: int) -> Origins:
        """Return the windows of a step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.windows))
        places = np.sort(self._order[1][index * self.batch_size : (index + 1) * self.batch_size])
        return self.windows.take(places)


def _last_known(seen: Array, known: Array) -> Array:
    """Return the last known value of each target [B, 1, C]; 0 where none is."""
    if known[:, -1].all():
        last: Array = seen[:, -1:]
        return last
    steps = np.arange(1, seen.shape[1] + 1)[:, None]
    place = (known * steps).max(1, keepdims=True) - 1
    value = np.take_along_axis(seen, np.maximum(place, 0), 1)
    return np.where(place >= 0, value, 0)


def _segments(values: Array, sizes: ForecastArchitecture) -> Array:
    """Return [B, L, C] as segments of sequences [n, R, w·J]."""
    batch, _, channels = values.shape
    cut = values.reshape(batch, -1, sizes.segment, channels)
    if sizes.mixed:
        return cut.transpose(1, 0, 2, 3).reshape(cut.shape[1], batch, -1)
    return cut.transpose(1, 0, 3, 2).reshape(cut.shape[1], batch * channels, -1)


def _further(values: Array, sizes: ForecastArchitecture) -> Array:
    """Return further inputs [B, T, F] as segments [T / w, R, w·F], the same for every target."""
    cut = values.reshape(len(values), -1, sizes.segment * values.shape[2]).transpose(1, 0, 2)
    times = sizes.channels // sizes.joint
    return np.ascontiguousarray(np.repeat(cut, times, axis=1))


def _truth(encoded: Encoded, windows: Origins, ahead: Array, shift: Array, scale: Array) -> tuple[Array, Array]:
    """Return what is to be forecast [B, h, C] as the network sees it, 0 where it is missing; and where it is known."""
    within = ahead < windows.ends[:, None]
    values = encoded.targets[np.minimum(ahead, windows.ends[:, None] - 1)]
    known = within[:, :, None] & ~np.isnan(values)
    return np.where(known, (values - shift) / scale, 0).astype(np.float32), known.astype(np.float32)
