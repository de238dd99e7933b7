"""What the torch operators compute on the CPU: a program over time, and back, by the core.

Tensors come in as they are: everything is checked here, since the core reads them by their addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import shapes
from ..errors import ShapeError
from ..program import Program
from .backward import backward
from .bound import Arrays, Bound, Inputs
from .compiled import CompiledStep, compiled
from .core import hoisted, rows_of, scratch, sizes_of, threads
from .packing import Packing, checked_lengths
from .sized import Sizes

OWNER = "ostinato::sequence"
MOST_KNOWN = 1024
"""Combinations of a program and sizes that are remembered; more are forgotten together."""


class Job(NamedTuple):
    """What the operators are given, apart from what goes back; see `operators.SEQUENCE`."""

    x: Tensor
    state: Sequence[Tensor]
    weights: Sequence[Tensor]
    streams: Sequence[Tensor]
    program: str
    names: str
    lengths: Tensor | None
    reverse: bool
    checkpoint_steps: int
    wanted: Sequence[bool]


class Known(NamedTuple):
    """What is known of a program and sizes before weights come.

    step: the compiled step, without what depends on parameters alone. weights: the names of its weights.
    parameters: the step of one row that computes those of them that are not given, or None.
    """

    program: Program
    step: CompiledStep
    sizes: Sizes
    weights: tuple[str, ...]
    parameters: Known | None


def run(job: Job) -> tuple[Tensor, list[Tensor], Tensor]:
    """Run over time; return y [T, B, O], the state after it, and what is kept for the way back."""
    job = _checked(job)
    known = _known(job)
    rows, ragged = _rows(job)
    if rows is None:
        y = job.x.new_zeros(*job.x.shape[:2], _output_width(known, job))
        return y, [part.clone() for part in job.state], job.x.new_empty(0)
    bound = _bound(known, _weights(known, job), job.x)
    result = bound.forward(_inputs(job, rows, ragged), job.checkpoint_steps or None, bool(job.wanted))
    kept = job.x.new_empty(0) if result.kept is None else result.kept.memory
    return result.y.reshape(*job.x.shape[:2], -1), result.state, kept


def run_back(
    job: Job, kept: Tensor, d_y: Tensor, d_final: Sequence[Tensor | None]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the gradients of x, of each state and of each weight.

    kept: what `run` returned for the same job. d_y [T, B, O]; d_final [B, width] each, None for zero.
    """
    job = _checked(job)
    known = _known(job)
    rows, ragged = _rows(job)
    if rows is None:
        d_state = [torch.zeros_like(s) if d is None else d.clone() for s, d in zip(job.state, d_final, strict=True)]
        return torch.zeros_like(job.x), d_state, [torch.zeros_like(weight) for weight in job.weights]
    weights = _weights(known, job)
    bound, inputs = _bound(known, weights, job.x), _inputs(job, rows, ragged)
    found = backward(bound, inputs, bound.kept(inputs, job.checkpoint_steps or None, kept), d_y.contiguous(), d_final)
    of = found.weights
    if known.parameters is not None:
        for name, gradient in _gradients_of_parameters(known.parameters, weights, of, job.x).items():
            of[name] = of[name] + gradient if name in of else gradient
    d_weights = [of[name] for name in job.names.split()]
    return found.x.reshape(job.x.shape), found.state, d_weights


# ---- vectors that depend on parameters alone: one step of one row


def _weights(known: Known, job: Job) -> dict[str, Tensor]:
    """Return the weights by name, those given and those computed."""
    named = dict(zip(job.names.split(), job.weights, strict=True))
    if known.parameters is None:
        return named
    bound, inputs = _parameters(known.parameters, named, job.x)
    after = bound.forward(inputs).state
    return named | {name: part[0] for name, part in zip(_computed(known.parameters), after, strict=True)}


def _gradients_of_parameters(
    known: Known, weights: dict[str, Tensor], gradients: dict[str, Tensor], x: Tensor
) -> dict[str, Tensor]:
    """Return what the gradients of computed vectors are for the weights that they were computed from."""
    bound, inputs = _parameters(known, weights, x)
    kept = bound.forward(inputs, keep=True).kept
    assert kept is not None
    d_final = [gradients[name][None] for name in _computed(known)]
    d_y = x.new_zeros(1, sum(d.shape[1] for d in d_final))
    return backward(bound, inputs, kept, d_y, d_final).weights


def _parameters(known: Known, weights: dict[str, Tensor], x: Tensor) -> tuple[Bound, Inputs]:
    width = dict(zip(known.program.width_letters, known.sizes.widths, strict=True))
    state = [x.new_zeros(1, width[letter]) for _, letter in known.program.states]
    rows, _ = _cached_rows(1, 1, None, False)
    return _bound(known, weights, x), Inputs(x.new_zeros(1, 1), state, (), rows, False, 1, 1)


def _computed(known: Known) -> list[str]:
    return [f"p_{name}" for name in known.program.state_names]


# ---- what the core is given


def _bound(known: Known, weights: dict[str, Tensor], x: Tensor) -> Bound:
    used = {name: weights[name] for name in known.weights}
    return Bound(known.step, known.sizes, used, _arrays(x.dtype), threads())


@lru_cache(maxsize=4)
def _arrays(dtype: torch.dtype) -> Arrays:
    return Arrays(
        lambda shape: torch.empty(shape, dtype=dtype),
        lambda shape: torch.zeros(shape, dtype=dtype),
        Tensor.clone,
        lambda count: torch.utils.dlpack.from_dlpack(scratch(dtype.itemsize, count)),
        Tensor.data_ptr,
        dtype.itemsize,
    )


def _inputs(job: Job, rows: Any, ragged: bool) -> Inputs:
    steps, batch, _ = job.x.shape
    return Inputs(job.x, job.state, job.streams, rows, ragged, steps * batch, batch)


def _rows(job: Job) -> tuple[Any, bool]:
    """Return the core's description of the rows (None: there are none), and whether some sequence is shorter than T."""
    lengths = None if job.lengths is None else job.lengths.numpy().tobytes()
    return _cached_rows(job.x.shape[0], job.x.shape[1], lengths, job.reverse)


@lru_cache(maxsize=16)
def _cached_rows(steps: int, batch: int, lengths: bytes | None, reverse: bool) -> tuple[Any, bool]:
    given = None if lengths is None else np.frombuffer(lengths, np.int64)
    packing = Packing.of(steps, batch, checked_lengths(OWNER, given, steps, batch), reverse)
    return rows_of(packing) if packing.counts else None, not packing.is_full


# ---- sizes and checks


def _checked(job: Job) -> Job:
    """Return a job with contiguous tensors. Raises ShapeError for types or devices that differ."""
    x, lengths = job.x, job.lengths
    if x.dim() != 3:
        shapes.expect(OWNER, "x", x, "T B D")
    for part in (*job.state, *job.weights, *job.streams):
        if part.dtype is not x.dtype or not part.is_cpu:
            came = f"{part.dtype} on {part.device}"
            raise ShapeError(f"{OWNER} expected state, weights and streams of {x.dtype} on the CPU, as x, got {came}.")
    if lengths is not None and (lengths.dtype is not torch.int64 or lengths.dim() != 1 or not lengths.is_cpu):
        raise ShapeError(f"{OWNER} expected lengths [B] of torch.int64 on the CPU, got {lengths.dtype}.")
    return Job(
        x.contiguous(),
        [part.contiguous() for part in job.state],
        [part.contiguous() for part in job.weights],
        [part.contiguous() for part in job.streams],
        job.program,
        job.names,
        None if lengths is None else lengths.contiguous(),
        job.reverse,
        job.checkpoint_steps,
        job.wanted,
    )


_KNOWN: dict[Any, Known] = {}


def _known(job: Job) -> Known:
    """Return the program with its sizes. Raises ShapeError when the tensors' shapes do not fit it."""
    parts = (*job.state, *job.weights, *job.streams)
    # Streams are rare, and alone in making the number of steps a part of the key.
    over_steps = job.x.shape if job.streams else job.x.shape[1:]
    key = (job.program, job.names, tuple(job.wanted), len(job.state), over_steps, *(part.shape for part in parts))
    found = _KNOWN.get(key)
    if found is None:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        found = _KNOWN[key] = _new_known(job)
    return found


def _new_known(job: Job) -> Known:
    program = program_of(job.program)
    named = _named(program, job)
    widths = _checked_widths(program, named, job)
    parts = hoisted(program)
    step = compiled(parts.step, _constant(parts.step, job.wanted))
    sizes = sizes_of(parts.step, widths, named, job.x.shape[-1])
    parameters = None
    if parts.parameters is not None:
        letters = parts.parameters.width_letters
        own = Sizes(tuple(widths[letter] for letter in letters), 1, 1)
        names = _names(parts.parameters, named)
        parameters = Known(parts.parameters, compiled(parts.parameters), own, names, None)
        named |= dict.fromkeys(_computed(parameters), job.x)
    return Known(program, step, sizes, _names(parts.step, named), parameters)


@lru_cache(maxsize=256)
def program_of(text: str) -> Program:
    """Return the program of a text."""
    return Program.from_text(text)


def _names(program: Program, given: dict[str, Tensor]) -> tuple[str, ...]:
    shapes = program.weight_shapes(1, dict.fromkeys(program.width_letters, 1))
    return tuple(name for name in shapes if name in given)


def _constant(step: Program, wanted: Sequence[bool]) -> frozenset[str]:
    """Return the states that no step changes and of which no gradient is wanted."""
    return frozenset(
        name
        for name, slot, is_wanted in zip(step.state_names, step.results, wanted, strict=False)
        if step.instructions[slot][::2] == ("state", name) and not is_wanted
    )


def _output_width(known: Known, job: Job) -> int:
    names = known.program.state_names
    return sum(job.state[names.index(name)].shape[1] for name in known.program.output)


def _named(program: Program, job: Job) -> dict[str, Tensor]:
    """Return the weights by name. Raises ShapeError when they are not those of the program."""
    names = job.names.split()
    expected = program.weight_shapes(1, dict.fromkeys(program.width_letters, 1))
    missing = [name for name in expected if name not in names and name not in ("W_bias", "R_bias")]
    if missing or len(names) != len(job.weights) or not set(names) <= set(expected):
        raise ShapeError(f"{OWNER} expected the weights {' '.join(expected)}, got {job.names} and {len(job.weights)}.")
    return dict(zip(names, job.weights, strict=True))


def _checked_widths(program: Program, named: dict[str, Tensor], job: Job) -> dict[str, int]:
    """Return the size of each width letter. Raises ShapeError when some tensor has another shape."""
    x, batch = job.x, job.x.shape[1]
    if (len(job.state), len(job.streams)) != (len(program.states), len(program.streams)):
        raise ShapeError(
            f"{OWNER} expected {len(program.states)} states and {len(program.streams)} streams, "
            f"got {len(job.state)} and {len(job.streams)}."
        )
    streams = {name: stream for (name, _), stream in zip(program.streams, job.streams, strict=True)}
    for name, weight in named.items():
        shapes.expect(OWNER, name, weight, "rows columns" if name[:2] in ("W", "R", "M_") else "width")
    widths = program.measured_widths(named, job.state, streams, x)
    heads = 1
    if "R" in named:
        heads = widths[program.recurrent_width] // max(named["R"].shape[1], 1)
    for name, shape in program.weight_shapes(x.shape[2], widths, heads=max(heads, 1)).items():
        if name in named:
            shapes.expect(OWNER, name, named[name], " ".join(map(str, shape)))
    for (name, letter), part in zip(program.states, job.state, strict=True):
        shapes.expect(OWNER, f"state {name!r}", part, f"B {letter}", **{"B": batch, letter: widths[letter]})
    for name, letter in program.streams:
        sizes = {"T": x.shape[0], "B": batch, letter: widths[letter]}
        shapes.expect(OWNER, f"stream {name!r}", streams[name], f"T B {letter}", **sizes)
    return widths
