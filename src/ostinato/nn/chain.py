"""The torch network of a chain of parts, as far as it is trained here: what `ostinato.runtime.Model` then runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..architecture import (
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    Part,
    RecurrentArchitecture,
)
from ..errors import OptionError
from .noise import dropout
from .recurrent import Recurrent


class ChainNetwork(nn.Module):
    """What a `ModelArchitecture` says, in torch; parameters are named as its `weight_shapes` says.

    dropout acts on what a linear part reads unless it is the first, and between the layers of a stack;
    recurrent_dropout as `Recurrent` says; both in training only. An embedding starts normal with deviation 1, as
    torch's does.

    Raises OptionError for a part that is not trained here: only stacks, linear and last parts, and these in parallel.
    """

    def __init__(self, architecture: ModelArchitecture, dropout: float = 0.0, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.architecture, self.dropout = architecture, dropout
        embedding = architecture.embedding
        self.embedding = None if embedding is None else nn.Embedding(embedding.vocabulary_size, embedding.size)
        self.parts = _modules(architecture.parts, dropout, recurrent_dropout)

    def forward(self, x: Tensor, lengths: Any = None) -> Tensor:
        """Read numbers [T, B, D], or symbols [T, B]; return [T, B, O], or [B, O] where the chain answers once.

        lengths: [B], by default all T; nothing beyond one is read.
        """
        return self.after_embedding(x if self.embedding is None else self.embedding(x), lengths)

    def after_embedding(self, x: Tensor, lengths: Any = None) -> Tensor:
        """Run the parts over vectors [T, B, D]."""
        y, once = self._run(self.parts, x, lengths)
        return y[0] if once else y

    def _run(self, parts: Iterable[nn.Module], x: Tensor, lengths: Any) -> tuple[Tensor, bool]:
        """Return what comes of parts, and whether it is one step a sequence."""
        once, first = False, True
        for part in parts:
            if isinstance(part, Recurrent):
                x, _ = part(x, None, lengths)
            elif isinstance(part, _Last):
                x, lengths, once = part(x, lengths), None, True
            elif isinstance(part, _Parallel):
                found = [self._run(branch, x, lengths) for branch in part.branches]  # type: ignore[arg-type]
                x, once = torch.cat([y for y, _ in found], dim=-1), found[0][1]
                lengths = None if once else lengths
            else:
                # What enters is not dropped: that is for whoever reads it to say.
                x = part(x if first else dropout(x, self.dropout, self.training))
            first = False
        return x, once


class _Last(nn.Module):
    """Of each sequence [T, B, D] the last step, or the first, as [1, B, D]; zeros for a sequence without a step."""

    def __init__(self, reverse: bool) -> None:
        super().__init__()
        self.reverse = reverse

    def forward(self, x: Tensor, lengths: Any) -> Tensor:
        steps, batch, _ = x.shape
        known = torch.full((batch,), steps) if lengths is None else torch.as_tensor(lengths)
        at = torch.zeros(batch, dtype=torch.int64) if self.reverse else (known - 1).clamp(min=0)
        # Beyond each length x is zero already.
        return x[at.to(x.device), torch.arange(batch, device=x.device)][None]


class _Parallel(nn.Module):
    def __init__(self, branches: Sequence[nn.ModuleList]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)


def _modules(parts: Iterable[Part], dropout: float, recurrent_dropout: float) -> nn.ModuleList:
    return nn.ModuleList(_module(part, dropout, recurrent_dropout) for part in parts)


def _module(part: Part, dropout: float, recurrent_dropout: float) -> nn.Module:
    match part:
        case RecurrentArchitecture():
            drops = recurrent_dropout if part.cell.program.recurrent_gates else 0.0
            return Recurrent(
                part.cell,
                part.input_size,
                part.hidden_size,
                part.num_layers,
                part.bias,
                dropout=dropout,
                bidirectional=part.bidirectional,
                widths=part.further_widths,
                recurrent_dropout=drops,
                residual=part.residual,
            )
        case LinearArchitecture():
            return nn.Linear(part.input_size, part.output_size, part.bias)
        case LastArchitecture():
            return _Last(part.reverse)
        case ParallelArchitecture(merge="concat"):
            return _Parallel([_modules(branch, dropout, recurrent_dropout) for branch in part.branches])
        case _:
            raise OptionError(f"a part {type(part).__name__} is not trained here.")
