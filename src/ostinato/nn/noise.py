"""What a layer draws in training: masks for recurrent dropout and zoneout, over rewritten programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..errors import OptionError, closest
from ..program import Program
from ..program.rewrite import expected_zoneout, recurrent_dropout, zoneout


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
        kept = 1.0 - self.dropped
        further = self.training.states[self.own_states :]
        return [like.new_empty(batch, widths[width]).bernoulli_(kept).div_(kept) for _, width in further]

    def streams(self, widths: Mapping[str, int], steps: int, batch: int, like: Tensor) -> dict[str, Tensor]:
        """Draw a stream [T, B, width] for each state with zoneout: 1 where the old value is kept, else 0."""
        return {
            name: like.new_empty(steps, batch, widths[width]).bernoulli_(self.kept[name])
            for name, width in self.training.streams
        }


def checked_probability(name: str, p: float) -> float:
    """Return a probability of dropping. Raises OptionError unless it is a number of at least 0 and less than 1."""
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0.0 <= p < 1.0:
        raise OptionError(f"{name} must be at least 0 and less than 1, not {p!r}.")
    return p
