"""Which points are timed: kinds of layer, sizes, and what is done with them. Letters as in `ostinato.shapes`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Literal

Group = Literal[
    "training",
    "forward",
    "ragged-training",
    "ragged-forward",
    "step",
    "push",
    "pool",
    "generation",
    "cells",
    "whole",
    "alone",
    "text",
]

GROUPS: dict[Group, str] = {
    "training": "Training: forward and backward, gradients of the input and of every weight",
    "forward": "Forward alone",
    "ragged-training": "Training on a ragged batch, lengths uniform in 10…T",
    "ragged-forward": "Forward on a ragged batch, lengths uniform in 10…T",
    "step": "One step through Python",
    "push": "One push of a live stream: a step whose state goes on to the next",
    "pool": "One step of many live streams together",
    "generation": "Characters written one by one, the likeliest each time, by a model like that of tiny Shakespeare",
    "cells": "Training of every cell with full recurrent matrices",
    "whole": "Training of linear recurrences: the whole layer",
    "alone": "Training of linear recurrences: the recurrence alone, without input products",
    "text": "A training step of the model of examples/char_lm.py",
}
"""What is done at a point, with the title that the table gives it."""
IN_MICROSECONDS: tuple[Group, ...] = ("step", "push")
"""Whose calls are told in microseconds, the others' in milliseconds."""
OF_CHARACTERS: tuple[Group, ...] = ("generation", "text")
"""Whose rows are characters."""

KINDS = ("elman", "gru", "lstm")
"""The cells that everybody has; elman is the RNN with tanh."""
SIZES = (
    (1, 100, 64, 64),
    (32, 50, 64, 128),
    (32, 100, 128, 256),
    (64, 100, 256, 512),
    (20, 35, 650, 650),
    (128, 64, 64, 64),
)
"""B, T, D, H of the full batches."""
LIVE: tuple[Group, ...] = ("push", "pool", "generation")
"""Where a state lives on from call to call, or from symbol to symbol."""
WITHOUT_GRADIENTS: tuple[Group, ...] = ("forward", "ragged-forward", "step", *LIVE)
RAGGED_SIZE = (32, 400, 64, 128)
SHORTEST = 10
"""The least length in a ragged batch."""
STEP_WIDTHS = (32, 128, 512)
"""H and D of a step, and of a push."""
POOL_SIZE = (10_000, 1, 64, 64)
WRITTEN_SIZE = (1, 200, 64, 512)
CELLS_SIZE = (32, 100, 128, 256)
LINEAR_CELLS = ("min_gru", "rg_lru")
LINEAR_SIZE = (16, 1024, 256, 256)
TEXT_SIZE = (32, 128, 64, 512)
VOCABULARY = 65
"""V of the text, and of what is written: that of tiny Shakespeare."""


@dataclass(frozen=True)
class Point:
    """One thing to time: a cell at a size. `batch`, `steps`, `inputs`, `hidden` are B, T, D, H."""

    group: Group
    cell: str
    batch: int
    steps: int
    inputs: int
    hidden: int

    @property
    def name(self) -> str:
        """Its name in options and results, as ``training/lstm/B32-T100-D128-H256``."""
        return f"{self.group}/{self.cell}/{self.size}"

    @property
    def size(self) -> str:
        """Its size in letters, as ``B32-T100-D128-H256``."""
        return f"B{self.batch}-T{self.steps}-D{self.inputs}-H{self.hidden}"

    @property
    def is_ragged(self) -> bool:
        """Whether sequences have different lengths."""
        return self.group.startswith("ragged")

    @property
    def is_training(self) -> bool:
        """Whether gradients are taken."""
        return self.group not in WITHOUT_GRADIENTS

    @property
    def is_live(self) -> bool:
        """Whether a state lives on."""
        return self.group in LIVE


def points(cells: Sequence[str], quick: bool = False) -> list[Point]:
    """Return every point of the grid, in the order in which they are timed.

    cells: the names of all cells with full recurrent matrices, for the group of that name. quick: one
    small point for each cell and group, to see that everything runs; its times say little.
    """
    return list(_quick_points(cells) if quick else _points(cells))


def chosen(grid: Sequence[Point], only: Sequence[str] = (), kinds: Sequence[str] = ()) -> list[Point]:
    """Return the points whose name holds, or as a pattern matches, one of `only`, of the cells `kinds`; empty: all."""
    return [
        point
        for point in grid
        if (not only or any(part in point.name or fnmatch(point.name, part) for part in only))
        and (not kinds or point.cell in kinds)
    ]


def _points(cells: Sequence[str]) -> Iterator[Point]:
    for group in ("training", "forward"):
        yield from (Point(group, kind, *size) for size in SIZES for kind in KINDS)
    for group in ("ragged-training", "ragged-forward"):
        yield from (Point(group, kind, *RAGGED_SIZE) for kind in KINDS)
    for group in ("step", "push"):
        yield from (Point(group, kind, 1, 1, width, width) for width in STEP_WIDTHS for kind in KINDS)
    yield Point("pool", "lstm", *POOL_SIZE)
    yield Point("generation", "lstm", *WRITTEN_SIZE)
    yield from (Point("cells", cell, *CELLS_SIZE) for cell in cells)
    for group in ("whole", "alone"):
        yield from (Point(group, cell, *LINEAR_SIZE) for cell in LINEAR_CELLS)
    yield Point("text", "lstm", *TEXT_SIZE)


def _quick_points(cells: Sequence[str]) -> Iterator[Point]:
    for group in ("training", "forward", "ragged-training", "ragged-forward"):
        yield from (Point(group, kind, 4, 20, 24, 32) for kind in KINDS)
    for group in ("step", "push"):
        yield from (Point(group, kind, 1, 1, 32, 32) for kind in KINDS)
    yield Point("pool", "lstm", 40, 1, 24, 32)
    yield Point("generation", "lstm", 1, 16, 24, 32)
    yield from (Point("cells", cell, 4, 20, 24, 32) for cell in cells)
    for group in ("whole", "alone"):
        yield from (Point(group, cell, 4, 64, 32, 32) for cell in LINEAR_CELLS)
    yield Point("text", "lstm", 4, 16, 16, 32)
