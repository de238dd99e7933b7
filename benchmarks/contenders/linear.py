"""The linear recurrences, h_t = a_t h_{t-1} + b_t, in plain torch: their coefficients, and three ways to run them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from ostinato.program import Program
from ostinato.program.declarations import Instruction

DECAY_SCALE = 8.0
"""c in a = exp(-c softplus(Λ) r) of the RG-LRU (De et al. 2024)."""
PIECE = 64
"""Steps that the log-space scan sums at once."""


def with_diagonal_input(program: Program) -> Program:
    """Return the program with ``p.in_<gate> ⊙ x.raw`` in the place of each ``x.<gate>``: an input without a product."""
    raw, instructions, slots = 0, [Instruction("raw")], []
    for instruction in program.instructions:
        if instruction.operation == "raw":
            slots.append(raw)
            continue
        if instruction.operation == "input":
            instructions.append(Instruction("vector", (), f"in_{instruction.name}"))
            instructions.append(Instruction("multiply", (raw, len(instructions) - 1)))
        else:
            instructions.append(instruction._replace(arguments=tuple(slots[slot] for slot in instruction.arguments)))
        slots.append(len(instructions) - 1)
    return replace(
        program,
        gates=(),
        vectors=program.vectors + tuple((f"in_{gate}", "H") for gate in program.input_gates),
        instructions=tuple(instructions),
        results=tuple(slots[slot] for slot in program.results),
    )


def coefficients(cell: str, x: Mapping[str, Tensor], raw: Tensor, weights: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Return a and b [T, B, H], given the gates' inputs and the raw input over all steps."""
    if cell == "min_gru":
        z = torch.sigmoid(x["z"])
        return 1 - z, z * x["n"]
    log_a = -DECAY_SCALE * functional.softplus(weights["p_decay"]) * torch.sigmoid(x["r"])
    return torch.exp(log_a), torch.sqrt(-torch.expm1(2 * log_a)) * (torch.sigmoid(x["i"]) * raw)


def loop(a: Tensor, b: Tensor) -> Tensor:
    """Step by step."""
    h, outputs = torch.zeros_like(b[0]), []
    for a_t, b_t in zip(a.unbind(), b.unbind(), strict=True):
        h = torch.addcmul(b_t, a_t, h)
        outputs.append(h)
    return torch.stack(outputs)


def doubling(a: Tensor, b: Tensor) -> Tensor:
    """log2(T) passes, in each of which a step takes in as many steps again before it (Hillis & Steele 1986)."""
    reach, steps = 1, len(a)
    while reach < steps:
        b = torch.cat([b[:reach], torch.addcmul(b[reach:], a[reach:], b[:-reach])])
        a = torch.cat([a[:reach], a[reach:] * a[:-reach]])
        reach *= 2
    return b


def log_scan(z: Tensor, n: Tensor) -> Tensor:
    """The minGRU h_t = (1 - σ(z)) h_{t-1} + σ(z) n as cumulative sums of logarithms (Heinsen 2023).

    Every step is a mean of h and n, so a constant added to each n adds itself to each h: one that makes all
    values positive gives them logarithms. Pieces of `PIECE` steps are summed side by side, each from zero, and
    joined by a short loop: one sum over a thousand steps has lost the gradients' second digit in float32.
    """
    length = math.gcd(len(z), PIECE)
    shift = 1 - n.detach().min()
    log_decay = -functional.softplus(z).unflatten(0, (-1, length)).cumsum(dim=1)
    log_b = (torch.log(n + shift) - functional.softplus(-z)).unflatten(0, (-1, length))
    own = torch.exp(log_decay + torch.logcumsumexp(log_b - log_decay, dim=1))
    decay = torch.exp(log_decay)
    h, before = shift.expand(n.shape[1:]), []
    for decay_last, own_last in zip(decay[:, -1].unbind(), own[:, -1].unbind(), strict=True):
        before.append(h)
        h = torch.addcmul(own_last, decay_last, h)
    return torch.addcmul(own, decay, torch.stack(before)[:, None]).flatten(0, 1) - shift
