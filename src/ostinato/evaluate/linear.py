"""A linear forecast, which is often hard to beat: ridge regression from the lookback with its last value taken off.

For each channel, with x a lookback of L rows and y the H rows after it,

    y − x_L = (x − x_L) S,    S = (XᵀX + λ t I)⁻¹ XᵀY

where X and Y have a row for every window of the training rows, at every row, and t is the mean of the diagonal of
XᵀX, so that the penalty λ means the same whatever the unit. λ is the one of a list with the least squared error on
the windows of the validation rows. Forecasts follow a constant that is added to a series, and scale with it.

Linear models of this kind: Zeng et al. 2023, "Are Transformers Effective for Time Series Forecasting?" (NLinear, by
gradient descent); Toner and Darlow 2024, "An Analysis of Linear Time Series Forecasting Models" (in closed form).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, ShapeError
from ..shapes import expect
from .forecast_metrics import check_levels
from .normal_equations import Spectrum, equations
from .residuals import lookback_scale, most_windows, quantiles_of, spread
from .windows import Floats, Range, Rows, check_history, gather, hold, ranges_of, rows_of

PENALTIES = tuple(10.0 ** (power / 2) for power in range(-12, 1))
"""λ from 10⁻⁶, all but least squares, to 1. Beyond lies the last value alone, a baseline of its own: where validation
rows are few, or of one season, they would choose it by chance."""


class Ridge:
    """Ridge regression in closed form, a channel at a time or one for all.

    lookback: L. horizon: H. penalties: the λ to choose from. shared: one S for all channels and series, each window
    divided by its root mean square; for many series, or series new at prediction. Otherwise several series share the
    S of each channel.

        ridge = Ridge(lookback=336, horizon=96).fit(series, (0, 8640), (8640, 11520))
        ridge.predict(history)  # [W, L, C] to [W, H, C]
        ridge.quantiles(history, (0.1, 0.5, 0.9))  # [W, H, C, 3]

    After `fit`: ``matrices_`` [C, L, H] and ``penalties_`` [C], of one for all where shared; ``residuals_``
    [R, H, C], what R validation windows were above their forecasts, in order, missing ones last.

    Raises ShapeError for sizes below 1, DataError for penalties that are not all above 0.
    """

    matrices_: Floats
    penalties_: Floats
    residuals_: Floats

    def __init__(
        self, lookback: int, horizon: int, *, penalties: Sequence[float] = PENALTIES, shared: bool = False
    ) -> None:
        if lookback < 1 or horizon < 1:
            raise ShapeError(f"a lookback and a horizon are 1 or more rows, got {lookback} and {horizon}.")
        if not penalties or not all(0 < penalty < np.inf for penalty in penalties):
            raise DataError(f"penalties are numbers above 0, got {list(penalties)}.", "give such as 0.001, 0.1, 10.")
        self.lookback, self.horizon = lookback, horizon
        self.penalties, self.shared = tuple(penalties), shared

    def fit(
        self,
        series: ArrayLike | Sequence[ArrayLike],
        train: Range | Sequence[Range],
        validation: Range | Sequence[Range],
    ) -> Ridge:
        """Learn from one series [N, C] or from a list of several, and return self.

        train, validation: the first row and the one after the last, the same of every series or a pair for each.
        A training window lies wholly in the training rows; the horizon of a validation window does in the validation
        rows, and its lookback may begin before them. A missing value of a lookback is the last known one before it
        in the window. Horizons with missing truth are taken in up to 8 blocks of steps, and a window counts for the
        blocks in which its truth is complete. Steps that no window teaches, as of a constant or missing channel, are
        forecast by the last value; a channel that cannot be validated takes the median penalty of the others.

        Raises DataError where there is no window to learn from or none to validate on, ShapeError.
        """
        rows = rows_of(series)
        learned = ranges_of("training", train, rows)
        checked = [(max(first - self.lookback, 0), last) for first, last in ranges_of("validation", validation, rows)]
        channels = rows.values.shape[1]
        groups = [slice(None)] if self.shared else [slice(channel, channel + 1) for channel in range(channels)]
        solved = [self._solve(rows, learned, checked, group) for group in groups]
        self._check(solved)
        usual = float(np.median([one.penalty for one in solved if one.penalty is not None]))
        for place, one in enumerate(solved):
            if one.penalty is None:
                solved[place] = self._solve(rows, learned, checked, groups[place], usual)
        self.matrices_ = np.stack([one.matrix for one in solved])
        self.penalties_ = np.array([one.penalty for one in solved])
        self.residuals_ = self._residuals(rows, checked)
        return self

    def predict(self, history: ArrayLike) -> Floats:
        """Forecast from lookbacks [W, L, C], and return [W, H, C]. Rows before the last L are not looked at.

        A column without any known value has no forecast: it is missing. Raises ShapeError.
        """
        return self._forecast(self._held(history))

    def quantiles(self, history: ArrayLike, levels: Sequence[float]) -> Floats:
        """Return quantiles [W, H, C, Q]: the forecast, and by what validation windows were off at that step.

        Where one S is shared, so are these errors, in units of the root mean square of a lookback off its last value.

        Raises DataError unless levels rise from above 0 to below 1, ShapeError.
        """
        held = self._held(history)
        errors = quantiles_of(self.residuals_, check_levels(levels))
        if self.shared:
            errors = errors * lookback_scale(held)[..., None]
        return self._forecast(held)[..., None] + errors

    def _held(self, history: ArrayLike) -> Floats:
        values = check_history("Ridge", history)
        if values.shape[1] < self.lookback:
            raise ShapeError(
                f"Ridge expected a lookback of {self.lookback} rows, got {values.shape[1]}.",
                "put missing values (nan) before a history that is shorter.",
            )
        if not self.shared:
            expect("Ridge", "a history", values, "W L C", C=len(self.matrices_))
        return hold(values[:, values.shape[1] - self.lookback :])

    def _forecast(self, held: Floats) -> Floats:
        """Apply S to lookbacks [W, L, C] without missing values."""
        last = held[:, -1:]
        moved = np.matmul((held - last).transpose(2, 0, 1), self.matrices_)
        return np.asarray(moved.transpose(1, 2, 0) + last)

    def _solve(
        self, rows: Rows, learned: list[Range], checked: list[Range], group: slice, penalty: float | None = None
    ) -> _Solved:
        """Return S for a group of channels, with the penalty that is best on the validation windows unless given."""
        train, validation = _columns(rows, learned, group), _columns(rows, checked, group)
        complete = not any(np.isnan(column).any() for column in [*train, *validation])
        taught, tested = (
            equations(columns, self.lookback, self.horizon, complete=complete, scaled=self.shared)
            for columns in (train, validation)
        )
        spectra = [Spectrum(part) for part in taught]
        if penalty is None and any(part.windows for part in tested):
            errors = [sum(s.error(one, p) for s, p in zip(spectra, tested, strict=True)) for one in self.penalties]
            penalty = self.penalties[int(np.argmin(errors))]
        matrix = np.zeros((self.lookback, self.horizon))
        if penalty is not None:
            matrix = np.concatenate([spectrum.solve(penalty) for spectrum in spectra], axis=1)
        return _Solved(matrix, penalty, sum(part.windows for part in taught))

    def _check(self, solved: list[_Solved]) -> None:
        """Raise DataError unless some window teaches and some validates."""
        needed = f"a window takes {self.lookback} rows to look back on and {self.horizon} known ones after them"
        if not any(one.windows for one in solved):
            raise DataError(f"no window lies in the training rows: {needed}.", "take a shorter lookback or horizon.")
        if all(one.penalty is None for one in solved):
            raise DataError(
                f"no window has its horizon in the validation rows: {needed}.",
                "take more validation rows, or a shorter lookback or horizon.",
            )

    def _residuals(self, rows: Rows, checked: list[Range]) -> Floats:
        """Return in order what validation windows were above their forecasts [R, H, C]."""
        most = most_windows((self.lookback + self.horizon) * rows.values.shape[1])
        number, origins = spread(checked, self.lookback, self.horizon, most)
        windows = gather(rows, number, origins, self.lookback, self.horizon)
        held = hold(windows[:, : self.lookback])
        errors = windows[:, self.lookback :] - self._forecast(held)
        if self.shared:
            scale = lookback_scale(held)
            errors = np.divide(errors, scale, out=np.full(errors.shape, np.nan), where=scale > 0)
            errors = errors.transpose(0, 2, 1).reshape(-1, self.horizon, 1)
        return np.sort(errors, axis=0)


class _Solved(NamedTuple):
    """S [L, H] of one group, its penalty (None: no window to choose it by), and how many windows taught it."""

    matrix: Floats
    penalty: float | None
    windows: int


def _columns(rows: Rows, ranges: list[Range], group: slice) -> list[Floats]:
    """Return each channel of a group in the given rows of each series [N], one after the other in memory."""
    parts = zip(rows.starts[:-1].tolist(), ranges, strict=True)
    return [
        column
        for start, (first, last) in parts
        for column in np.ascontiguousarray(rows.values[start + first : start + last, group].T)
    ]
