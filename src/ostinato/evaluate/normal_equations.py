"""The sums over windows from which a linear forecast follows: XᵀX, XᵀY and ΣY².

A row of X is a lookback with its last value taken off, x − x_L; one of Y the horizon less the same x_L. Where a
column is complete, neighbouring windows share all but two of their products: with G_pq = Σ_i u_{i+p} u_{i+q} over
the starts i of all M windows in the rows u,

    G_{p+1,q+1} = G_pq − u_p u_q + u_{M+p} u_{M+q}

so all of G, which holds X and Y alike, follows from its first row, in time M K + K² for windows of K = L + H rows.
Where values are missing, or windows are scaled, products are taken block by block of windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .windows import Floats, hold

BLOCK_VALUES = 4_000_000
"""How many values of windows are in memory at once: 32 MB."""
STEP_BLOCKS = 8
"""The steps of a horizon are dealt into so many blocks where truth is missing."""


@dataclass
class Equations:
    """Sums for one block of the horizon's steps, over the windows whose truth is known at all of them.

    xx: XᵀX [L, L]. xy: XᵀY [L, h]. yy: the sum of squares of Y. windows: how many were summed.
    """

    steps: slice
    xx: Floats
    xy: Floats
    yy: float = 0.0
    windows: int = 0


class Spectrum:
    """The solutions of one block of steps for all penalties at once: XᵀX = V diag(w) Vᵀ, so that
    S = V (VᵀXᵀY / (w + λ t)).
    """

    def __init__(self, taught: Equations) -> None:
        values, self.vectors = np.linalg.eigh(taught.xx)
        self.values = np.maximum(values, 0.0)
        self.mean = float(self.values.mean())
        self.cross = self.vectors.T @ taught.xy

    def solve(self, penalty: float) -> Floats:
        """Return S [L, h]."""
        return self.vectors @ self._rotated(penalty)

    def error(self, penalty: float, tested: Equations) -> float:
        """Return the sum of squared errors on the windows of other equations: tr(YᵀY − 2 SᵀXᵀY + SᵀXᵀX S)."""
        matrix = self.solve(penalty)
        return float(tested.yy - 2 * (matrix * tested.xy).sum() + (matrix * (tested.xx @ matrix)).sum())

    def _rotated(self, penalty: float) -> Floats:
        shifted = (self.values + penalty * self.mean)[:, None]
        return np.asarray(np.divide(self.cross, shifted, out=np.zeros_like(self.cross), where=shifted > 0))


def equations(columns: list[Floats], lookback: int, horizon: int, *, complete: bool, scaled: bool) -> list[Equations]:
    """Return the sums over every window that lies wholly in one of the columns [N].

    complete: no truth is missing, so that one block holds all steps; else there are up to `STEP_BLOCKS`, and a
    window counts for a block where it is known at all of its steps. A lookback's missing values are held
    (`windows.hold`); one without any known value does not count. scaled: divide a window by its root mean square, of
    lookback and horizon together, so that none outweighs the others whatever its unit; constant ones do not count.
    """
    size = horizon if complete else -(-horizon // STEP_BLOCKS)
    sums = [
        Equations(slice(start, stop), np.zeros((lookback, lookback)), np.zeros((lookback, stop - start)))
        for start in range(0, horizon, size)
        for stop in [min(start + size, horizon)]
    ]
    for column in columns:
        if len(column) < lookback + horizon:
            continue
        if scaled or np.isnan(column).any():
            _add_blocks(sums, column, lookback, horizon, scaled)
        else:
            _add_shared(sums, column, lookback, horizon)
    return sums


def _add_shared(sums: list[Equations], column: Floats, lookback: int, horizon: int) -> None:
    """Add all windows of a complete column by what neighbours share."""
    products = window_products(column, lookback + horizon)
    last = lookback - 1
    # Taking x_L off costs little precision: what a window differs from its last value is no smaller than the
    # column's range by more than the number of windows, and the least penalty lies far above that.
    products -= products[last] + products[:, last, None] - products[last, last]
    products[last] = products[:, last] = 0.0  # x_L off itself, which rounding above did not quite cancel
    for part in sums:
        ahead = slice(lookback + part.steps.start, lookback + part.steps.stop)
        part.xx += products[:lookback, :lookback]
        part.xy += products[:lookback, ahead]
        part.yy += float(products.diagonal()[ahead].sum())
        part.windows += len(column) - lookback - horizon + 1


def window_products(column: Floats, size: int) -> Floats:
    """Return G_pq = Σ_i u_{i+p} u_{i+q} over all windows of `size` rows [K, K], with u the column less its mean."""
    values = column - column.mean()
    windows = len(values) - size + 1
    products = np.empty((size, size))
    products[0] = products[:, 0] = np.correlate(values, values[:windows])
    leaves, enters = values[: size - 1], values[windows:]
    for row in range(size - 1):
        products[row + 1, 1:] = products[row, :-1] - leaves[row] * leaves + enters[row] * enters
    return products


def _add_blocks(sums: list[Equations], column: Floats, lookback: int, horizon: int, scaled: bool) -> None:
    """Add the windows of any column, some at a time."""
    for x, y in _blocks(column, lookback, horizon, scaled):
        known = ~np.isnan(y)
        whole = x.T @ x
        for part in sums:
            counts = np.asarray(known[:, part.steps].all(axis=1))
            targets = np.where(counts[:, None], y[:, part.steps], 0.0)
            part.xx += _products_of(x, counts, whole)
            part.xy += x.T @ targets
            part.yy += float((targets**2).sum())
            part.windows += int(counts.sum())


def _products_of(x: Floats, counts: NDArray[np.bool_], whole: Floats) -> Floats:
    """Return XᵀX of the rows that count, from them or from what the others are short of the whole: of the fewer."""
    if counts.all():
        return whole
    fewer = x[~counts] if 2 * counts.sum() > len(x) else x[counts]
    products: Floats = fewer.T @ fewer
    return whole - products if 2 * counts.sum() > len(x) else products


def _blocks(column: Floats, lookback: int, horizon: int, scaled: bool) -> Iterator[tuple[Floats, Floats]]:
    """Yield X [W, L] and Y [W, H] of windows whose lookback holds a known value."""
    windows = sliding_window_view(column, lookback + horizon)
    size = max(1, BLOCK_VALUES // (lookback + horizon))
    for start in range(0, len(windows), size):
        block = windows[start : start + size]
        x = hold(block[:, :lookback, None])[..., 0]
        counts = ~np.isnan(x[:, -1])
        x, y = x[counts], block[counts, lookback:]
        x, y = x - x[:, -1:], y - x[:, -1:]
        if scaled:
            known = 1 + (~np.isnan(y)).mean(axis=1) * horizon / lookback
            square = ((x**2).mean(axis=1) + np.nansum(y**2, axis=1) / lookback) / known
            moves = square > 0
            scale = np.sqrt(square[moves])[:, None]
            x, y = x[moves] / scale, y[moves] / scale
        yield x, y
