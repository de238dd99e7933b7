"""When a number is no longer finite: a run stops and says in which batch, or goes back to its last good point."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import TrainingError
from .point import put
from .report import Report

if TYPE_CHECKING:
    from .loop import Run

MOST_BACKS = 5
"""How often a run goes back, each time with half the learning rate, before it stops."""
MOST_NAMES = 3
"""Parts of a batch that a message names; the log names all."""
Names = Callable[[int], Sequence[str]]
"""Of a step's number, counted from 0: what its batch is made of, each part by a name that people can look up."""


class NotFinite(TrainingError):
    """A number that training depends on is infinite or none.

    what: the number. step: the steps done then, this one counted. batch: the number of the batch that caused it,
    counted from 0; None where it is no batch's.
    """

    def __init__(self, what: str, value: float, step: int, batch: int | None) -> None:
        super().__init__(f"{what} is no longer a finite number at step {step:,} ({value}).")
        self.what, self.value, self.step, self.batch = what, value, step, batch


def check_finite(what: str, value: float, step: int, batch: int | None = None) -> None:
    """Raise NotFinite unless a number is finite."""
    if not math.isfinite(value):
        raise NotFinite(what, value, step, batch)


def error_of(failure: NotFinite, names: Names | None, report: Report, is_kept: bool, backs: int) -> TrainingError:
    """Return the error that ends a run: what happened, in which batch, and how to go on; the log has all names.

    is_kept: whether there is a checkpoint. backs: how often the run went back before.
    """
    report.event("not_finite", step=failure.step, what=failure.what, batch=_names(failure, names))
    fact = described(failure, names)
    if backs:
        return TrainingError(
            f"{fact}, after {backs} returns to a good point with half the learning rate each.",
            "look at the data of that batch, or begin anew with a smaller --learning-rate.",
        )
    anew = "begin anew with a smaller --learning-rate."
    on = "go on from the last checkpoint with --resume --on-nan back, or" if is_kept else "use --on-nan back, or"
    return TrainingError(f"{fact}.", f"{on} {anew}")


def go_back(run: Run, failure: NotFinite, names: Names | None, report: Report) -> None:
    """Put a run back to its good point, with half the learning rate; it goes on with the batch after the failed one.

    The count of steps is not put back: the batch that failed is not read again, and the run ends when it would have.
    """
    good = run.good
    assert good is not None
    put(run, good.state_sizes, good.tensors)
    run.step, run.loss_sum, run.losses = failure.step, 0.0, 0
    run.backs += 1
    rate = f"{0.5**run.backs:g} of the learning rate"
    report.say(f"{described(failure, names)}: back to the point after step {good.step:,}, with {rate}")
    report.event("back", step=failure.step, to=good.step, what=failure.what, batch=_names(failure, names))


def described(failure: NotFinite, names: Names | None) -> str:
    """Return what happened and in which batch, without a full stop."""
    found = _names(failure, names)
    fact = failure.message.removesuffix(".")
    return f"{fact}, in the batch of {listed(found)}" if found else fact


def listed(names: Sequence[str]) -> str:
    """Return the first of some names and the number of the others."""
    shown = ", ".join(names[:MOST_NAMES])
    others = len(names) - MOST_NAMES
    return f"{shown} and {others:,} more" if others > 0 else shown


def _names(failure: NotFinite, names: Names | None) -> Sequence[str]:
    return names(failure.batch) if names and failure.batch is not None else []
