"""The core as torch operators, so that autograd, torch.compile and torch.export carry it.

``ostinato::sequence`` runs a program over time, ``ostinato::sequence_backward`` takes its gradients. The program
travels as its text, its weights by their names. Where there is no core for a tensor, the other candidates run inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..program import Program
from . import dispatch, kernels
from . import torch as interpreted
from .call import Call
from .compiled import compiled
from .core import hoisted, missing
from .kernels import Job, program_of
from .operator_gradients import (
    call_of,
    differentiable_backward,
    differentiable_sequence,
    gradients_of,
    is_watched,
    run_at_once,
)

GIVEN = (
    "Tensor x, Tensor[] state, Tensor[] weights, Tensor[] streams, str program, str names, Tensor? lengths, "
    "bool reverse, int checkpoint_steps, bool[] wanted"
)
"""What both operators are given.

x [T, B, D], state [B, width] each, streams [T, B, width] each, as the program orders them. names: of the weights, with
spaces between. lengths [B]: whole numbers; None: all T. checkpoint_steps: 0 for none. wanted: for each state, whether
its gradient is; nothing at all where no gradient is wanted of anything, so that nothing is kept. Autograd sets it.
"""
SCHEMAS = {
    "sequence": f"({GIVEN}) -> (Tensor, Tensor[], Tensor)",
    "sequence_backward": f"({GIVEN}, Tensor kept, Tensor d_y, Tensor[] d_final) -> (Tensor, Tensor[], Tensor[])",
}
LIBRARY: Any = torch.library.Library("ostinato", "DEF")  # type: ignore[no-untyped-call]
for _name, _schema in SCHEMAS.items():
    LIBRARY.define(_name + _schema)
SEQUENCE: Any = torch.ops.ostinato.sequence.default


# ---- the candidate


def refuse(call: Call) -> str | None:
    """Return why the operators cannot run a call on tensors, or None."""
    x = call.x
    if x.device.type != "cpu":
        return f"x is on {x.device.type}, and it runs on the CPU"
    if type(x) is not Tensor or x.layout is not torch.strided:
        return "x is no plain dense tensor"
    if torch.is_grad_enabled():
        if any(stream.requires_grad for stream in call.streams.values()):
            return "it has no gradients of streams"
        if reason := _too_large(call.program):
            return f"its derivative is too large: {reason}"
    return interpreted.refuse_transforms("the core's operators")


def _too_large(program: Program) -> str | None:
    parts = hoisted(program)
    reasons = [compiled(part).too_large for part in (parts.parameters, parts.step) if part is not None]
    return next((reason for reason in reasons if reason), None)


def run(call: Call, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Run a call; return y [T, B, O] and the state after it."""
    lengths = None if call.packing.is_full else torch.from_numpy(call.packing.lengths)
    reverse, every = call.packing.is_reversed, call.checkpoint_steps
    job = _job(call.program, call.weights, call.x, state, lengths, reverse, call.streams, every)
    y, final, _ = SEQUENCE(*job) if is_watched() else run_at_once(job)
    return y, final


def traced(
    program: Program,
    weights: Mapping[str, Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    streams: Mapping[str, Tensor],
    checkpoint_steps: int | None,
) -> tuple[Tensor, list[Tensor]]:
    """Run a program through its operator. torch.compile reads this, and goes no deeper."""
    y, final, _ = SEQUENCE(*_job(program, weights, x, state, lengths, reverse, streams, checkpoint_steps))
    return y, final


def _job(
    program: Program,
    weights: Mapping[str, Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    streams: Mapping[str, Tensor],
    checkpoint_steps: int | None,
) -> Job:
    ordered = [streams[name] for name, _ in program.streams]
    tensors = (x, list(state), list(weights.values()), ordered)
    return Job(*tensors, program.text, " ".join(weights), lengths, reverse, checkpoint_steps or 0, [])


# ---- the operators on tensors


def _has_core(x: Tensor) -> bool:
    return x.device.type == "cpu" and missing() is None and x.dtype in (torch.float32, torch.float64)


def _run(*given: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    job = Job(*given)
    if _has_core(job.x):
        return kernels.run(job)
    y, final = dispatch.run(call_of(job), job.state)
    return y, final, job.x.new_empty(0)


def _run_backward(*given: Any) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    *first, kept, d_y, d_final = given
    job = Job(*first)
    if _has_core(job.x):
        return kernels.run_back(job, kept, d_y, d_final)
    leaves = [part.detach().requires_grad_() for part in (job.x, *job.state, *job.weights)]
    end = 1 + len(job.state)
    with _autograd_once_more():
        job = job._replace(x=leaves[0], state=leaves[1:end], weights=leaves[end:])
        found = gradients_of(dispatch.run, job, d_y, d_final)
    dense = [torch.zeros_like(leaf) if d is None else d.detach() for leaf, d in zip(leaves, found, strict=True)]
    return dense[0], dense[1:end], dense[end:]


@contextmanager
def _autograd_once_more() -> Iterator[None]:
    """Inside an operator, which runs below autograd, let autograd see what happens."""
    nothing = torch._C.DispatchKeySet(torch._C.DispatchKey.Undefined)
    included = torch._C._dispatch_tls_local_include_set()
    with torch._C._ForceDispatchKeyGuard(included, nothing), torch.enable_grad():
        yield


# ---- shapes alone, for torch.compile


def _run_fake(*given: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    job = Job(*given)
    x, program = job.x, program_of(job.program)
    width = sum(job.state[program.state_names.index(name)].shape[1] for name in program.output)
    kept = torch.library.get_ctx().new_dynamic_size() if job.wanted else 0
    return x.new_empty(x.shape[0], x.shape[1], width), _like(job.state), x.new_empty(kept)


def _run_backward_fake(*given: Any) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    *first, _, _, _ = given
    job = Job(*first)
    return job.x.new_empty(job.x.shape), _like(job.state), _like(job.weights)


def _like(parts: Sequence[Tensor]) -> list[Tensor]:
    return [part.new_empty(part.shape) for part in parts]


def _register(name: str, function: Any, differentiable: Any, fake: Any) -> None:
    LIBRARY.impl(name, function, "CompositeExplicitAutograd")
    LIBRARY.impl(name, differentiable, "Autograd", with_keyset=True)
    torch.library.register_fake(f"ostinato::{name}", fake, lib=LIBRARY)


_register("sequence", _run, differentiable_sequence, _run_fake)
_register("sequence_backward", _run_backward, differentiable_backward, _run_backward_fake)
