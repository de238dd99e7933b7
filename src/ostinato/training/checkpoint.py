"""Checkpoints: everything that a run depends on, in one file of the model file's format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import model_file
from ..errors import FileFormatError
from .loop import Run

KIND = "checkpoint"
Value = TypeVar("Value")


class RunRecord(msgspec.Struct, frozen=True):
    """The plain part of a run; its tensors stand beside it in the file."""

    step: Annotated[int, msgspec.Meta(ge=0)]
    loss_sum: float
    best_loss: float | None
    history: list[dict[str, int | float]]
    state_sizes: list[int]


class Checkpoint(msgspec.Struct, frozen=True):
    """The document of a checkpoint: the task, what it needs to go on (`plan`), and the run."""

    task: str
    plan: dict[str, Any]
    run: RunRecord


def save(path: str | os.PathLike[str], task: str, plan: dict[str, Any], run: Run) -> None:
    """Write a checkpoint, atomically. Raises OSError when it cannot be written."""
    best = run.best_loss if run.history else None
    sizes = [len(part) for part in run.state or ()]
    record = RunRecord(run.step, run.loss_sum, best, run.history, sizes)
    model_file.write(path, KIND, Checkpoint(task, plan, record), dict(_tensors(run)))


def read(path: str | os.PathLike[str], task: str) -> tuple[Checkpoint, model_file.Tensors]:
    """Read a checkpoint of a task. Raises FileFormatError when it is missing, damaged or of another kind."""
    document, tensors = model_file.read(path)
    if document["kind"] != KIND:
        raise FileFormatError(f"{path} is a model file, not a checkpoint.")
    checkpoint = model_file.decode(path, document, Checkpoint)
    if checkpoint.task != task:
        raise FileFormatError(f"{path} is a checkpoint of the task {checkpoint.task!r}, not of {task!r}.")
    return checkpoint, tensors


def check(
    path: str | os.PathLike[str],
    checkpoint: Checkpoint,
    tensors: model_file.Tensors,
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Check that the network's weights, and the best ones where there are any, have the given shapes.

    Done before a network is built, since its sizes come from the file too. Raises FileFormatError.
    """
    model_file.check_shapes(path, _under("network.", tensors), shapes)
    if checkpoint.run.best_loss is not None:
        model_file.check_shapes(path, _under("best.", tensors), shapes)


def restore(path: str | os.PathLike[str], run: Run, checkpoint: Checkpoint, tensors: model_file.Tensors) -> None:
    """Put a run, and torch's random generators, where the checkpoint left them.

    Raises FileFormatError when the tensors are not those of this run's network.
    """
    record = checkpoint.run
    device = next(run.network.parameters()).device
    values = {name: torch.from_numpy(array.copy()).to(device) for name, array in tensors.items()}
    try:
        run.network.load_state_dict(_under("network.", values))
        _restore_optimiser(run, values)
        run.best_weights = _under("best.", values)
        run.state = [
            [values[f"state.{i}.{j}"] for j in range(size)] for i, size in enumerate(record.state_sizes)
        ] or None
        _set_random_state(values)
    except (KeyError, RuntimeError, TypeError) as error:
        raise FileFormatError(f"{path} does not hold what this run needs: {error}.") from None
    run.step, run.loss_sum, run.history = record.step, record.loss_sum, list(record.history)
    run.best_loss = float("inf") if record.best_loss is None else record.best_loss


def _tensors(run: Run) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, value in run.network.state_dict().items():
        yield f"network.{name}", _array(value)
    for index, parameter in enumerate(_parameters(run)):
        for key, value in run.optimiser.state[parameter].items():
            yield f"optimiser.{index}.{key}", _array(value)
    for name, value in run.best_weights.items():
        yield f"best.{name}", _array(value)
    for i, part in enumerate(run.state or ()):
        for j, value in enumerate(part):
            yield f"state.{i}.{j}", _array(value)
    yield "random.cpu", torch.get_rng_state().numpy()
    if torch.cuda.is_available():
        yield "random.cuda", torch.cuda.get_rng_state().numpy()


def _restore_optimiser(run: Run, values: dict[str, Tensor]) -> None:
    for index, parameter in enumerate(_parameters(run)):
        kept = _under(f"optimiser.{index}.", values)
        if kept:
            if any(kept[moment].shape != parameter.shape for moment in ("exp_avg", "exp_avg_sq")):
                raise KeyError(f"moments of the shape {list(parameter.shape)}")
            # The count of steps stays on the CPU, as torch keeps it.
            kept["step"] = kept["step"].cpu()
            run.optimiser.state[parameter] = kept


def _set_random_state(values: dict[str, Tensor]) -> None:
    torch.set_rng_state(values["random.cpu"].cpu())
    if "random.cuda" in values and torch.cuda.is_available():
        torch.cuda.set_rng_state(values["random.cuda"].cpu())


def _parameters(run: Run) -> list[Tensor]:
    return [parameter for group in run.optimiser.param_groups for parameter in group["params"]]


def _under(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _array(value: Tensor) -> NDArray[Any]:
    return np.asarray(value.detach().cpu().numpy())
