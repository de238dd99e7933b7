"""A run of training from beginning to end, whatever the task: plan, loop, checkpoints."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from torch import nn

from .. import model_file
from ..cells import Cell
from ..errors import FileFormatError, TrainingError
from ..tasks.options import Count
from ..tasks.training_options import TrainingOptions
from . import checkpoint
from .back import Names
from .loop import Run, Units, start, train, weights_of
from .planning import planned_steps, settings_of
from .report import Report

Task = TypeVar("Task", bound=TrainingOptions)


class Plan(msgspec.Struct, Generic[Task], frozen=True):
    """What a run was set out to do: kept in its checkpoint, and not changed by going on from there.

    options: the task's. steps: of training. data: a digest of what is learned from. cell: the recurrence, as data.
    """

    options: Task
    steps: Count
    data: str
    cell: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What training gives: the best point's weights, its loss, and the history."""

    weights: dict[str, Any]
    loss: float
    history: list[dict[str, int | float]]


@dataclass(frozen=True)
class Material:
    """What a task brings: its network, the batch of each step, and the loss on held-out data.

    most_epochs: passes over the data after which more time does not help. sizes: those of the network, in words.
    amount: what an epoch reads. repeat: further flags that a repetition of the run needs beside its steps.
    evaluations_after: the time that the task needs after training, in evaluations. names: of a step, names what its
    batch is made of, for the message of one that fails. pace: how long and how fast this run learns, where it is one
    stage of several and the task's options say so of all.
    """

    network: nn.Module
    batch: Callable[[int], Any]
    evaluate: Callable[[], float]
    steps_per_epoch: int
    most_epochs: int
    units: Units
    sizes: str
    amount: str
    repeat: str = ""
    evaluations_after: int = 0
    names: Names | None = None
    pace: TrainingOptions | None = None


@dataclass(frozen=True)
class Kept(Generic[Task]):
    """An opened checkpoint of a task's run."""

    path: str | os.PathLike[str]
    plan: Plan[Task]
    checkpoint: checkpoint.Checkpoint
    tensors: dict[str, Any]

    def check(self, shapes: Any) -> None:
        """Raise FileFormatError where the weights are not of these shapes; before a network is built."""
        checkpoint.check(self.path, self.checkpoint, self.tensors, shapes)


def open_checkpoint(path: str | os.PathLike[str], options: type[Task], *tasks: str) -> Kept[Task]:
    """Read a checkpoint to go on from, of a task or one of its stages.

    Raises FileFormatError when there is none, or none that can be used.
    """
    if not Path(path).exists():
        raise FileFormatError(
            f"there is no checkpoint {path} to go on from.", "run the same command without --resume to begin."
        )
    opened, tensors = checkpoint.read(path, *tasks)
    plan: Plan[Task] = model_file.decode(path, opened.plan, Plan[options])  # type: ignore[valid-type]
    return Kept(path, plan, opened, tensors)


def carry_out(
    task: str,
    material: Material,
    options: Task,
    data: str,
    cell: Cell,
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept[Task] | None = None,
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    options: with every size set. data: a digest of what is learned from. started: when the run's clock began
    (`time.monotonic`). checkpoint_path: where to keep the run, so that it can go on after a stop.

    Raises TrainingError, Interrupted, FileFormatError (tensors that do not fit), OSError (the first checkpoint cannot
    be written).
    """
    if kept:
        plan = msgspec.structs.replace(kept.plan, options=options)
    else:
        plan = Plan(options, _steps(material, material.pace or options, report, started), data, cell.to_data())
    settings = settings_of(material.pace or options, plan.steps)
    run = start(material.network, settings)
    if kept:
        checkpoint.restore(kept.path, run, kept.checkpoint, kept.tensors)
    _tell(material, plan, run, report)
    keep = _keeper(checkpoint_path, task, plan) if checkpoint_path else None
    # A disk that is full, or a folder that may not be written to, shows before the work and not after it.
    if keep:
        keep(run)
    train(run, settings, material.batch, material.evaluate, keep, report, material.units, material.names)
    return Outcome(weights_of(run.best_weights), run.best_loss, run.history)


def _keeper(path: str | os.PathLike[str], task: str, plan: Plan[Any]) -> Callable[[Run], None]:
    """Return what keeps a run.

    The first time it raises OSError where it fails, later TrainingError: a run that can no longer be kept stops, since
    it would lose more with every step, and could not write its model either. Nothing is lost by that but the time since
    the last checkpoint: to go on from there gives the same bits.
    """
    document = msgspec.to_builtins(plan)
    kept_step: int | None = None

    def keep(run: Run) -> None:
        nonlocal kept_step
        try:
            checkpoint.save(path, task, document, run)
        except OSError as error:
            if kept_step is None:
                raise
            raise _not_kept(path, error, kept_step) from None
        kept_step = run.step

    return keep


def _not_kept(path: str | os.PathLike[str], error: OSError, step: int) -> TrainingError:
    reason = (error.strerror or str(error)).lower()
    is_full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
    first = "free some space" if is_full else "see to it that the file can be written"
    return TrainingError(
        f"the checkpoint {os.fspath(path)} cannot be written: {reason}.",
        f"{first}, then go on with --resume: the run is kept as it was after step {step:,}.",
    )


def _tell(material: Material, plan: Plan[Any], run: Run, report: Report) -> None:
    weights = sum(parameter.numel() for parameter in material.network.parameters())
    epochs = plan.steps / material.steps_per_epoch
    report.say(f"{material.sizes}, {weights:,} weights")
    report.say(f"plan: --steps {plan.steps}{material.repeat} ({epochs:.1f} epochs of {material.amount})")
    if epochs < 1:
        report.say("that is less than one epoch: a longer --time, or a quieter machine, may give a better model")
    if run.step:
        report.say(f"going on after step {run.step:,}")
    report.event(
        "plan", steps=plan.steps, resumed_after=run.step, weights=weights, options=msgspec.to_builtins(plan.options)
    )


def _steps(material: Material, options: TrainingOptions, report: Report, started: float) -> int:
    return planned_steps(
        material.network,
        options,
        material.batch,
        material.steps_per_epoch,
        material.most_epochs,
        material.evaluate,
        material.evaluations_after,
        report,
        started,
    )
