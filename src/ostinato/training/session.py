"""A run of training from beginning to end, whatever the task: plan, loop, checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from torch import nn

from .. import model_file
from ..errors import FileFormatError
from . import checkpoint
from .loop import Run, Units, start, train, weights_of
from .planning import TrainingOptions, planned_steps, settings_of
from .report import Report


class AnyPlan(Protocol):
    """What a task's run was set out to do: kept in its checkpoint, and not changed by going on from there."""

    @property
    def steps(self) -> int:
        """The training steps."""
        ...


Plan = TypeVar("Plan", bound=AnyPlan)


@dataclass(frozen=True)
class Outcome:
    """What training gives: the best point's weights, its loss, and the history."""

    weights: dict[str, Any]
    loss: float
    history: list[dict[str, int | float]]


@dataclass(frozen=True)
class Material:
    """What a task brings: its network, the batch of each step, and the loss on held-out data.

    most_epochs: passes over the data after which more time does not help.
    """

    network: nn.Module
    batch: Callable[[int], Any]
    evaluate: Callable[[], float]
    steps_per_epoch: int
    most_epochs: int
    units: Units


@dataclass(frozen=True)
class Kept(Generic[Plan]):
    """An opened checkpoint of a task's run."""

    path: str | os.PathLike[str]
    plan: Plan
    checkpoint: checkpoint.Checkpoint
    tensors: dict[str, Any]

    def check(self, shapes: Any) -> None:
        """Raise FileFormatError where the weights are not of these shapes; before a network is built."""
        checkpoint.check(self.path, self.checkpoint, self.tensors, shapes)


def open_checkpoint(path: str | os.PathLike[str], task: str, plan: type[Plan]) -> Kept[Plan]:
    """Read a checkpoint to go on from. Raises FileFormatError when there is none, or none that can be used."""
    if not Path(path).exists():
        raise FileFormatError(
            f"there is no checkpoint {path} to go on from.", "run the same command without --resume to begin."
        )
    opened, tensors = checkpoint.read(path, task)
    return Kept(path, model_file.decode(path, opened.plan, plan), opened, tensors)


def carry_out(
    task: str,
    material: Material,
    options: TrainingOptions,
    plan_of: Callable[[int], Plan],
    tell: Callable[[Plan, Run], None],
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept[Plan] | None = None,
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    plan_of: the plan for a number of steps. tell: says what is about to happen. started: when the run's clock began
    (`time.monotonic`). checkpoint_path: where to keep the run, so that it can go on after a stop.

    Raises TrainingError, Interrupted, FileFormatError (tensors that do not fit).
    """
    plan = kept.plan if kept else plan_of(_steps(material, options, report, started))
    settings = settings_of(options, plan.steps)
    run = start(material.network, settings)
    if kept:
        checkpoint.restore(kept.path, run, kept.checkpoint, kept.tensors)
    tell(plan, run)

    def save(run: Run) -> None:
        assert checkpoint_path is not None
        checkpoint.save(checkpoint_path, task, msgspec.to_builtins(plan), run)

    # A disk that is full, or a folder that may not be written to, shows before the work and not after it.
    keep = save if checkpoint_path else None
    if keep:
        keep(run)
    train(run, settings, material.batch, material.evaluate, keep, report, material.units)
    return Outcome(weights_of(run.best_weights), run.best_loss, run.history)


def _steps(material: Material, options: TrainingOptions, report: Report, started: float) -> int:
    return planned_steps(
        material.network,
        options,
        material.batch,
        material.steps_per_epoch,
        material.most_epochs,
        material.evaluate,
        report,
        started,
    )
