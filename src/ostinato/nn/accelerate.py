"""`accelerate`: put this engine under a torch model that exists already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..errors import OptionError
from . import drop_in, drop_in_cells

REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.RNN: drop_in.RNN,
    nn.LSTM: drop_in.LSTM,
    nn.GRU: drop_in.GRU,
    nn.RNNCell: drop_in_cells.RNNCell,
    nn.LSTMCell: drop_in_cells.LSTMCell,
    nn.GRUCell: drop_in_cells.GRUCell,
}
"""For each of torch's classes the one that takes its place."""

NAMES = frozenset(theirs.__name__ for theirs in REPLACEMENTS)
"""What modules are called that are worth a line in the report, whoever wrote them."""

DTYPES = (torch.float32, torch.float64)
"""What the engine computes in."""


@dataclass(frozen=True)
class Report:
    """What `accelerate` did, printable.

    model: the model that was given. replaced: how each module that was replaced prints, by its name in the model; the
    model itself has the name "". left: why each recurrent module that was not replaced stays as it is, by its name.
    """

    model: nn.Module
    replaced: Mapping[str, str]
    left: Mapping[str, str]

    def __str__(self) -> str:
        rows = [("replaced", name, said) for name, said in self.replaced.items()]
        rows += [("left", name, said) for name, said in self.left.items()]
        width = max((len(_spelled(name)) for _, name, _ in rows), default=0)
        head = f"{len(self.replaced)} replaced, {len(self.left)} left as they are"
        return "\n".join([head, *(f"  {what:8}  {_spelled(name):{width}}  {said}" for what, name, said in rows)])

    __repr__ = __str__


def accelerate(model: nn.Module) -> Report:
    """Run the RNN, LSTM and GRU layers and cells of a torch model on this engine, from now on.

    The very modules of the model change their class to that of `ostinato.nn` with the same name. So every parameter,
    hook, tie and reference to a module stays as it is, and an optimizer goes on. A model that is itself such a layer
    changes too. What is left, and why, is in the report.

    Raises OptionError when `model` is no torch module.
    """
    if not isinstance(model, nn.Module):
        raise OptionError(f"accelerate expected a torch module, not a {type(model).__name__}.")
    replaced, left = {}, {}
    for name, module in model.named_modules():
        if not _is_recurrent(module):
            continue
        reason = _reason_to_leave(module)
        if reason:
            left[name] = reason
        else:
            # The replacements add methods and no data, so the object can stay and only its class changes.
            module.__class__ = REPLACEMENTS[type(module)]
            replaced[name] = repr(module)
    return Report(model, replaced, left)


def _is_recurrent(module: nn.Module) -> bool:
    """Tell whether a module is one of torch's recurrent ones, derived from one, or called like one."""
    name = getattr(module, "original_name", type(module).__name__)
    return isinstance(module, (nn.RNNBase, nn.RNNCellBase)) or name in NAMES


def _reason_to_leave(module: nn.Module) -> str | None:
    kind = type(module)
    if kind in REPLACEMENTS.values():
        return "runs on this engine already"
    if isinstance(module, torch.jit.ScriptModule):
        return "is compiled by torch.jit"
    if parametrize.is_parametrized(module):
        return "has a parametrization; accelerate before it is registered"
    if kind not in REPLACEMENTS:
        return _reason_of_class(kind)
    if "forward" in vars(module):
        return "has a forward of its own, set on the object"
    return _reason_of_weights(module)


def _reason_of_class(kind: type[nn.Module]) -> str:
    if kind.__module__.startswith("torch.ao."):
        return f"is quantized ({kind.__module__}.{kind.__name__})"
    bases = [base.__name__ for base in kind.__mro__ if base in REPLACEMENTS]
    hint = f"; derive it from ostinato.nn.{bases[0]} if that is what it should run" if bases else ""
    return f"is of a class of its own, {kind.__module__}.{kind.__qualname__}{hint}"


def _reason_of_weights(module: nn.Module) -> str | None:
    weights = _weights(module)
    if not all(isinstance(weight, nn.Parameter) for weight in weights):
        return "computes its weights anew for each call (weight_norm, spectral_norm or pruning)"
    for weight in weights:
        if weight.device.type != "cpu":
            return f"has weights on {weight.device}; this engine is for the CPU"
        if weight.dtype not in DTYPES:
            return f"has weights of {weight.dtype}; this engine takes float32 and float64"
    return None


def _weights(module: Any) -> list[Tensor]:
    if isinstance(module, nn.RNNBase):
        return [weight for layer in module.all_weights for weight in layer]
    biases = [module.bias_ih, module.bias_hh] if module.bias else []
    return [module.weight_ih, module.weight_hh, *biases]


def _spelled(name: str) -> str:
    return name or "(the model)"
