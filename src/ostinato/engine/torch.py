"""The interpreter over torch: the reference. Differentiable any number of times, on any device and dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .call import Call
from .interpreter import Interpreter, Library
from .rows import run_over_rows

DESCRIPTION = "the program, interpreted over torch"


def _index(like: Tensor, index: Any) -> Tensor:
    return torch.from_numpy(index).to(like.device)


LIBRARY = Library(
    operations={
        "add": torch.add,
        "subtract": torch.sub,
        "multiply": torch.mul,
        "divide": torch.div,
        "negate": torch.neg,
        "less": torch.lt,
        "less_equal": torch.le,
        "greater": torch.gt,
        "greater_equal": torch.ge,
        "equal": torch.eq,
        "not_equal": torch.ne,
        "where": torch.where,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "exp": torch.exp,
        "log": torch.log,
        # torch's softplus turns linear above a threshold, which costs accuracy and a derivative.
        "softplus": lambda v: torch.logaddexp(v, torch.zeros_like(v)),
        "sqrt": torch.sqrt,
        "square": torch.square,
        "abs": torch.abs,
        "sin": torch.sin,
        "cos": torch.cos,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
    },
    reductions={"sum": lambda v: v.sum(dim=-1, keepdim=True)},
    einsum=torch.einsum,
    rows=lambda parts: torch.cat(list(parts)),
    columns=lambda parts: torch.cat(list(parts), dim=-1),
    split_rows=lambda array, sizes: array.split(list(sizes), dim=0),
    split_columns=lambda array, sizes: array.split(list(sizes), dim=-1),
    constant=lambda value, like: like.new_tensor(value),
    zeros=lambda shape, like: like.new_zeros(shape),
    take=lambda array, index: array.index_select(0, _index(array, index)),
    put=lambda rows, index, size: rows.new_zeros((size, *rows.shape[1:])).index_copy(0, _index(rows, index), rows),
)


def refuse_transforms(who: str) -> str | None:
    """Return why `who`, which knows plain tensors only, cannot run what torch is doing to its tensors now, or None."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return f"{who} do not know torch.func's transforms"
    if torch.autograd.forward_ad._current_level >= 0:
        return f"{who} have no forward-mode derivative"
    return None


def refuse(call: Call) -> str | None:
    """Never refuses tensors."""
    return None


def run(call: Call, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Run a call; return y [T, B, O] and the state after it."""
    return run_over_rows(call, state, LIBRARY, _run_rows)


def _run_rows(
    call: Call, rows: Tensor, counts: Sequence[int], state: Sequence[Tensor], streams: Mapping[str, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Run a call over packed rows of x and of each stream."""
    return Interpreter(call.program, call.weights, LIBRARY, rows).sequence(rows, counts, state, streams)
