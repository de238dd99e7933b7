"""A report as a picture: an SVG on a light card, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .contenders import OURS
from .grid import IN_MICROSECONDS, OF_CHARACTERS
from .report import Report, Row

PANELS = (
    (("training", "ragged-training"), "Training: share of the machine's multiply-add peak"),
    (("forward", "ragged-forward"), "Forward: share of the machine's multiply-add peak"),
    (("step",), "One step through Python, microseconds"),
    (("push",), "One push of a live stream, microseconds"),
    (("pool",), "One step of many live streams: share of the machine's multiply-add peak"),
    (("generation",), "Characters written a second"),
)
"""What is drawn, each with its title; a panel without rows is left out."""
COLOURS = {
    OURS: "#0f766e",
    "ostinato-bfloat16": "#14b8a6",
    "ostinato-int8": "#5eead4",
    "torch": "#ea580c",
    "torch-cell": "#f59e0b",
    "torch-packed": "#ea580c",
    "torch-padded": "#f59e0b",
    "jax": "#7c3aed",
    "keras": "#dc2626",
    "onnxruntime": "#2563eb",
    "onnxruntime-1": "#60a5fa",
    "openvino": "#db2777",
}
CARD, INK, FAINT, LINES = "#f8fafc", "#0f172a", "#64748b", "#cbd5e1"
WIDTH, ROW_HEIGHT, PANEL_HEIGHT, MARGIN = 9.0, 0.2, 1.0, 0.12
"""Inches: of the picture, of a row, what a panel needs beside its rows, and the space around each."""
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ostinato",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "axes.edgecolor": LINES,
    "font.size": 9,
}


def draw(report: Report, path: Path) -> bool:
    """Draw a report into an SVG file; return False, and draw nothing, where no panel has rows."""
    panels = [(report.of(*groups), title) for groups, title in PANELS]
    panels = [(rows, title) for rows, title in panels if any(row.timings for row in rows)]
    if not panels:
        return False
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        heights = [PANEL_HEIGHT + ROW_HEIGHT * len(rows) for rows, _ in panels]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained", facecolor=CARD)
        figure.get_layout_engine().set(w_pad=MARGIN, h_pad=MARGIN)
        for axes, (rows, title) in zip(_axes(figure, heights), panels, strict=True):
            _panel(axes, rows, title)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return True


def _axes(figure: Any, heights: Sequence[float]) -> list[Any]:
    grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    return [row[0] for row in grid]


def _panel(axes: Any, rows: Sequence[Row], title: str) -> None:
    group = rows[0].point.group
    names = list(dict.fromkeys(name for row in rows for name in row.timings))
    for name in sorted(names, key=lambda name: name == OURS):
        places = [place for place, row in enumerate(rows) if name in row.timings]
        values = [_value(rows[place], name) for place in places]
        is_ours = name == OURS
        axes.scatter(
            values, places, s=42 if is_ours else 24, color=COLOURS.get(name, FAINT), label=name, zorder=3 + is_ours
        )
    axes.set_title(title, loc="left", fontweight="bold", fontsize=10)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if group in IN_MICROSECONDS:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(0, None)
        axes.xaxis.set_major_formatter("{x:,.0f}" if group in OF_CHARACTERS else lambda share, _: f"{share:.0%}")
    axes.set_facecolor("none")
    axes.grid(color=LINES, linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    # Beside the dots, where none can lie under it.
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)


def _value(row: Row, name: str) -> float:
    milliseconds = row.timings[name].median
    if row.point.group in IN_MICROSECONDS:
        return 1e3 * milliseconds
    return 1e3 * row.rows / milliseconds if row.point.group in OF_CHARACTERS else row.share(name) or 0.0


def _label(row: Row) -> str:
    ragged = "ragged " if row.point.is_ragged else ""
    return f"{ragged}{row.point.cell}  {row.point.size.replace('-', ' ')}"
