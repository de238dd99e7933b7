"""The interpreter over torch: the reference. Differentiable any number of times, on any device and dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .call import Call
from .interpreter import Interpreter, Library

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
    rows=lambda parts: torch.cat(list(parts)),
    columns=lambda parts: torch.cat(list(parts), dim=-1),
    split_rows=lambda array, sizes: array.split(list(sizes), dim=0),
    split_columns=lambda array, sizes: array.split(list(sizes), dim=-1),
    constant=lambda value, like: like.new_tensor(value),
    zeros=lambda shape, like: like.new_zeros(shape),
    take=lambda array, index: array.index_select(0, _index(array, index)),
    put=lambda rows, index, size: rows.new_zeros((size, *rows.shape[1:])).index_copy(0, _index(rows, index), rows),
)


def refuse(call: Call) -> str | None:
    """Never refuses tensors."""
    return None


def run(call: Call, rows: Tensor, counts: Sequence[int], state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Run a call over packed rows."""
    return Interpreter(call.program, call.weights, LIBRARY, rows).sequence(rows, counts, state)
