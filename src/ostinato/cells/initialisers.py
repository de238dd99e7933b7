"""How weights start. Each is a small value, kept in a model file as its name and numbers.

Without one, a gate's recurrent matrix is orthogonal (Saxe et al. 2014) times 1/√G, so that the stack of those of G
gates keeps lengths, as Keras draws it; its input matrix is drawn from U(-1/√D, 1/√D), biases are zero and vectors are
drawn from U(-1/√H, 1/√H); a declared matrix starts as an input matrix does.
"""

from __future__ import annotations

import math
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CellError
from ..program import Program


class Initialiser:
    """Base of the initialisers; `targets` says what an initialiser may be given to."""

    targets: tuple[str, ...] = ("gate", "vector", "matrix")

    def __post_init__(self) -> None:
        for number in vars(self).values():
            if type(number) not in (int, float) or not abs(number) <= sys.float_info.max:
                raise CellError(f"{type(self).__name__} takes finite numbers, not {reprlib.repr(number)}.")

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return float64 values of the given shape."""
        raise NotImplementedError

    def to_data(self) -> list[Any]:
        """Return the name and the numbers."""
        return [type(self).__name__, *astuple(self)]  # type: ignore[call-overload]


@dataclass(frozen=True)
class bias(Initialiser):  # noqa: N801 - written as a function: init={"f": bias(1.0)}
    """A gate's bias starts at `value`."""

    value: float
    targets = ("gate",)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class constant(Initialiser):  # noqa: N801
    """Every element starts at `value`."""

    value: float

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class uniform(Initialiser):  # noqa: N801
    """Drawn evenly between `low` and `high`."""

    low: float
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.high - self.low <= sys.float_info.max:
            raise CellError(f"uniform needs low <= high, not {self.low} and {self.high}.")

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        return random.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class normal(Initialiser):  # noqa: N801
    """Drawn from a normal distribution of mean zero and the given standard deviation."""

    deviation: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.deviation < 0:
            raise CellError(f"normal needs a deviation of at least 0, not {self.deviation}.")

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        return random.normal(0.0, self.deviation, shape)


@dataclass(frozen=True)
class orthogonal(Initialiser):  # noqa: N801
    """A random orthogonal matrix times `gain` (Saxe et al. 2014); rows or columns are orthonormal."""

    gain: float = 1.0
    targets = ("gate", "matrix")

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        rows, columns = shape
        q, r = np.linalg.qr(random.normal(size=(max(shape), min(shape))))
        q *= np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T)


@dataclass(frozen=True)
class identity(Initialiser):  # noqa: N801
    """The identity times `gain`, as Le et al. 2015 start a recurrent matrix under relu."""

    gain: float = 1.0
    targets = ("gate", "matrix")

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        rows, columns = shape
        return np.asarray(self.gain * np.eye(rows, columns))


INITIALISERS: dict[str, type[Initialiser]] = {
    kind.__name__: kind for kind in (bias, constant, uniform, normal, orthogonal, identity)
}


def from_data(data: Any) -> Initialiser:
    """Build an initialiser from what `to_data` returned. Raises CellError for anything else."""
    try:
        name, *numbers = data
        return INITIALISERS[name](*numbers)
    except (TypeError, ValueError, KeyError) as error:
        raise CellError(f"{reprlib.repr(data)} is no initialiser: {error}.") from None


def draw_weights(
    program: Program,
    init: Mapping[str, tuple[Initialiser, ...]],
    random: np.random.Generator,
    input_size: int,
    widths: Mapping[str, int],
    bias: bool = True,
    heads: int = 1,
) -> dict[str, NDArray[Any]]:
    """Return a start for every weight of a program, float64, by the names of `Program.weight_shapes`.

    With heads, each block of a gate's recurrent matrix is drawn on its own.
    """
    shapes = program.weight_shapes(input_size, widths, bias, heads)
    blocks = {"W": program.input_gates, "R": program.recurrent_gates, "W_bias": program.input_gates}
    blocks["R_bias"] = program.recurrent_bias_gates
    weights = {}
    for name, shape in shapes.items():
        if name in blocks:
            pieces = heads if name == "R" else 1
            block = (widths["H"] // pieces, *shape[1:])
            starts = [_gate_initialiser(name, gate, program, init, block) for gate in blocks[name]]
            weights[name] = np.concatenate([start.draw(random, block) for start in starts for _ in range(pieces)])
        else:
            given = init.get(name[2:])
            weights[name] = (given[0] if given else _even(shape[-1])).draw(random, shape)
    return weights


def _gate_initialiser(
    weight: str, gate: str, program: Program, init: Mapping[str, tuple[Initialiser, ...]], shape: tuple[int, ...]
) -> Initialiser:
    given = init.get(gate, ())
    if weight.endswith("_bias"):
        # One bias of a gate takes the given value: the input's, or the recurrent one where there is no input.
        is_home = weight == "W_bias" or gate not in program.input_gates
        return next((i for i in given if isinstance(i, bias)), constant(0.0)) if is_home else constant(0.0)
    if weight == "R":
        together = orthogonal(1 / math.sqrt(len(program.recurrent_gates)))
        return next((i for i in given if not isinstance(i, bias)), together)
    return _even(shape[-1])


def _even(fan_in: int) -> Initialiser:
    bound = 1 / math.sqrt(fan_in)
    return uniform(-bound, bound)
