"""Training a language model: from a text's ids to weights, by truncated back-propagation through time."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from ..architecture import SymbolArchitecture
from ..data.streams import Ids, Streams
from ..errors import FileFormatError
from ..nn.symbols import SymbolNetwork
from ..tasks.language_options import MAX_EPOCHS, LanguageOptions
from . import session
from .loop import Units
from .planning import as_set, device_of, own_randomness, threads
from .report import Report
from .session import Kept, Material, Outcome, carry_out

TASK = "language"


@dataclass(frozen=True)
class Corpus:
    """The text as ids, and a digest of all of it."""

    train: Ids
    held_out: Ids
    digest: str


def open_checkpoint(path: str | os.PathLike[str]) -> Kept[LanguageOptions]:
    """Read a checkpoint to go on from. Raises FileFormatError when there is none, or none that can be used."""
    kept = session.open_checkpoint(path, LanguageOptions, TASK)
    if kept.plan.options.num_layers > len(kept.tensors):
        raise FileFormatError(f"{path} is damaged: its sizes are impossible.")
    return kept


def fit(
    architecture: SymbolArchitecture,
    options: LanguageOptions,
    corpus: Corpus,
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept[LanguageOptions] | None = None,
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    options: with every size set. started: when the run's clock began (`time.monotonic`). checkpoint_path:
    where to keep the run, so that it can go on after a stop.

    Raises OptionError, DataError, TrainingError, Interrupted, FileFormatError (tensors that do not fit).
    """
    device = device_of(options.device)
    if kept:
        kept.check(architecture.weight_shapes())
    with threads(options.threads), own_randomness(device):
        torch.manual_seed(options.seed)
        network = SymbolNetwork(architecture, dropout=options.dropout or 0.0).to(device)
        streams = Streams(corpus.train, as_set(options.batch_size), as_set(options.sequence_length), options.seed)
        held_out = corpus.held_out
        material = Material(
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
        return carry_out(
            TASK,
            material,
            options,
            corpus.digest,
            architecture.cell,
            report,
            started,
            checkpoint_path,
            kept,
        )
