"""Pictures of what a model that labels takes for what."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from .picture import new_figure, write_picture

MOST_NUMBERS = 30
"""Of more classes the cells have colours alone."""


def draw_confusion(classes: Sequence[str], matrix: Sequence[Sequence[int]], path: str | os.PathLike[str]) -> None:
    """Draw how often each true class (rows) was taken for each (columns); colours are shares of a row.

    path: a .png or .svg file. Raises OptionError for another kind, MissingExtraError without matplotlib, DataError for
    no matrix, which labels several at once have not.
    """
    counts = np.array(matrix, np.int64)
    if not counts.size:
        raise DataError("there is no confusion matrix where several classes may apply.", "leave out --plot.")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.45 * min(len(classes), 60)
    figure = new_figure(size + 1, size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(len(classes))
    axes.set_xticks(ticks, [name[:20] for name in classes], rotation=90 if len(classes) > 4 else 0, fontsize=8)
    axes.set_yticks(ticks, [name[:20] for name in classes], fontsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("true class")
    if len(classes) <= MOST_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    write_picture(figure, path)
