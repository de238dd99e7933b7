"""Checkpoints: everything that a run depends on, in one file of the model file's format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import model_file
from ..errors import FileFormatError
from ..tasks.options import Natural
from .back import MOST_BACKS
from .loop import Run
from .point import Point, put, state_sizes, tensors_of, under

KIND = "checkpoint"


class PointRecord(msgspec.Struct, frozen=True):
    """The plain part of the good point that a run would go back to."""

    step: Natural
    state_sizes: list[int]


class RunRecord(msgspec.Struct, frozen=True):
    """The plain part of a run; its tensors stand beside it in the file.

    good: None where the run would go back to nothing else than where it is.
    """

    step: Natural
    loss_sum: float
    losses: Natural
    best_loss: float | None
    history: list[dict[str, int | float]]
    state_sizes: list[int]
    backs: Annotated[int, msgspec.Meta(ge=0, le=MOST_BACKS)] = 0
    good: PointRecord | None = None


class Checkpoint(msgspec.Struct, frozen=True):
    """The document of a checkpoint: the task, what it needs to go on (`plan`), and the run."""

    task: str
    plan: dict[str, Any]
    run: RunRecord


def save(path: str | os.PathLike[str], task: str, plan: dict[str, Any], run: Run) -> None:
    """Write a checkpoint, atomically. Raises OSError when it cannot be written."""
    best = run.best_loss if run.history else None
    good = _good(run)
    record = RunRecord(
        run.step,
        run.loss_sum,
        run.losses,
        best,
        run.history,
        state_sizes(run),
        run.backs,
        PointRecord(good.step, good.state_sizes) if good else None,
    )
    model_file.write(path, KIND, Checkpoint(task, plan, record), dict(_arrays(run, good)))


def read(path: str | os.PathLike[str], *tasks: str) -> tuple[Checkpoint, model_file.Tensors]:
    """Read a checkpoint of a task, or of one of its stages.

    Raises FileFormatError when it is missing, damaged or of another kind.
    """
    document, tensors = model_file.read(path)
    if document["kind"] != KIND:
        raise FileFormatError(f"{path} is a model file, not a checkpoint.")
    checkpoint = model_file.decode(path, document, Checkpoint)
    if checkpoint.task not in tasks:
        raise FileFormatError(f"{path} is a checkpoint of the task {checkpoint.task!r}, not of {tasks[0]!r}.")
    return checkpoint, tensors


def check(
    path: str | os.PathLike[str],
    checkpoint: Checkpoint,
    tensors: model_file.Tensors,
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Check that the network's weights, and the best and the good ones where there are any, have the given shapes.

    Done before a network is built, since its sizes come from the file too. Raises FileFormatError.
    """
    model_file.check_shapes(path, under("network.", tensors), shapes)
    if checkpoint.run.best_loss is not None:
        model_file.check_shapes(path, under("best.", tensors), shapes)
    if checkpoint.run.good is not None:
        model_file.check_shapes(path, under("good.network.", tensors), shapes)


def restore(path: str | os.PathLike[str], run: Run, checkpoint: Checkpoint, tensors: model_file.Tensors) -> None:
    """Put a run, and torch's random generators, where the checkpoint left them.

    Raises FileFormatError when the tensors are not those of this run's network.
    """
    record = checkpoint.run
    device = next(run.network.parameters()).device
    values = {name: torch.from_numpy(array.copy()).to(device) for name, array in tensors.items()}
    try:
        if record.good:
            run.good = Point(record.good.step, record.good.state_sizes, under("good.", values))
            # Put once now: what does not fit shows when the file is opened, and not when the run needs to go back.
            put(run, run.good.state_sizes, run.good.tensors)
        put(run, record.state_sizes, values)
    except (KeyError, RuntimeError, TypeError) as error:
        raise FileFormatError(f"{path} does not hold what this run needs: {error}.") from None
    run.best_weights = under("best.", values)
    run.step, run.loss_sum, run.losses, run.backs = record.step, record.loss_sum, record.losses, record.backs
    run.history = list(record.history)
    run.best_loss = float("inf") if record.best_loss is None else record.best_loss


def _good(run: Run) -> Point | None:
    """Return the point that a run would go back to, unless it is where the run is."""
    return run.good if run.good and run.good.step != run.step else None


def _arrays(run: Run, good: Point | None) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, value in tensors_of(run):
        yield name, _array(value)
    for name, value in run.best_weights.items():
        yield f"best.{name}", _array(value)
    for name, value in good.tensors.items() if good else ():
        yield f"good.{name}", _array(value)


def _array(value: Tensor) -> NDArray[Any]:
    return np.asarray(value.detach().cpu().numpy())
