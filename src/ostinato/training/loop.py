"""The training loop: AdamW, warm-up and linear decay, gradient clipping, evaluations, the best point kept.

A run goes from `Run` to `Run`: everything that the next step depends on is in it, so that a run that
was stopped and goes on from a checkpoint ends with the very bits of one that never stopped. The clock
decides when a checkpoint is written, and nothing else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..errors import Interrupted, TrainingError
from ..tasks.training_options import OnNan
from .back import MOST_BACKS, Names, NotFinite, check_finite, error_of, go_back
from .interrupt import StopRequest
from .point import Point
from .report import Report
from .schedule import learning_rate

BETAS = 0.9, 0.99
"""AdamW's memory of gradients and of their squares: a short one, since gradients through time change their size."""


class Network(Protocol):
    """What the loop asks of a network, beside being a torch module."""

    def loss(self, batch: Any, state: Any) -> tuple[Tensor, Any]:
        """Return the mean loss of a batch, and the state that the next batch goes on from."""
        ...


class Units(NamedTuple):
    """What people are told of a step: how much it reads of what (``"characters"``), what its loss is (``"nats"``)."""

    per_step: int
    name: str
    loss: str


@dataclass(frozen=True)
class Settings:
    """How to train: number of steps and evaluations, the optimiser's figures, and what is done when.

    patience: evaluations without gain after which training ends early. on_nan: what is done about a number that is not
    finite. checkpoint_every: the most seconds between two checkpoints.
    """

    steps: int
    evaluations: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip_norm: float
    patience: int | None = None
    on_nan: OnNan = "stop"
    checkpoint_every: float = math.inf

    @property
    def steps_per_evaluation(self) -> int:
        """Steps from one evaluation to the next; the last step is always followed by one."""
        return math.ceil(self.steps / self.evaluations)


@dataclass
class Run:
    """All that changes while training.

    step: steps done, so that it is the number of the next batch. state: what that batch goes on from. loss_sum, losses:
    sum and number of the losses since the last evaluation. best_loss, best_weights: the best evaluation so far.
    history: one record an evaluation. backs: how often the run went back, with half the learning rate each time. good:
    where it would go back to, the point of its last evaluation or its beginning; None where it never would.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    state: Sequence[Sequence[Tensor]] | None = None
    loss_sum: float = 0.0
    losses: int = 0
    best_loss: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, int | float]] = field(default_factory=list)
    backs: int = 0
    good: Point | None = None


def start(network: nn.Module, settings: Settings) -> Run:
    """Return a run before its first step. Weight decay acts on matrices, not on biases and vectors."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return Run(network, torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS, fused=True))


def train(
    run: Run,
    settings: Settings,
    batch: Callable[[int], Any],
    evaluate: Callable[[], float],
    save: Callable[[Run], None] | None,
    report: Report,
    units: Units,
    names: Names | None = None,
) -> None:
    """Carry a run to its last step, or to where patience ends.

    batch: gives the batch of a step. evaluate: gives the loss on held-out data. save: keeps the run; called after each
    evaluation, when `checkpoint_every` has passed, and when a signal stops the run. Without it signals do what they
    always do. units: what the speed and the loss count. names: names what a batch is made of.

    Raises Interrupted after a signal, and TrainingError when the loss, its gradient, a weight or the held-out loss is
    no longer a finite number and the run does not, or no longer, go back for that. Such a point is never saved.
    """
    run.network.train()
    if settings.on_nan == "back" and run.good is None:
        run.good = Point.of(run)
    clock, done, kept = time.monotonic(), 0, time.monotonic()
    report.start_progress("training", settings.steps, run.step)
    with StopRequest(active=save is not None) as stop:
        while not is_finished(run, settings):
            try:
                loss = one_step(run, settings, batch(run.step))
                done += units.per_step
                speed = done / (time.monotonic() - clock)
                report.progress(run.step, f"loss {loss:.3f}  {speed:,.0f} {units.name}/s")
                if run.step % settings.steps_per_evaluation == 0 or run.step == settings.steps:
                    _evaluate(run, settings, evaluate, report, units, done / (time.monotonic() - clock))
                    clock, done = time.monotonic(), 0
            except NotFinite as failure:
                if settings.on_nan == "stop" or run.backs == MOST_BACKS:
                    raise error_of(failure, names, report, save is not None, run.backs) from None
                go_back(run, failure, names, report)
            number = None if is_finished(run, settings) else stop.signal_number
            is_due = not run.losses or time.monotonic() - kept >= settings.checkpoint_every
            if save and (is_due or number is not None):
                save(run)
                kept = time.monotonic()
            if number is not None:
                raise Interrupted(
                    f"after step {run.step:,} of {settings.steps:,}, which is saved.", signal_number=number
                )
    report.end_progress()
    _tell_end(run, settings, report)


def is_finished(run: Run, settings: Settings) -> bool:
    """Whether the last step is done, or as many evaluations as patience has brought no gain."""
    if settings.patience is None or run.losses or not run.history:
        return run.step >= settings.steps
    losses = [record["valid"] for record in run.history]
    without_gain = len(losses) - 1 - losses.index(min(losses))
    return run.step >= settings.steps or without_gain >= settings.patience


def one_step(run: Run, settings: Settings, batch: Any) -> float:
    """Take one step and return its loss.

    Raises NotFinite when the loss, its gradient or a weight is no longer a finite number.
    """
    rate = learning_rate(run.step, settings.steps, settings.learning_rate, settings.warmup_steps) * 0.5**run.backs
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    loss, state = run.network.loss(batch, run.state)  # type: ignore[operator]
    run.optimiser.zero_grad()
    loss.backward()
    parameters = list(run.network.parameters())
    norm = nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
    value, step = float(loss.item()), run.step + 1
    check_finite("the loss", value, step, run.step)
    check_finite("the norm of the loss's gradient", norm.item(), step, run.step)
    run.optimiser.step()
    # Looked at in every step, so that no checkpoint, whenever it is written, holds weights that are none.
    size = nn.utils.get_total_norm([parameter.detach() for parameter in parameters])
    check_finite("the norm of the weights", size.item(), step, run.step)
    run.state = state
    run.loss_sum += value
    run.losses += 1
    run.step = step
    return value


def _evaluate(
    run: Run, settings: Settings, evaluate: Callable[[], float], report: Report, units: Units, speed: float
) -> None:
    held_out = evaluate()
    check_finite("the held-out loss", held_out, run.step)
    record = {"step": run.step, "train": run.loss_sum / run.losses, "valid": held_out}
    run.loss_sum, run.losses = 0.0, 0
    run.history.append(record)
    if run.good is not None:
        run.good = Point.of(run)
    best = held_out < run.best_loss
    if best:
        run.best_loss = held_out
        run.best_weights = {name: value.detach().clone() for name, value in run.network.state_dict().items()}
    report.say(
        f"step {run.step:>{len(str(settings.steps))}}/{settings.steps}  train {record['train']:.4f}  "
        f"valid {held_out:.4f} {units.loss}{' *' if best else '  '}  {speed:,.0f} {units.name}/s"
    )
    report.event("evaluation", **record, best=best, **{f"{units.name}_per_second": round(speed)})


def _tell_end(run: Run, settings: Settings, report: Report) -> None:
    """Say so where a run ends early. Raises TrainingError where it ends without an evaluation."""
    if not run.history:
        raise TrainingError(
            "training went back to its beginning and ended there: no evaluation was reached.",
            "begin anew with a smaller --learning-rate, or more --evaluations.",
        )
    if run.step < settings.steps:
        report.say(f"no gain in {settings.patience} evaluations: training ends after step {run.step:,}")
        report.event("patience", step=run.step)


def seconds_per_step(run: Run, settings: Settings, batch: Callable[[int], Any], seconds: float) -> float:
    """Take steps for about the given time and return the seconds that one takes; the run is spoilt by it.

    A step that fails takes its time, too: what is to be done about it is for the true run to say.
    """

    def take_step() -> None:
        with suppress(NotFinite):
            one_step(run, settings, batch(run.step))

    run.network.train()
    take_step()
    begin = time.monotonic()
    steps = 0
    while time.monotonic() - begin < seconds or steps < 2:
        take_step()
        steps += 1
    return (time.monotonic() - begin) / steps


def weights_of(best: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return weights as float32 NumPy arrays."""
    return {name: value.to("cpu", torch.float32).numpy() for name, value in best.items()}
