"""Training a language model: from a text's ids to weights, by truncated back-propagation through time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from ..architecture import SymbolArchitecture
from ..data.streams import Ids, Streams
from ..nn.symbols import SymbolNetwork
from ..tasks.language_options import MAX_EPOCHS, LanguageOptions
from .loop import Units
from .planning import as_set
from .session import Material, Outcome, Session, carry_out

TASK = "language"


@dataclass(frozen=True)
class Corpus:
    """The text as ids, and a digest of all of it."""

    train: Ids
    held_out: Ids
    digest: str


def fit(
    architecture: SymbolArchitecture, options: LanguageOptions, corpus: Corpus, session: Session[LanguageOptions]
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    options: with every size set. Raises what `session.carry_out` does, and DataError.
    """
    return carry_out(
        TASK, session, architecture, options, corpus.digest, partial(_material, architecture, options, corpus)
    )


def _material(
    architecture: SymbolArchitecture, options: LanguageOptions, corpus: Corpus, device: torch.device
) -> Material:
    network = SymbolNetwork(architecture, dropout=options.dropout or 0.0).to(device)
    streams = Streams(corpus.train, as_set(options.batch_size), as_set(options.sequence_length), options.seed)
    held_out = corpus.held_out
    return Material(
        network,
        streams.batch,
        lambda: network.nats(held_out) / (len(held_out) - 1),
        streams.steps_per_epoch,
        MAX_EPOCHS,
        Units(streams.batch_size * streams.sequence_length, "characters", "nats"),
        f"{architecture.cell.name}, {architecture.num_layers} × {architecture.hidden_size} units",
        f"{len(streams.ids):,} symbols",
        # The hidden size may come from the stated time, so that steps alone would not give the same run.
        f" --hidden {architecture.hidden_size}",
        names=streams.names,
    )
