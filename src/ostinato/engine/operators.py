"""The core as torch operators, so that autograd, torch.compile and torch.export carry it.

``ostinato::sequence`` runs a step over time, ``ostinato::sequence_backward`` takes its gradients. The
step travels as text: its program and the names of its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

from ..program import Program
from . import torch as interpreted
from .backward import backward
from .bound import Arrays, Bound, Inputs
from .call import Call
from .compiled import compiled
from .core import hoisted, rows_of, scratch, sizes_of, threads
from .packing import Packing

SEQUENCE = (
    "sequence(Tensor x, Tensor[] state, Tensor[] weights, Tensor[] streams, str step, Tensor? lengths, "
    "bool reverse, int checkpoint_steps, bool keep) -> (Tensor, Tensor[], Tensor)"
)
BACKWARD = (
    "sequence_backward(Tensor x, Tensor[] state, Tensor[] weights, Tensor[] streams, str step, Tensor? lengths, "
    "bool reverse, int checkpoint_steps, Tensor kept, Tensor d_y, Tensor[] d_final) -> (Tensor, Tensor[], Tensor[])"
)
LIBRARY: Any = torch.library.Library("ostinato", "DEF")  # type: ignore[no-untyped-call]


class Step(NamedTuple):
    """What a step's text says: its program, the names of its weights, and states without a gradient."""

    program: Program
    weights: tuple[str, ...]
    constant: frozenset[str]


@lru_cache(maxsize=1024)
def text_of(step: Step) -> str:
    """Return the canonical text of a step."""
    data = [step.program.to_data(), list(step.weights), sorted(step.constant)]
    return msgspec.json.encode(data).decode()


@lru_cache(maxsize=1024)
def _step_of(text: str) -> Step:
    program, weights, constant = msgspec.json.decode(text)
    return Step(Program.from_data(program), tuple(weights), frozenset(constant))


# ---- the candidate


def refuse(call: Call) -> str | None:
    """Return why the operators cannot run a call on tensors, or None."""
    if call.x.device.type != "cpu":
        return f"x is on {call.x.device.type}, and it runs on the CPU"
    if type(call.x) is not Tensor or call.x.layout is not torch.strided:
        return "x is no plain dense tensor"
    if _wants_gradients(call):
        parts = hoisted(call.program)
        for part in (parts.parameters, parts.step):
            if part is not None and (reason := compiled(part).too_large):
                return f"its derivative is too large: {reason}"
    return interpreted.refuse_transforms("the core's operators")


def _wants_gradients(call: Call) -> bool:
    return torch.is_grad_enabled() and any(part.requires_grad for part in (call.x, *call.weights.values()))


def run(call: Call, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Run a call; return y [T, B, O] and the state after it."""
    parts = hoisted(call.program)
    weights = dict(call.weights)
    if parts.parameters is not None:
        widths = call.program.measured_widths(weights, state, call.streams, call.x)
        weights |= _computed(parts.parameters, weights, widths, call.x)
    used = _names_of_weights(parts.step)
    weights = {name: weight for name, weight in weights.items() if name in used}
    lengths = None if call.packing.is_full else torch.from_numpy(call.packing.lengths)
    streams = [call.streams[name].contiguous() for name, _ in parts.step.streams]
    return _sequence(
        parts.step, weights, call.x, state, streams, lengths, call.packing.is_reversed, call.checkpoint_steps
    )


def _names_of_weights(program: Program) -> frozenset[str]:
    return frozenset(program.weight_shapes(1, dict.fromkeys(program.width_letters, 1)))


def _computed(program: Program, weights: dict[str, Tensor], widths: Any, like: Tensor) -> dict[str, Tensor]:
    """Return the vectors that depend on parameters alone: one step of one row, with its gradients."""
    names = _names_of_weights(program)
    given = {name: weight for name, weight in weights.items() if name in names}
    zeros = [like.new_zeros(1, widths[width]) for _, width in program.states]
    _, after = _sequence(program, given, like.new_zeros(1, 1, 1), zeros, [], None, False, None)
    return {f"p_{name}": part[0] for name, part in zip(program.state_names, after, strict=True)}


def _sequence(
    program: Program,
    weights: dict[str, Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    streams: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    checkpoint_steps: int | None,
) -> tuple[Tensor, list[Tensor]]:
    given = [*weights.values(), *state]
    keep = torch.is_grad_enabled() and (x.requires_grad or any(part.requires_grad for part in given))
    constant = frozenset(
        name
        for name, slot, part in zip(program.state_names, program.results, state, strict=True)
        if program.instructions[slot][::2] == ("state", name) and not part.requires_grad
    )
    text = text_of(Step(program, tuple(weights), constant))
    y, final, _ = torch.ops.ostinato.sequence(
        x.contiguous(),
        [part.contiguous() for part in state],
        [weight.contiguous() for weight in weights.values()],
        list(streams),
        text,
        lengths,
        reverse,
        checkpoint_steps or 0,
        keep,
    )
    return y, final


# ---- the operators on the CPU


def _arrays(like: Tensor) -> Arrays:
    dtype = like.dtype
    return Arrays(
        lambda shape: torch.empty(shape, dtype=dtype),
        lambda shape: torch.zeros(shape, dtype=dtype),
        lambda count: torch.from_dlpack(scratch(dtype.itemsize, count)),
        Tensor.data_ptr,
        like.element_size(),
    )


def _bound(
    step: Step, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor], streams: Sequence[Tensor]
) -> Bound:
    named = dict(zip(step.weights, weights, strict=True))
    by_name = dict(zip((name for name, _ in step.program.streams), streams, strict=True))
    widths = step.program.measured_widths(named, state, by_name, x)
    sizes = sizes_of(step.program, widths, named, x.shape[-1])
    return Bound(compiled(step.program, step.constant), sizes, named, _arrays(x), threads())


@lru_cache(maxsize=64)
def _full_rows(steps: int, batch: int, reverse: bool) -> Any:
    return rows_of(Packing.of(steps, batch, None, reverse))


def _inputs(
    x: Tensor, state: Sequence[Tensor], streams: Sequence[Tensor], lengths: Tensor | None, reverse: bool
) -> Inputs:
    steps, batch, _ = x.shape
    if lengths is None:
        rows = _full_rows(steps, batch, reverse)
    else:
        rows = rows_of(Packing.of(steps, batch, lengths.numpy(), reverse))
    flat = [stream.reshape(steps * batch, -1) for stream in streams]
    return Inputs(x.reshape(steps * batch, -1), state, flat, rows, lengths is not None, steps * batch, batch)


def _run(
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    streams: list[Tensor],
    step: str,
    lengths: Tensor | None,
    reverse: bool,
    checkpoint_steps: int,
    keep: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    bound = _bound(_step_of(step), x, state, weights, streams)
    result = bound.forward(_inputs(x, state, streams, lengths, reverse), checkpoint_steps or None, keep)
    kept = result.kept.memory if result.kept else x.new_empty(0)
    return result.y.reshape(*x.shape[:2], -1), result.state, kept


def _run_backward(
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    streams: list[Tensor],
    step: str,
    lengths: Tensor | None,
    reverse: bool,
    checkpoint_steps: int,
    kept: Tensor,
    d_y: Tensor,
    d_final: list[Tensor],
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    known = _step_of(step)
    bound = _bound(known, x, state, weights, streams)
    inputs = _inputs(x, state, streams, lengths, reverse)
    flat = d_y.contiguous().reshape(inputs.positions, -1)
    gradients = backward(bound, inputs, bound.kept(inputs, checkpoint_steps or None, kept), flat, d_final)
    return gradients.x.reshape(x.shape), gradients.state, [gradients.weights[name] for name in known.weights]


# ---- shapes alone, for torch.compile


def _run_fake(
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    streams: list[Tensor],
    step: str,
    lengths: Tensor | None,
    reverse: bool,
    checkpoint_steps: int,
    keep: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    program = _step_of(step).program
    width = sum(state[program.state_names.index(name)].shape[1] for name in program.output)
    size = torch.library.get_ctx().new_dynamic_size() if keep else 0
    final = [torch.empty_like(part, memory_format=torch.contiguous_format) for part in state]
    return x.new_empty(x.shape[0], x.shape[1], width), final, x.new_empty(size)


def _run_backward_fake(
    x: Tensor, state: list[Tensor], weights: list[Tensor], *_: Any
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    return torch.empty_like(x), [torch.empty_like(part) for part in state], [torch.empty_like(w) for w in weights]


# ---- gradients


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
    x, state, weights, streams, step, lengths, reverse, checkpoint_steps, _ = inputs
    _, _, kept = output
    ctx.counts = (len(state), len(weights), len(streams))
    ctx.rest = (step, reverse, checkpoint_steps)
    ctx.lengths = lengths
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, *state, *weights, *streams, kept)


def _backward(ctx: Any, d_y: Tensor | None, d_final: list[Tensor | None], _: Any) -> tuple[Any, ...]:
    x, *parts, kept = ctx.saved_tensors
    states, weight_count, _ = ctx.counts
    state, weights, streams = parts[:states], parts[states : states + weight_count], parts[states + weight_count :]
    step, reverse, checkpoint_steps = ctx.rest
    if torch.is_grad_enabled():
        gradients = _differentiable(ctx, x, state, weights, streams, d_y, d_final)
    else:
        known = _step_of(step).program
        width = sum(state[known.state_names.index(name)].shape[1] for name in known.output)
        d_y = x.new_zeros(*x.shape[:2], width) if d_y is None else d_y
        final = [torch.zeros_like(part) if d is None else d for part, d in zip(state, d_final, strict=True)]
        gradients = torch.ops.ostinato.sequence_backward(
            x, state, weights, streams, step, ctx.lengths, reverse, checkpoint_steps, kept, d_y, final
        )
    d_x, d_state, d_weights = gradients
    return d_x, d_state, d_weights, [None] * len(streams), None, None, None, None, None


def _differentiable(
    ctx: Any,
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    streams: list[Tensor],
    d_y: Tensor | None,
    d_final: list[Tensor | None],
) -> tuple[Any, Any, Any]:
    """Return gradients that have gradients of their own: those of the interpreter over torch."""
    text, reverse, _ = ctx.rest
    step = _step_of(text)
    lengths = None if ctx.lengths is None else ctx.lengths.numpy()
    given = [x, *state, *weights]
    wanted = [part for part in given if part.requires_grad]
    call = Call(
        step.program,
        dict(zip(step.weights, weights, strict=True)),
        x,
        Packing.of(x.shape[0], x.shape[1], lengths, reverse),
        dict(zip((name for name, _ in step.program.streams), streams, strict=True)),
    )
    y, final = interpreted.run(call, state)
    pairs = [
        (out, d) for out, d in zip([y, *final], [d_y, *d_final], strict=True) if d is not None and out.requires_grad
    ]
    found = torch.autograd.grad(
        [out for out, _ in pairs], wanted, [d for _, d in pairs], create_graph=True, allow_unused=True
    )
    of = {id(part): d for part, d in zip(wanted, found, strict=True)}
    d_x, *others = [of.get(id(part)) for part in given]
    return d_x, others[: len(state)], others[len(state) :]


def _register() -> None:
    for schema, function, fake in ((SEQUENCE, _run, _run_fake), (BACKWARD, _run_backward, _run_backward_fake)):
        name = schema.split("(")[0]
        LIBRARY.define(schema)
        LIBRARY.impl(name, function, "CPU")
        torch.library.register_fake(f"ostinato::{name}", fake, lib=LIBRARY)
    torch.library.register_autograd("ostinato::sequence", _backward, setup_context=_setup, lib=LIBRARY)


_register()
