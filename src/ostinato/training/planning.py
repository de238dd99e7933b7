"""What every task's training does around the loop: where it runs, and how many steps a stated time is."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from ..errors import OptionError
from ..tasks.training_options import TrainingOptions
from .loop import Settings, seconds_per_step, start
from .report import Report

Number = TypeVar("Number", int, float)
MEASURED_SHARE = 0.02
"""Share of the stated time that goes into measuring the speed, between 1 and 20 seconds."""
SPARED_SHARE = 0.03
"""Share of the stated time that the plan leaves free, since speed is never quite what was measured."""


def settings_of(options: TrainingOptions, steps: int) -> Settings:
    """Return what the loop is to do in so many steps."""
    return Settings(
        steps=steps,
        evaluations=min(options.evaluations, steps),
        learning_rate=as_set(options.learning_rate),
        warmup_steps=min(options.warmup_steps, steps // 10),
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
        patience=options.patience,
        on_nan=options.on_nan,
        checkpoint_every=options.checkpoint_every,
    )


def planned_steps(
    network: nn.Module,
    options: TrainingOptions,
    batch: Callable[[int], Any],
    steps_per_epoch: int,
    most_epochs: int,
    evaluate: Callable[[], float],
    evaluations_after: int,
    report: Report,
    started: float,
) -> int:
    """Turn the stated time into steps, once, after a short measured stretch on a copy of the network.

    batch, evaluate: as `loop.train` takes them. most_epochs: passes over the data after which more time does not help.
    evaluations_after: the time that is needed after training, in evaluations.
    started: when the run's clock began (`time.monotonic`).
    """
    if options.steps:
        return options.steps
    if options.epochs:
        return max(1, round(options.epochs * steps_per_epoch))
    seconds = as_set(options.time)
    most = most_epochs * steps_per_epoch
    report.say("measuring the speed of this machine …")
    settings = settings_of(options, most)
    spoilt = start(copy.deepcopy(network), settings)
    with own_randomness(next(network.parameters()).device):
        step_seconds = seconds_per_step(spoilt, settings, batch, min(20.0, max(1.0, MEASURED_SHARE * seconds)))
    begin = time.monotonic()
    evaluate()
    evaluation_seconds = time.monotonic() - begin
    spent = time.monotonic() - started
    left = seconds * (1 - SPARED_SHARE) - spent - (options.evaluations + evaluations_after) * evaluation_seconds
    return max(1, min(int(left / step_seconds), most))


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Let torch use so many threads, and afterwards what it used before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def judging(network: nn.Module) -> Iterator[None]:
    """Leave out gradients and what only training does, such as dropout; afterwards the network is as it was."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was_training)


def own_randomness(device: torch.device) -> AbstractContextManager[None]:
    """Give torch's generators back as they were."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def device_of(name: str) -> torch.device:
    """Return the device of a name; auto is a GPU if there is one. Raises OptionError for one that cannot be used."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        fact = str(error).splitlines()[0]
        raise OptionError(f"device {name!r} cannot be used: {fact}.", "use --device cpu, or auto.") from None
    return device


def as_set(value: Number | None) -> Number:
    """Return an option that the task has set."""
    assert value is not None
    return value
