"""Random problems for the engine, and running them, with gradients, through a part of its table."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ostinato import _core
from ostinato.cells import CELLS
from ostinato.engine import dispatch, sequence
from ostinato.nn.noise import Noise
from ostinato.program import Program

from ..example_cells import EXAMPLES
from ..quick import KINDS, some_quick

PROGRAMS = {name: cell.program for name, cell in (CELLS | EXAMPLES).items()}
"""The program of every cell."""


def _noisy_programs() -> dict[str, Program]:
    found = {}
    for name, program in PROGRAMS.items():
        noise = Noise.of(program, 0.3 if program.recurrent_gates else 0.0, {program.state_names[-1]: 0.4})
        found |= {f"{name} in training": noise.training, f"{name} in evaluation": noise.evaluation}
    return found


NOISY = _noisy_programs()
"""The same with recurrent dropout and zoneout: with masks and streams, and as expectations."""
QUICK = ("lstm", "gru_v1", "layer_norm_gru", "min_gru", "projected_lstm")
"""Cells noise on which is quick."""


def names_of(programs: Iterable[str]) -> list[Any]:
    """Return names as parameters of a test; those of cells like others, and of noise on all but a few, are slow."""
    return some_quick(programs, {*KINDS, *(name for name in NOISY if name.split()[0] in QUICK)})


@dataclass(frozen=True)
class Sizes:
    """T, B, D, and the widths H and P."""

    T: int = 5
    B: int = 3
    D: int = 7
    H: int = 17
    P: int = 9

    def width(self, letter: str) -> int:
        return {"H": self.H, "P": self.P}[letter]


@dataclass(frozen=True)
class Problem:
    """A program with NumPy weights, x [T, B, D], states, streams, and how its rows lie."""

    program: Program
    weights: dict[str, Any]
    x: Any
    state: list[Any]
    streams: dict[str, Any]
    lengths: Any = None
    reverse: bool = False


def problem(
    program: Program,
    sizes: Sizes,
    kind: Any = np.float64,
    seed: int = 0,
    lengths: Any = None,
    reverse: bool = False,
    bias: bool = True,
    heads: int = 1,
) -> Problem:
    """Return random values that float32 holds, so that they are the same in either type."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int, scale: float = 1.0) -> Any:
        return (scale * random.normal(size=shape)).astype(np.float32).astype(kind)

    features = sizes.H if program.reads_raw_input else sizes.D
    heads = heads if program.recurrent_gates else 1
    shapes = program.weight_shapes(features, {"H": sizes.H, "P": sizes.P}, bias, heads)
    return Problem(
        program,
        {name: drawn(*shape, scale=0.4) for name, shape in shapes.items()},
        drawn(sizes.T, sizes.B, features),
        [state_of(name, drawn(sizes.B, sizes.width(letter))) for name, letter in program.states],
        {name: drawn(sizes.T, sizes.B, sizes.width(letter)) for name, letter in program.streams},
        None if lengths is None else np.asarray(lengths, np.int64),
        reverse,
    )


def state_of(name: str, values: Any) -> Any:
    """Return a state that can occur: a normaliser `n` is a sum of weights, and one near zero would make all ill."""
    return np.abs(values) + values.dtype.type(0.5) if name == "n" else values


def parts_of(given: Problem, part: Any, steps: slice = slice(None)) -> Problem:
    """Return the problem of some sequences of the batch and some steps, with the same weights."""
    chosen = np.ascontiguousarray
    return Problem(
        given.program,
        given.weights,
        chosen(given.x[steps, part]),
        [chosen(values[part]) for values in given.state],
        {name: chosen(values[steps, part]) for name, values in given.streams.items()},
        None if given.lengths is None else chosen(given.lengths[part]),
        given.reverse,
    )


def outputs(given: Problem, checkpoint_steps: int | None = None) -> list[Any]:
    """Return y and the state after the last step, of a run over tensors that asks for no gradient."""
    tensors = _tensors(given, wanted=False)
    return [part.numpy() for part in _run(given, *tensors, checkpoint_steps)]


def outputs_and_gradients(given: Problem, checkpoint_steps: int | None = None) -> tuple[list[Any], list[Any]]:
    """Return the same, and the gradients of x, states and weights given random ones of the outputs."""
    weights, x, state = _tensors(given, wanted=True)
    parts = _run(given, weights, x, state, checkpoint_steps)
    random = np.random.default_rng(99)
    d_parts = [torch.from_numpy(random.normal(size=part.shape)).to(part.dtype) for part in parts]
    pairs = [(part, d) for part, d in zip(parts, d_parts, strict=True) if part.requires_grad]
    wanted = [x, *state, *weights.values()]
    if not pairs:
        # What depends on streams alone has no gradient to give.
        return [part.numpy() for part in parts], [np.zeros_like(part.detach().numpy()) for part in wanted]
    outs, gradients = zip(*pairs, strict=True)
    found = torch.autograd.grad(outs, wanted, gradients, allow_unused=True, materialize_grads=True)
    return [part.detach().numpy() for part in parts], [gradient.numpy() for gradient in found]


def _tensors(given: Problem, wanted: bool) -> tuple[dict[str, Any], Any, list[Any]]:
    def tensor(values: Any) -> Any:
        return torch.tensor(values, requires_grad=wanted)

    weights = {name: tensor(values) for name, values in given.weights.items()}
    return weights, tensor(given.x), [tensor(part) for part in given.state]


def _run(given: Problem, weights: Any, x: Any, state: Any, checkpoint_steps: int | None) -> list[Any]:
    streams = {name: torch.from_numpy(values) for name, values in given.streams.items()}
    y, final = sequence(given.program, weights, x, state, given.lengths, given.reverse, streams, checkpoint_steps)
    return [y, *final]


# ---- who runs, and how


@contextmanager
def run_by(*names: str) -> Iterator[None]:
    """Leave only the named candidates in the engine's table."""
    before = dispatch.CANDIDATES
    dispatch.CANDIDATES = tuple(candidate for candidate in before if candidate.name in names)
    try:
        yield
    finally:
        dispatch.CANDIDATES = before


@contextmanager
def level(name: str) -> Iterator[None]:
    """Use an instruction-set level of the core."""
    before = _core.level()
    _core.use_level(name)
    try:
        yield
    finally:
        _core.use_level(before)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let each call use so many threads."""
    before = os.environ.get("OSTINATO_THREADS")
    os.environ["OSTINATO_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OSTINATO_THREADS"]
        else:
            os.environ["OSTINATO_THREADS"] = before


def assert_equal(actual: Any, expected: Any, what: str) -> None:
    """Compare the bits of arrays, one by one."""
    assert len(actual) == len(expected), what
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        one, other = np.asarray(one), np.asarray(other)
        assert (one.shape, one.dtype) == (other.shape, other.dtype), f"{what}, array {index}"
        assert one.tobytes() == other.tobytes(), f"{what}: array {index} has other bits"
