"""A point of a run: all that its next step depends on, as tensors by name; taken from the run, and put back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .loop import Run

Value = TypeVar("Value")


@dataclass(frozen=True)
class Point:
    """A point that was copied. step: steps done by then. state_sizes: the fields of each layer's state."""

    step: int
    state_sizes: list[int]
    tensors: Mapping[str, Tensor]

    @classmethod
    def of(cls, run: Run) -> Point:
        """Copy the point where a run is."""
        copies = {name: value.detach().clone() for name, value in tensors_of(run)}
        return cls(run.step, state_sizes(run), copies)


def tensors_of(run: Run) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a run's point, not copied: weights, the optimiser's, the state, the random generators'."""
    for name, value in run.network.state_dict().items():
        yield f"network.{name}", value
    for index, parameter in enumerate(_parameters(run)):
        for key, value in run.optimiser.state.get(parameter, {}).items():
            yield f"optimiser.{index}.{key}", value
    for i, part in enumerate(run.state or ()):
        for j, value in enumerate(part):
            yield f"state.{i}.{j}", value
    yield "random.cpu", torch.get_rng_state()
    if torch.cuda.is_available():
        yield "random.cuda", torch.cuda.get_rng_state()


def state_sizes(run: Run) -> list[int]:
    """Return the number of fields of each layer's state."""
    return [len(part) for part in run.state or ()]


def put(run: Run, sizes: Sequence[int], tensors: Mapping[str, Tensor]) -> None:
    """Put a run, but for its counts and its history, and torch's random generators where `tensors_of` found them.

    sizes: those of the state. The tensors themselves stay as they are, however the run goes on.

    Raises KeyError, RuntimeError or TypeError where they are not those of this run's network.
    """
    device = next(run.network.parameters()).device
    run.network.load_state_dict(under("network.", tensors))
    run.optimiser.state.clear()
    for index, parameter in enumerate(_parameters(run)):
        kept = under(f"optimiser.{index}.", tensors)
        if kept:
            run.optimiser.state[parameter] = _moments(kept, parameter)
    run.state = [[tensors[f"state.{i}.{j}"].to(device) for j in range(size)] for i, size in enumerate(sizes)] or None
    torch.set_rng_state(tensors["random.cpu"].cpu())
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"].cpu())


def under(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values whose names begin with a prefix, by what follows it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _moments(kept: Mapping[str, Tensor], parameter: Tensor) -> dict[str, Tensor]:
    """Return copies, where the fused AdamW keeps them: all of them, the count of steps too, beside the weights."""
    if any(kept[moment].shape != parameter.shape for moment in ("exp_avg", "exp_avg_sq")) or kept["step"].dim():
        raise KeyError(f"moments of the shape {list(parameter.shape)}")
    return {key: value.to(parameter.device, copy=True) for key, value in kept.items()}


def _parameters(run: Run) -> list[Tensor]:
    return [parameter for group in run.optimiser.param_groups for parameter in group["params"]]
