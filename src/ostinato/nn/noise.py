"""What a layer draws in training: masks for dropout, and for recurrent dropout and zoneout over rewritten programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..engine.torch import refuse_transforms
from ..errors import OptionError, closest
from ..program import Program
from ..program.rewrite import expected_zoneout, recurrent_dropout, zoneout

BITS = 16
"""Random bits that an element of a mask is drawn from."""
COARSE = 1 / 64
"""The least probability of either outcome that is drawn from those bits: it is then met to 5 parts in 10,000."""


@dataclass(frozen=True)
class Noise:
    """A cell's program with recurrent dropout and zoneout, in training and in evaluation.

    training: takes masks as states after the cell's own (`masks`), and streams (`streams`). evaluation: takes neither.
    dropped: probability of dropping an element of what enters R. kept: of keeping an element's old value, by state.
    own_states: how many states are the cell's own.
    """

    training: Program
    evaluation: Program
    dropped: float
    kept: Mapping[str, float]
    own_states: int

    @classmethod
    def of(cls, program: Program, dropped: float, kept: Mapping[str, float]) -> Noise:
        """Return the noise of a layer. Raises OptionError for values that mean nothing to the program."""
        checked_probability("recurrent_dropout", dropped)
        if dropped and not program.recurrent_gates:
            raise OptionError(
                "recurrent_dropout drops what enters recurrent matrices, but this cell has none.", "leave it out."
            )
        if not isinstance(kept, Mapping):
            raise OptionError(
                f"zoneout must be a probability for each state, not {kept!r:.60}.",
                f"write zoneout={{{program.state_names[0]!r}: 0.05}}.",
            )
        for name, p in kept.items():
            if name not in program.state_names:
                raise OptionError(f"zoneout names {name!r}, no state.", closest(str(name), program.state_names))
            checked_probability(f"zoneout[{name!r}]", p)
        kept = {name: kept[name] for name in program.state_names if kept.get(name)}
        training = recurrent_dropout(program) if dropped else program
        if kept:
            training, evaluation = zoneout(training, kept), expected_zoneout(program, kept)
        else:
            evaluation = program
        return cls(training, evaluation, dropped, kept, len(program.states))

    def masks(self, widths: Mapping[str, int], batch: int, like: Tensor) -> list[Tensor]:
        """Draw a mask [B, width] for each argument of a recurrent product: 0, or 1/(1 - p) where it is not dropped."""
        further = self.training.states[self.own_states :]
        return [_scaled_mask(self.dropped, (batch, widths[width]), like) for _, width in further]

    def streams(self, widths: Mapping[str, int], steps: int, batch: int, like: Tensor) -> dict[str, Tensor]:
        """Draw a stream [T, B, width] for each state with zoneout: 1 where the old value is kept, else 0."""
        return {
            name: drawn(self.kept[name], (steps, batch, widths[width]), like) for name, width in self.training.streams
        }


def checked_probability(name: str, p: float) -> float:
    """Return a probability of dropping. Raises OptionError unless it is a number of at least 0 and less than 1."""
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0.0 <= p < 1.0:
        raise OptionError(f"{name} must be at least 0 and less than 1, not {p!r}.")
    return p


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Return x with elements dropped with probability p and the others scaled by 1/(1 - p), as torch's function."""
    if not (training and 0 < p < 1 and _is_plain(x)):
        return nn.functional.dropout(x, p, training)
    return x * _scaled_mask(p, x.shape, x)


def _scaled_mask(p: float, shape: Sequence[int], like: Tensor) -> Tensor:
    return drawn(1.0 - p, shape, like).div_(1.0 - p)


def drawn(p: float, shape: Sequence[int], like: Tensor) -> Tensor:
    """Draw ones with probability p and zeros else, of the type and device of `like`.

    On the CPU four elements take one number of torch's generator, whose own `bernoulli_` takes eight times as long; p
    is then met to 2⁻¹⁷. A p that this is too coarse for, near 0 or 1, is left to `bernoulli_`.
    """
    if not (COARSE <= p <= 1 - COARSE and _is_plain(like)):
        return like.new_empty(shape).bernoulli_(p)
    count = math.prod(shape)
    numbers = torch.randint(-(2**63), 2**63 - 1, (-(-count * BITS // 64),))
    bits = numbers.view(torch.int16)[:count].view(shape)
    return torch.lt(bits, round(p * 2**BITS) - 2 ** (BITS - 1)).to(like.dtype)


def _is_plain(x: Tensor) -> bool:
    """Whether x is on the CPU and under no transform of torch.func, which draws by rules of its own."""
    return x.device.type == "cpu" and (torch.compiler.is_compiling() or refuse_transforms("masks") is None)
