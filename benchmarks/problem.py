"""A point's arrays: drawn from its name, so that every process draws the same."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato import cells, engine
from ostinato.cells.initialisers import draw_weights
from ostinato.program import Program

from .grid import OF_CHARACTERS, SHORTEST, VOCABULARY, Point

Array = NDArray[Any]

PUSHES = 5
"""Inputs of a live stream; after the last the first comes again."""
WRITTEN_SYMBOLS = 8
"""How many of the V symbols stand in what is written: so few that what follows one is known by what came before it."""
RIDGE = 1e-4
"""What is added to the squares of the states, as a part of their mean: it keeps the head small."""


@dataclass
class Problem:
    """What is to be run, in float32.

    weights: by the names of `Program.weight_shapes`; in the groups of characters also ``embedding`` [V, D], ``head``
    [V, H] and ``head_bias`` [V]; in the group "alone" ``p_in_<gate>`` [H] in the place of W and its bias. x: [T, B, D];
    in the groups "push" and "pool" [`PUSHES`, B, D], the inputs of steps one after the other; in the groups of
    characters symbols [T + 1, B], which in "generation" are the text that the model writes once it has the first. d_y:
    the gradient of the output [T, B, O], of random numbers (None where none is taken). state: before the first step,
    [B, width] each; zero but in a step. lengths: [B] in a ragged batch.
    """

    point: Point
    weights: dict[str, Array]
    x: Array
    d_y: Array | None
    state: tuple[Array, ...]
    lengths: Array | None = None

    @classmethod
    def of(cls, point: Point) -> Problem:
        """Draw the problem of a point.

        Raises OptionError when there is no such cell.
        """
        random = np.random.default_rng(zlib.crc32(point.name.encode()))
        cell = cells.find(point.cell)
        program, widths = cell.program, all_widths(cell.program, point.hidden)
        weights = {
            name: _single(values) for name, values in _weights(cell, random, point.inputs, widths, point.group).items()
        }
        sizes, output = (point.steps, point.batch), program.output_width(widths)
        x = _input(random, point)
        state = tuple(_state(random, point, widths[width]) for _, width in program.states)
        if point.group == "generation":
            weights |= _head_that_writes(x, weights, program, state)
        return cls(
            point,
            weights,
            x,
            _single(random.normal(size=(*sizes, output))) if point.is_training else None,
            state,
            random.integers(SHORTEST, point.steps + 1, point.batch) if point.is_ragged else None,
        )

    @property
    def program(self) -> Program:
        """The cell's program."""
        return cells.find(self.point.cell).program

    @property
    def mask(self) -> Array | None:
        """1 where a sequence is live and 0 beyond its length, [T, B, 1]; None in a full batch."""
        if self.lengths is None:
            return None
        return _single(np.arange(self.point.steps)[:, None] < self.lengths)[..., None]


def all_widths(program: Program, hidden: int) -> dict[str, int]:
    """Return a size for each letter of a program's widths: H as given, half of it for any other."""
    return {letter: hidden if letter == "H" else hidden // 2 for letter in ("H", *program.width_letters)}


def operations(point: Point) -> int | None:
    """Return the floating-point operations of a point: two for each multiply-add of its matrix products.

    Forward 2·N·(elements of all matrices) for N live rows, which is 2·N·G·H·(D + H) for most cells; training
    three times that. None where the group is not about matrix products, or holds more than the layer.
    """
    if point.group in ("whole", "alone", *OF_CHARACTERS):
        return None
    program = cells.find(point.cell).program
    shapes = program.weight_shapes(point.inputs, all_widths(program, point.hidden))
    elements = sum(rows * columns for rows, columns in (shape for shape in shapes.values() if len(shape) == 2))
    return 2 * live_rows(point) * elements * (3 if point.is_training else 1)


def live_rows(point: Point) -> int:
    """Return N, the live rows of a point: one for each step of each sequence."""
    lengths = Problem.of(point).lengths if point.is_ragged else None
    return point.batch * point.steps if lengths is None else int(lengths.sum())


def cells_with_full_matrices() -> list[str]:
    """Return the names of the shipped cells whose recurrent products take whole states."""
    return [name for name, cell in cells.CELLS.items() if cell.program.recurrent_gates]


def _weights(
    cell: cells.Cell, random: np.random.Generator, inputs: int, widths: dict[str, int], group: str
) -> dict[str, Array]:
    weights = draw_weights(cell.program, dict(cell.init), random, inputs, widths)
    for name in ("W_bias", "R_bias"):
        if name in weights:
            # Biases that start at zero would hide one that is left out.
            weights[name] = weights[name] + 0.1 * random.normal(size=weights[name].shape)
    if group == "alone":
        del weights["W"], weights["W_bias"]
        weights |= {f"p_in_{gate}": random.normal(size=widths["H"]) for gate in cell.program.input_gates}
    if group in OF_CHARACTERS:
        weights["embedding"] = random.normal(size=(VOCABULARY, inputs))
        weights["head"] = random.normal(size=(VOCABULARY, widths["H"])) / widths["H"] ** 0.5
        weights["head_bias"] = 0.1 * random.normal(size=VOCABULARY)
    return weights


def _input(random: np.random.Generator, point: Point) -> Array:
    if point.group in OF_CHARACTERS:
        size = WRITTEN_SYMBOLS if point.group == "generation" else VOCABULARY
        return random.integers(0, size, (point.steps + 1, point.batch))
    steps = PUSHES if point.is_live else point.steps
    return _single(random.normal(size=(steps, point.batch, point.inputs)))


def _head_that_writes(
    text: Array, weights: dict[str, Array], program: Program, state: Sequence[Array]
) -> dict[str, Array]:
    """Return the head that scores each next symbol of a text [T + 1, 1] near 1, and all others near 0.

    So the likeliest symbol is never in doubt, and a state that went wrong writes something else. It is a ridge
    regression on the states of the text, in its dual form, since they are fewer than what is solved for: T < H.
    """
    layer = {name: values for name, values in weights.items() if not name.startswith(("embedding", "head"))}
    y, _ = engine.prepare(program, layer).sequence(_single(weights["embedding"][text[:-1]]), state)
    rows = np.concatenate([y[:, 0], np.ones((len(y), 1))], axis=1)
    squares = rows @ rows.T
    squares += RIDGE * squares.trace() / len(rows) * np.eye(len(rows))
    solved = np.linalg.solve(squares, np.eye(VOCABULARY)[text[1:, 0]]).T @ rows
    return {"head": _single(solved[:, :-1]), "head_bias": _single(solved[:, -1])}


def _state(random: np.random.Generator, point: Point, width: int) -> Array:
    shape = point.batch, width
    return _single(random.uniform(-1, 1, shape) if point.group == "step" else np.zeros(shape))


def _single(values: Array) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)
