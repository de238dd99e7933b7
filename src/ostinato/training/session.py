"""A run of training from beginning to end, whatever the task: plan, loop, checkpoints."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import torch
from torch import nn

from .. import model_file
from ..cells import Cell
from ..errors import FileFormatError, OptionError, TrainingError
from ..tasks.options import Count
from ..tasks.training_options import TrainingOptions
from . import checkpoint
from .back import Names
from .loop import Run, Units, start, train, weights_of
from .planning import device_of, own_randomness, planned_steps, settings_of, threads
from .report import Report

Task = TypeVar("Task", bound=TrainingOptions)
Shapes = Mapping[str, tuple[int, ...]]


class Architecture(Protocol):
    """What a network is made of, whatever the task."""

    @property
    def cell(self) -> Cell:
        """The recurrence."""

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by its name."""


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


@dataclass(frozen=True)
class Session(Generic[Task]):
    """A run as it was asked for.

    options: as they were given, or those of the run that goes on. cell: None where the task is to choose it. report:
    tells how it goes. started: when the run's clock began (`time.monotonic`). path: where to keep the run, so that it
    can go on after a stop. kept: what it goes on from.
    """

    options: Task
    cell: Cell | None
    report: Report
    started: float
    path: str | os.PathLike[str] | None = None
    kept: Kept[Task] | None = None

    def kept_of(self, task: str) -> Kept[Task] | None:
        """Return what a task, or a stage of one, goes on from: not from what another stage has kept."""
        return self.kept if self.kept and self.kept.checkpoint.task == task else None

    def check_data(self, digest: str, other: str) -> None:
        """Raise OptionError where what is learned from has not the digest that it had when the run began.

        other: what to call it then, such as "other series".
        """
        if self.kept is not None and self.kept.plan.data != digest:
            raise OptionError(f"the checkpoint was made from {other}.", "give the same files.")


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
    if (getattr(plan.options, "num_layers", None) or 1) > len(tensors):
        raise FileFormatError(f"{path} is damaged: its sizes are impossible.")
    return Kept(path, plan, opened, tensors)


def carry_out(
    task: str,
    session: Session[Task],
    architecture: Architecture,
    options: Task,
    data: str,
    build: Callable[[torch.device], Material],
    shapes: Shapes | None = None,
) -> Outcome:
    """Train, from the beginning or from what the session's checkpoint kept of this task.

    options: with every size set. data: a digest of what is learned from. build: gives the material, with the network on
    a device; torch is seeded when it is called. shapes: of the network's weights, where they are not those that the
    architecture says.

    Raises OptionError (the device cannot be used), TrainingError, Interrupted, FileFormatError (tensors that do not
    fit), OSError (the first checkpoint cannot be written).
    """
    device, kept, report = device_of(options.device), session.kept_of(task), session.report
    if kept:
        expected = architecture.weight_shapes() if shapes is None else shapes
        checkpoint.check(kept.path, kept.checkpoint, kept.tensors, expected)
    with threads(options.threads), own_randomness(device):
        torch.manual_seed(options.seed)
        material = build(device)
        pace = material.pace or options
        if kept:
            plan = msgspec.structs.replace(kept.plan, options=options)
        else:
            plan = Plan(options, _steps(material, pace, report, session.started), data, architecture.cell.to_data())
        settings = settings_of(pace, plan.steps)
        run = start(material.network, settings)
        if kept:
            checkpoint.restore(kept.path, run, kept.checkpoint, kept.tensors)
        _tell(material, plan, run, report)
        keep = _keeper(session.path, task, plan) if session.path else None
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
