"""A picture of a forecast and its bands, after what came before."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OptionError
from ..extras import require
from ..files import write_atomically

if TYPE_CHECKING:
    from .forecast import Forecaster

MOST_PANELS = 6
"""Targets and series that are drawn at most."""


def check_picture(path: str | os.PathLike[str]) -> str:
    """Return the kind of picture that a path names, "png" or "svg".

    Raises OptionError for another kind, MissingExtraError without matplotlib.
    """
    require("matplotlib", "plot")
    kind = Path(path).suffix.lstrip(".").lower()
    if kind not in ("png", "svg"):
        raise OptionError(f"a picture is a .png or .svg file, not {Path(path).name!r}.", "end it in .png or .svg.")
    return kind


def draw_forecast(forecaster: Forecaster, data: Any, table: Any, path: str | os.PathLike[str]) -> None:
    """Draw the forecasts of a table, as `Forecaster.predict` returned it for `data`, after the ends of the series.

    path: a .png or .svg file. Raises OptionError for another kind, MissingExtraError without matplotlib.
    """
    kind = check_picture(path)
    import narwhals as nw
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panel, roles = forecaster.panel(data), forecaster.encoder_.roles
    ahead = nw.from_native(table)
    panels = [(series, target) for series in range(panel.num_series) for target in roles.targets][:MOST_PANELS]
    figure = Figure(figsize=(9, 2.6 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    levels = forecaster.options_.quantiles
    for place, (series, target) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, place + 1)
        rows = panel.rows(series)
        shown = slice(max(rows.start, rows.stop - 4 * forecaster.horizon_), rows.stop)
        axes.plot(panel.times[shown], panel.columns[target][shown], color="#333333", linewidth=1)
        own = slice(series * forecaster.horizon_, (series + 1) * forecaster.horizon_)
        times = ahead[roles.time or "row"].to_numpy()[own]
        for low, high in zip(levels, reversed(levels), strict=True):
            if low < high:
                bounds = [ahead[f"{target}_q{level:g}"].to_numpy()[own] for level in (low, high)]
                axes.fill_between(times, *bounds, color="#1f77b4", alpha=0.2, linewidth=0)
        axes.plot(times, np.asarray(ahead[target].to_numpy()[own]), color="#1f77b4", linewidth=1.4)
        axes.set_title(f"{panel.ids[series]} {target}".strip(), fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    content = BytesIO()
    figure.savefig(content, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(path, content.getvalue())
