"""A point's arrays: drawn from its name, so that every process draws the same."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato import cells
from ostinato.cells.initialisers import draw_weights
from ostinato.program import Program

from .grid import SHORTEST, VOCABULARY, Point

Array = NDArray[Any]


@dataclass
class Problem:
    """What is to be run, in float32.

    weights: by the names of `Program.weight_shapes`; in the group "text" also ``embedding`` [V, D], ``head`` [V, H]
    and ``head_bias`` [V]; in the group "alone" ``p_in_<gate>`` [H] in the place of W and its bias. x: [T, B, D]; in
    the group "text" symbols [T + 1, B]. d_y: the gradient of the output [T, B, O], of random numbers (None where
    none is taken). state: before the first step, [B, width] each; zero but in a step. lengths: [B] in a ragged batch.
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
        sizes = point.steps, point.batch
        output = program.output_width(widths)
        return cls(
            point,
            weights,
            _input(random, point),
            _single(random.normal(size=(*sizes, output))) if point.is_training else None,
            tuple(_state(random, point, widths[width]) for _, width in program.states),
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
    if point.group in ("whole", "alone", "text"):
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
    if group == "text":
        weights["embedding"] = random.normal(size=(VOCABULARY, inputs))
        weights["head"] = random.normal(size=(VOCABULARY, widths["H"])) / widths["H"] ** 0.5
        weights["head_bias"] = 0.1 * random.normal(size=VOCABULARY)
    return weights


def _input(random: np.random.Generator, point: Point) -> Array:
    if point.group == "text":
        return random.integers(0, VOCABULARY, (point.steps + 1, point.batch))
    return _single(random.normal(size=(point.steps, point.batch, point.inputs)))


def _state(random: np.random.Generator, point: Point, width: int) -> Array:
    shape = point.batch, width
    return _single(random.uniform(-1, 1, shape) if point.group == "step" else np.zeros(shape))


def _single(values: Array) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)
