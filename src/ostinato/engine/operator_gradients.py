"""How autograd goes through the operators: once by the core, any further time by the interpreter over torch.

A kernel for torch's Autograd key, written out, since `torch.library.register_autograd` takes as long as a short run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import kernels
from . import torch as interpreted
from .call import Call
from .kernels import Job, program_of
from .packing import Packing

Run = Callable[[Call, Sequence[Tensor]], tuple[Tensor, list[Tensor]]]


class _Options(NamedTuple):
    """A job without its tensors; how many of them are states and weights; torch's keys, None for no operator."""

    states: int
    weights: int
    program: str
    names: str
    reverse: bool
    checkpoint_steps: int
    keys: Any

    def job(self, parts: Sequence[Tensor], lengths: Tensor | None, wanted: Sequence[bool]) -> Job:
        """Return the job whose x, states, weights and streams are `parts`."""
        x, *others = parts
        end = self.states + self.weights
        tensors = (x, others[: self.states], others[self.states : end], others[end:])
        return Job(*tensors, self.program, self.names, lengths, self.reverse, self.checkpoint_steps, wanted)


def differentiable_sequence(keys: Any, *given: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    """Run ``ostinato::sequence`` so that gradients flow.

    Raises RuntimeError for what has no gradient here, instead of passing over it.
    """
    job = Job(*given)
    _refuse_other_derivatives((job.x, *job.state, *job.weights, *job.streams))
    return _run(job, keys)


def run_at_once(job: Job) -> tuple[Tensor, list[Tensor], Tensor]:
    """Do the same on plain tensors of the core's, without the operator: calling one takes as long as a short run."""
    return _run(job, None)


def is_watched() -> bool:
    """Whether somebody is to see every operator: a dispatch mode of torch's, or torch.jit.trace."""
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._is_tracing()


def _run(job: Job, keys: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    parts = (job.x, *job.state, *job.weights, *job.streams)
    if not torch.is_grad_enabled() or not any(part.requires_grad for part in parts):
        return _below_autograd(job, keys)
    if any(stream.requires_grad for stream in job.streams):
        raise RuntimeError("ostinato::sequence has no gradients of streams; ostinato.engine.sequence has.")
    counts = len(job.state), len(job.weights)
    options = _Options(*counts, job.program, job.names, job.reverse, job.checkpoint_steps, keys)
    y, *final, kept = _Sequence.apply(options, job.lengths, *parts)  # type: ignore[no-untyped-call]
    return y, final, kept


def _below_autograd(job: Job, keys: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    if keys is None:
        return kernels.run(job)
    with torch._C._AutoDispatchBelowAutograd():
        result: tuple[Tensor, list[Tensor], Tensor] = _redispatched("sequence", keys, *job)
        return result


def differentiable_backward(keys: Any, *given: Any) -> Any:
    """Run ``ostinato::sequence_backward``. Raises RuntimeError where gradients of its results are asked for."""
    *first, _, d_y, d_final = given
    job = Job(*first)
    parts = (job.x, *job.state, *job.weights, *job.streams, d_y, *d_final)
    _refuse_other_derivatives(parts)
    if torch.is_grad_enabled() and any(part.requires_grad for part in parts):
        raise RuntimeError("ostinato::sequence_backward has no gradients; ostinato.engine.sequence has.")
    with torch._C._AutoDispatchBelowAutograd():
        return _redispatched("sequence_backward", keys, *given)


def _redispatched(name: str, keys: Any, *given: Any) -> Any:
    operator = getattr(torch.ops.ostinato, name).default
    return operator.redispatch(keys & torch._C._after_autograd_keyset, *given)


def _refuse_other_derivatives(parts: Sequence[Tensor]) -> None:
    """Raise RuntimeError for what would lose its derivative silently."""
    reason = interpreted.refuse_transforms("Ostinato's operators")
    if reason is None:
        return
    duals: Any = ()
    if forward_ad._current_level >= 0:
        duals = (forward_ad.unpack_dual(part).tangent for part in parts)  # type: ignore[no-untyped-call]
    if torch._C._functorch.peek_interpreter_stack() is not None or any(tangent is not None for tangent in duals):
        raise RuntimeError(f"{reason}; ostinato.engine.sequence does.")


class _Sequence(torch.autograd.Function):
    """Takes options, lengths, x, states, weights and streams; returns y, the state after it, and what is kept."""

    @staticmethod
    def forward(ctx: Any, options: _Options, lengths: Tensor | None, *parts: Tensor) -> tuple[Tensor, ...]:
        wanted = list(ctx.needs_input_grad[3 : 3 + options.states])
        y, final, kept = _below_autograd(options.job(parts, lengths, wanted), options.keys)
        ctx.options, ctx.wanted = options, wanted
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(kept)
        ctx.save_for_backward(lengths, kept, *parts)
        return (y, *final, kept)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        d_y, *d_final, _ = gradients
        lengths, kept, *parts = ctx.saved_tensors
        job = ctx.options.job(parts, lengths, ctx.wanted)
        found: Sequence[Tensor | None]
        if torch.is_grad_enabled():
            found = gradients_of(interpreted.run, job, d_y, d_final)
        else:
            at_once = ctx.options.keys is None and not is_watched()
            found = _by_core(job, kept, d_y, d_final, at_once)
        return (None, None, *found, *[None] * len(job.streams))


def _by_core(
    job: Job, kept: Tensor, d_y: Tensor | None, d_final: Sequence[Tensor | None], at_once: bool
) -> list[Tensor]:
    if d_y is None:
        program, x = program_of(job.program), job.x
        width = sum(job.state[program.state_names.index(name)].shape[1] for name in program.output)
        d_y = x.new_zeros(x.shape[0], x.shape[1], width)
    if at_once:
        d_x, d_state, d_weights = kernels.run_back(job, kept, d_y, d_final)
    else:
        final = [torch.zeros_like(part) if d is None else d for part, d in zip(job.state, d_final, strict=True)]
        d_x, d_state, d_weights = torch.ops.ostinato.sequence_backward.default(*job, kept, d_y, final)
    return [d_x, *d_state, *d_weights]


# ---- through autograd, by another candidate


def call_of(job: Job) -> Call:
    """Return what `engine.dispatch` takes."""
    program = program_of(job.program)
    steps, batch = job.x.shape[:2]
    lengths = None if job.lengths is None else job.lengths.cpu().numpy()
    return Call(
        program,
        dict(zip(job.names.split(), job.weights, strict=True)),
        job.x,
        Packing.of(steps, batch, lengths, job.reverse),
        dict(zip((name for name, _ in program.streams), job.streams, strict=True)),
        job.checkpoint_steps or None,
    )


def gradients_of(run: Run, job: Job, d_y: Tensor | None, d_final: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Return the gradients of x, of each state and each weight, None for zero, with gradients of their own.

    run: a candidate that autograd can follow.
    """
    # Views, since one tensor may be given in several places, each of which has a gradient.
    parts = [part.view_as(part) for part in (job.x, *job.state, *job.weights)]
    end = 1 + len(job.state)
    job = job._replace(x=parts[0], state=parts[1:end], weights=parts[end:])
    with torch.autocast(job.x.device.type, enabled=False):
        y, final = run(call_of(job), job.state)
    pairs = [(out, d) for out, d in zip((y, *final), (d_y, *d_final), strict=True) if d is not None]
    outputs, given = zip(*(pair for pair in pairs if pair[0].requires_grad), strict=True)
    wanted = [part for part in parts if part.requires_grad]
    found = iter(torch.autograd.grad(outputs, wanted, given, create_graph=True, allow_unused=True))
    return [next(found) if part.requires_grad else None for part in parts]
