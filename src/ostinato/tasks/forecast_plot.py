"""Pictures of forecasts and their bands: after the ends of series, and over what came in the end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.extension import known_ends
from ..data.panel import Panel
from ..data.windows import Origins
from ..errors import DataError
from .picture import check_picture, new_figure, write_picture

if TYPE_CHECKING:
    from .forecast import Forecaster

Array = NDArray[Any]
MOST_PANELS = 6
"""Targets and series that are drawn at most, one below the other."""
MOST_HORIZONS = 8
"""Horizons that one axis holds at most. Forecasts that lie wider apart stand side by side, a few of them."""
MOST_APART = 3
HORIZONS_BEFORE, LEAST_BEFORE = 3, 12
"""Horizons of truth before the first forecast, and rows at least."""
TRUTH, FORECAST = "#404040", "#1f6fb4"


class View(NamedTuple):
    """One axis: some rows of a series, and the forecasts in it.

    rows: of the panel. ahead: each forecast's first row, the times [h] and the quantiles [h, Q] of its horizon.
    """

    rows: slice
    ahead: list[tuple[int, Array, Array]]


class Line(NamedTuple):
    """What stands in one line of a picture: a target of a series."""

    series: int
    target: str
    views: list[View]


class Shown:
    """Forecasts of an evaluation, for a picture: of each of the first series those that do not overlap.

    shown = Shown()
    forecaster.evaluate(watch=shown)
    draw_evaluation(forecaster, shown, "test.png")
    """

    def __init__(self) -> None:
        self.panel: Panel | None = None
        self.forecasts: dict[int, dict[int, Array]] = {}

    def __call__(self, panel: Panel, windows: Origins, quantiles: Array) -> None:
        """Keep some forecasts: by the first row of their series and by their origin, quantiles [h, C, Q]."""
        self.panel = panel
        for place, (begin, row) in enumerate(zip(windows.begins.tolist(), windows.rows.tolist(), strict=True)):
            if begin not in self.forecasts and len(self.forecasts) == MOST_PANELS:
                continue
            own = self.forecasts.setdefault(begin, {})
            if not own or row >= next(reversed(own)) + quantiles.shape[1]:
                own[row] = quantiles[place].copy()


def draw_forecast(forecaster: Forecaster, data: Any, table: Any, path: str | os.PathLike[str]) -> None:
    """Draw forecasts, as `Forecaster.predict` returned them for `data`, after the ends of the series.

    path: a .png or .svg file. Raises OptionError for another kind, MissingExtraError without matplotlib.
    """
    check_picture(path)
    panel, targets, horizon = forecaster.panel(data), forecaster.encoder_.roles.targets, forecaster.horizon_
    ends = known_ends(panel, targets)
    times, quantiles = _as_arrays(forecaster, panel, ends, table)

    def lines() -> Iterator[Line]:
        for series, end in enumerate(ends.tolist()):
            rows = slice(max(int(panel.starts[series]), _before(end, horizon)), end)
            for channel, target in enumerate(targets):
                yield Line(series, target, [View(rows, [(end, times[series], quantiles[series, :, channel])])])

    _draw(forecaster, panel, lines(), panel.num_series, f"the next {_steps(horizon)}", path)


def _as_arrays(forecaster: Forecaster, panel: Panel, ends: Array, table: Any) -> tuple[Array, Array]:
    """Return times [S, h] and quantiles [S, h, C, Q] of forecasts in a frame or, where data are, in arrays."""
    roles, levels, horizon = forecaster.encoder_.roles, forecaster.options_.quantiles, forecaster.horizon_
    shape = (panel.num_series, horizon, len(roles.targets), len(levels))
    if isinstance(table, (list, np.ndarray)):
        return (ends - panel.starts[:-1])[:, None] + np.arange(horizon), np.stack([*table]).reshape(shape)
    import narwhals as nw

    columns = nw.from_native(table)
    names = [target if level == 0.5 else f"{target}_q{level:g}" for target in roles.targets for level in levels]
    quantiles = np.stack([columns[name].to_numpy() for name in names], axis=-1)
    return columns[roles.time or "row"].to_numpy().reshape(shape[:2]), quantiles.reshape(shape)


def draw_evaluation(forecaster: Forecaster, shown: Shown, path: str | os.PathLike[str]) -> None:
    """Draw forecasts of an evaluation, which `shown` has kept, over the truth.

    Those of a series that one axis can hold lie on it, else a few, evenly spread, have one each.

    path: a .png or .svg file. Raises OptionError for another kind, MissingExtraError without matplotlib, DataError
    where nothing was kept.
    """
    check_picture(path)
    panel, horizon = shown.panel, forecaster.horizon_
    if panel is None:
        raise DataError("there is no forecast to draw.", "evaluate(…, watch=shown) before.")

    def lines(panel: Panel) -> Iterator[Line]:
        for begin, own in sorted(shown.forecasts.items()):
            series = int(np.searchsorted(panel.starts, begin, side="right")) - 1
            for channel, target in enumerate(forecaster.encoder_.roles.targets):
                quantiles = {row: found[:, channel] for row, found in own.items()}
                views = [_view(panel, series, rows, quantiles) for rows in _together(list(own), horizon)]
                yield Line(series, target, views)

    origins = max(sum(map(len, _together(list(own), horizon))) for own in shown.forecasts.values())
    title = f"forecasts of {_steps(horizon)}" + (f", from {origins} of the origins" if origins > 1 else "")
    _draw(forecaster, panel, lines(panel), panel.num_series, title, path)


def _together(rows: list[int], horizon: int) -> list[list[int]]:
    """Return origins as they are to share an axis: all of them, or a few, evenly spread, each for itself."""
    if rows[-1] - rows[0] < MOST_HORIZONS * horizon:
        return [rows]
    places = np.linspace(0, len(rows) - 1, min(MOST_APART, len(rows))).round().astype(np.int64)
    return [[rows[place]] for place in places]


def _view(panel: Panel, series: int, origins: Sequence[int], quantiles: dict[int, Array]) -> View:
    horizon, whole = len(quantiles[origins[0]]), panel.rows(series)
    rows = slice(max(whole.start, _before(origins[0], horizon)), min(whole.stop, origins[-1] + horizon))
    return View(rows, [(row, panel.times[row : row + horizon], quantiles[row]) for row in origins])


def _before(origin: int, horizon: int) -> int:
    """Return the row from which on truth is drawn before a forecast."""
    return origin - max(HORIZONS_BEFORE * horizon, LEAST_BEFORE)


def _steps(horizon: int) -> str:
    return f"{horizon} step{'s' if horizon > 1 else ''}"


# ---- with matplotlib


def _draw(
    forecaster: Forecaster,
    panel: Panel,
    lines: Iterable[Line],
    num_series: int,
    title: str,
    path: str | os.PathLike[str],
) -> None:
    """Draw the first lines of a picture, one below the other, with a legend for all, and write it."""
    drawn, total = list(islice(lines, MOST_PANELS)), num_series * len(forecaster.encoder_.roles.targets)
    figure = new_figure(10, 0.8 + 2.6 * len(drawn))
    grid = figure.add_gridspec(len(drawn), 1)
    for place, line in enumerate(drawn):
        _draw_line(figure, grid[place], forecaster, panel, line)
    if len(drawn) < total:
        title += f"; {len(drawn)} of {total:,} " + ("series and targets" if num_series > 1 else "targets")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8, frameon=False)
    write_picture(figure, path)


def _draw_line(figure: Any, cell: Any, forecaster: Forecaster, panel: Panel, line: Line) -> None:
    """Draw the views of a line side by side, on one scale."""
    cells = cell.subgridspec(1, len(line.views))
    first = figure.add_subplot(cells[0])
    every = [first, *(figure.add_subplot(cells[place], sharey=first) for place in range(1, len(line.views)))]
    for axes, view in zip(every, line.views, strict=True):
        _draw_view(axes, panel, line.target, view, forecaster.options_.quantiles)
        axes.tick_params(labelleft=axes is first)
        if panel.times.dtype.kind == "M":
            _label_dates(axes)
        else:
            axes.set_xlabel(forecaster.encoder_.roles.time or "row", fontsize=8, parse_math=False)
    first.set_ylabel(line.target, fontsize=9, parse_math=False)
    first.set_title(panel.ids[line.series], fontsize=9, loc="left", parse_math=False)


def _draw_view(axes: Any, panel: Panel, target: str, view: View, levels: Sequence[float]) -> None:
    """Draw the truth, and forecasts with their bands. Each begins at the value before it, where that is known."""
    truth = panel.columns[target]
    for number, (row, times, quantiles) in enumerate(view.ahead):
        if row > view.rows.start and not np.isnan(truth[row - 1]):
            times = np.concatenate([panel.times[row - 1 : row], times.astype(panel.times.dtype)])
            quantiles = np.concatenate([np.full((1, len(levels)), truth[row - 1]), quantiles])
        is_first = number == 0
        for depth, (low, high) in enumerate(_bands(levels)):
            label = _band_name(levels[low], levels[high]) if is_first else None
            bounds = quantiles[:, low], quantiles[:, high]
            axes.fill_between(times, *bounds, color=FORECAST, alpha=0.22 + 0.12 * depth, linewidth=0, label=label)
        middle = quantiles[:, list(levels).index(0.5)]
        axes.plot(times, middle, color=FORECAST, linewidth=1.5, label="forecast" if is_first else None)
    axes.plot(panel.times[view.rows], truth[view.rows], color=TRUTH, linewidth=1, label="truth")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def _label_dates(axes: Any) -> None:
    """Label times as briefly as they can be told apart."""
    from matplotlib import dates

    locator = dates.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set_fontsize(8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _bands(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Return the places of the quantiles that bound each band, the widest first."""
    return [(place, len(levels) - 1 - place) for place in range(len(levels) // 2)]


def _band_name(low: float, high: float) -> str:
    if abs(low + high - 1) < 1e-9:
        return f"{100 * (high - low):.6g} % band"
    return f"quantiles {low:g} to {high:g}"
