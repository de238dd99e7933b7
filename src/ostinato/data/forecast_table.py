"""Forecasts as a table: of the kind that the caller's data came in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import is_arrays
from .panel import Panel, Roles
from .tables import as_frame

Array = NDArray[Any]
Columns = dict[str, Any]


def forecast_columns(
    ids: Sequence[str], times: Array, quantiles: Array, levels: Sequence[float], roles: Roles
) -> Columns:
    """Return the columns of a forecast by name: series, time, and for each target its forecast and its quantiles.

    times: [S, h]. quantiles: [S, h, C, Q], of the given levels [Q]; that of 0.5 is the forecast.
    """
    columns: Columns = {}
    if roles.series is not None or len(ids) > 1:
        columns[roles.series or "unique_id"] = np.repeat(np.array(ids, dtype=object), times.shape[1])
    columns[roles.time or "row"] = times.ravel()
    for channel, target in enumerate(roles.targets):
        columns[target] = quantiles[:, :, channel, list(levels).index(0.5)].ravel()
        for place, level in enumerate(levels):
            if level != 0.5:
                columns[f"{target}_q{level:g}"] = quantiles[:, :, channel, place].ravel()
    return columns


def forecast_like(
    data: Any, panel: Panel, times: Array, quantiles: Array, levels: Sequence[float], roles: Roles
) -> Any:
    """Return a forecast as a frame of the kind of `data`, of polars for files; times are in UTC where the panel's are.

    Of arrays: quantiles [h, Q] for [T], [h, C, Q] for [T, C], and a list of them for a list. The other arguments are
    those of `forecast_columns`.
    """
    if is_arrays(data):
        return _arrays_like(data, quantiles)
    return _frame_like(data, panel, forecast_columns(panel.ids, times, quantiles, levels, roles), roles)


def path_columns(ids: Sequence[str], times: Array, paths: Array, roles: Roles) -> Columns:
    """Return the columns of sample paths by name: series, time, number of the path, and each target.

    times: [S, h]. paths: [S, h, C, N]. A path's steps are rows that follow each other, as a series' paths do.
    """
    series, horizon, _, count = paths.shape
    columns: Columns = {}
    if roles.series is not None or len(ids) > 1:
        columns[roles.series or "unique_id"] = np.repeat(np.array(ids, dtype=object), horizon * count)
    columns[roles.time or "row"] = np.repeat(times[:, None], count, axis=1).ravel()
    columns["path"] = np.tile(np.repeat(np.arange(count), horizon), series)
    for channel, target in enumerate(roles.targets):
        columns[target] = paths[:, :, channel].swapaxes(1, 2).ravel()
    return columns


def paths_like(data: Any, panel: Panel, times: Array, paths: Array, roles: Roles) -> Any:
    """Return sample paths as a frame of the kind of `data`, as `forecast_like` does.

    Of arrays: paths [N, h] for [T], [N, h, C] for [T, C], and a list of them for a list. The other arguments are
    those of `path_columns`.
    """
    if is_arrays(data):
        return _arrays_like(data, np.moveaxis(paths, -1, 1), axis=3)
    return _frame_like(data, panel, path_columns(panel.ids, times, paths, roles), roles)


def _frame_like(data: Any, panel: Panel, columns: Columns, roles: Roles) -> Any:
    import narwhals as nw

    listed = {name: values.tolist() if values.dtype == object else values for name, values in columns.items()}
    frame = nw.from_dict(listed, backend=_backend(data))
    if panel.time_zone is not None:
        frame = frame.with_columns(nw.col(roles.time or "row").dt.replace_time_zone(panel.time_zone))
    return frame.to_native()


def with_future(data: Any, future: Any) -> list[Any]:
    """Return what `layout.panel_of` reads as data with the further rows below; columns they lack are missing there."""
    parts = list(data) if isinstance(data, (list, tuple)) else [data]
    return [*parts, *(future if isinstance(future, (list, tuple)) else [future])]


def _backend(data: Any) -> Any:
    first = data[0] if isinstance(data, (list, tuple)) else data
    return "polars" if isinstance(first, (str, os.PathLike)) else as_frame(first).implementation


def _arrays_like(data: Any, values: Array, axis: int = 2) -> Any:
    """Return values of series [S, …], in which the targets have an axis, as the arrays of `data` have it or not."""
    many = isinstance(data, (list, tuple)) and any(np.ndim(each) for each in data)
    if not many:
        return _array_like(data, values[0], axis - 1)
    return [_array_like(*pair, axis - 1) for pair in zip(data, values, strict=True)]


def _array_like(data: Any, values: Array, axis: int) -> Array:
    """Return values, of the one target of an array [T] without C."""
    return np.take(values, 0, axis) if np.ndim(data) == 1 else values
