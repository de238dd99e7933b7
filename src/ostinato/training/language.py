"""Training a language model: from a text's ids to weights, by truncated back-propagation through time."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch

from .. import model_file
from ..architecture import SymbolArchitecture
from ..data.streams import Ids, Streams
from ..errors import FileFormatError, OptionError
from ..nn.symbols import SymbolNetwork
from ..tasks.language_options import MAX_EPOCHS, LanguageOptions
from ..tasks.options import Count
from . import checkpoint
from .loop import Run, Settings, seconds_per_step, start, train, weights_of
from .report import Report

TASK = "language"
Number = TypeVar("Number", int, float)
MEASURED_SHARE = 0.02
"""Share of the stated time that goes into measuring the speed, between 1 and 20 seconds."""
SPARED_SHARE = 0.03
"""Share of the stated time that the plan leaves free, since speed is never quite what was measured."""


class Plan(msgspec.Struct, frozen=True):
    """What a run was set out to do: kept in its checkpoint, and not changed by going on from there."""

    options: LanguageOptions
    steps: Count
    data: str
    cell: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What training gives: the best point's weights, its loss (nats a symbol), and the history."""

    weights: dict[str, Any]
    loss: float
    history: list[dict[str, int | float]]


@dataclass(frozen=True)
class Corpus:
    """The text as ids, and a digest of all of it."""

    train: Ids
    held_out: Ids
    digest: str


@dataclass(frozen=True)
class Kept:
    """An opened checkpoint of a language model's run."""

    path: str | os.PathLike[str]
    plan: Plan
    checkpoint: checkpoint.Checkpoint
    tensors: dict[str, Any]


def open_checkpoint(path: str | os.PathLike[str]) -> Kept:
    """Read a checkpoint to go on from. Raises FileFormatError when there is none, or none that can be used."""
    if not Path(path).exists():
        raise FileFormatError(
            f"there is no checkpoint {path} to go on from.", "run the same command without --resume to begin."
        )
    opened, tensors = checkpoint.read(path, TASK)
    plan = model_file.decode(path, opened.plan, Plan)
    if plan.options.num_layers > len(tensors):
        raise FileFormatError(f"{path} is damaged: its sizes are impossible.")
    return Kept(path, plan, opened, tensors)


def fit(
    architecture: SymbolArchitecture,
    options: LanguageOptions,
    corpus: Corpus,
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept | None = None,
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    options: with every size set. started: when the run's clock began (`time.monotonic`). checkpoint_path:
    where to keep the run, so that it can go on after a stop.

    Raises OptionError, DataError, TrainingError, Interrupted, FileFormatError (tensors that do not fit).
    """
    device = _device(options.device)
    if kept:
        checkpoint.check(kept.path, kept.checkpoint, kept.tensors, architecture.weight_shapes())
    with _threads(options.threads), _own_randomness(device):
        torch.manual_seed(options.seed)
        network = SymbolNetwork(architecture, dropout=options.dropout or 0.0).to(device)
        streams = Streams(corpus.train, _set(options.batch_size), _set(options.sequence_length), options.seed)
        held_out = corpus.held_out
        steps = kept.plan.steps if kept else _planned_steps(network, options, streams, held_out, report, started)
        plan = Plan(options, steps, corpus.digest, architecture.cell.to_data())
        settings = _settings(options, steps)
        run = start(network, settings)
        if kept:
            checkpoint.restore(kept.path, run, kept.checkpoint, kept.tensors)
        _tell(plan, run, streams, architecture, report)

        def save(run: Run) -> None:
            assert checkpoint_path is not None
            checkpoint.save(checkpoint_path, TASK, msgspec.to_builtins(plan), run)

        def evaluate() -> float:
            return network.nats(held_out) / (len(held_out) - 1)

        # A disk that is full, or a folder that may not be written to, shows before the work and not after it.
        keep = save if checkpoint_path else None
        if keep:
            keep(run)
        train(run, settings, streams.batch, evaluate, keep, report, streams.batch_size * streams.sequence_length)
    return Outcome(weights_of(run.best_weights), run.best_loss, run.history)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Let torch use so many threads, and afterwards what it used before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _own_randomness(device: torch.device) -> AbstractContextManager[None]:
    """Give torch's generators back as they were."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        fact = str(error).splitlines()[0]
        raise OptionError(f"device {name!r} cannot be used: {fact}.", "use --device cpu, or auto.") from None
    return device


def _settings(options: LanguageOptions, steps: int) -> Settings:
    return Settings(
        steps=steps,
        evaluations=min(options.evaluations, steps),
        learning_rate=_set(options.learning_rate),
        warmup_steps=min(options.warmup_steps, steps // 10),
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
    )


def _planned_steps(
    network: SymbolNetwork, options: LanguageOptions, streams: Streams, held_out: Ids, report: Report, started: float
) -> int:
    """Turn the stated time into steps, once, after a short measured stretch on a copy of the network."""
    if options.steps:
        return options.steps
    if options.epochs:
        return max(1, round(options.epochs * streams.steps_per_epoch))
    assert options.time is not None
    report.say("measuring the speed of this machine …")
    settings = _settings(options, MAX_EPOCHS * streams.steps_per_epoch)
    spoilt = start(copy.deepcopy(network), settings)
    seconds = min(20.0, max(1.0, MEASURED_SHARE * options.time))
    with _own_randomness(network.head.weight.device):
        step_seconds = seconds_per_step(spoilt, settings, streams.batch, seconds)
    begin = time.monotonic()
    network.nats(held_out)
    evaluation_seconds = time.monotonic() - begin
    spent = time.monotonic() - started
    left = options.time * (1 - SPARED_SHARE) - spent - options.evaluations * evaluation_seconds
    return max(1, min(int(left / step_seconds), MAX_EPOCHS * streams.steps_per_epoch))


def _tell(plan: Plan, run: Run, streams: Streams, architecture: SymbolArchitecture, report: Report) -> None:
    weights = sum(math.prod(shape) for shape in architecture.weight_shapes().values())
    epochs = plan.steps / streams.steps_per_epoch
    sizes = (
        f"{architecture.cell.name}, {architecture.num_layers} × {architecture.hidden_size} units, {weights:,} weights"
    )
    report.say(sizes)
    # The hidden size may come from the stated time, so that steps alone would not give the same run.
    repeat = f"--steps {plan.steps} --hidden {architecture.hidden_size}"
    report.say(f"plan: {repeat} ({epochs:.1f} epochs of {len(streams.ids):,} symbols)")
    if epochs < 1:
        report.say(
            "that is less than one reading of the text: a longer --time, or a quieter machine, gives a better model"
        )
    if run.step:
        report.say(f"going on after step {run.step:,}")
    report.event(
        "plan", steps=plan.steps, resumed_after=run.step, weights=weights, options=msgspec.to_builtins(plan.options)
    )


def _set(value: Number | None) -> Number:
    """Return an option that `sized` has set."""
    assert value is not None
    return value
