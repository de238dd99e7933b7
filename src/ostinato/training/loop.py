"""The training loop: AdamW, warm-up and linear decay, gradient clipping, evaluations, the best point kept.

A run goes from `Run` to `Run`: everything that the next step depends on is in it, so that a run that
was stopped and goes on from a checkpoint ends with the very bits of one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..errors import Interrupted, TrainingError
from .interrupt import StopRequest
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
    """How to train: number of steps and evaluations, and the optimiser's figures."""

    steps: int
    evaluations: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip_norm: float

    @property
    def steps_per_evaluation(self) -> int:
        """Steps from one evaluation to the next; the last step is always followed by one."""
        return math.ceil(self.steps / self.evaluations)


@dataclass
class Run:
    """All that changes while training.

    step: steps done. state: what the next batch goes on from. loss_sum: sum of the losses since the last
    evaluation. best_loss, best_weights: the best evaluation so far. history: one record an evaluation.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    state: Sequence[Sequence[Tensor]] | None = None
    loss_sum: float = 0.0
    best_loss: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, int | float]] = field(default_factory=list)


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
) -> None:
    """Carry a run to its last step.

    batch: gives the batch of a step. evaluate: gives the loss on held-out data. save: keeps the run; called
    after each evaluation and when a signal stops the run. Without it signals do what they always do.
    units: what the speed and the loss count.

    Raises Interrupted after a signal, and TrainingError when the loss is no longer a finite number; that
    point is not saved.
    """
    run.network.train()
    clock, done = time.monotonic(), 0
    report.start_progress("training", settings.steps, run.step)
    with StopRequest(active=save is not None) as stop:
        while run.step < settings.steps:
            loss = one_step(run, settings, batch(run.step))
            done += units.per_step
            speed = done / (time.monotonic() - clock)
            report.progress(run.step, f"loss {loss:.3f}  {speed:,.0f} {units.name}/s")
            if run.step % settings.steps_per_evaluation == 0 or run.step == settings.steps:
                _evaluate(run, settings, evaluate, report, units, done / (time.monotonic() - clock))
                if save:
                    save(run)
                clock, done = time.monotonic(), 0
            if save and stop.signal_number is not None and run.step < settings.steps:
                save(run)
                raise Interrupted(
                    f"after step {run.step:,} of {settings.steps:,}, which is saved.", signal_number=stop.signal_number
                )
    report.end_progress()


def one_step(run: Run, settings: Settings, batch: Any) -> float:
    """Take one step and return its loss."""
    rate = learning_rate(run.step, settings.steps, settings.learning_rate, settings.warmup_steps)
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    loss, state = run.network.loss(batch, run.state)  # type: ignore[operator]
    run.optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip_norm)
    value = float(loss.item())
    if not (math.isfinite(value) and math.isfinite(norm.item())):
        raise TrainingError(
            f"the loss or its gradient is no longer a finite number at step {run.step + 1:,} (loss {value}).",
            "delete the run's checkpoint, if it keeps one, and begin anew with a smaller --learning-rate.",
        )
    run.optimiser.step()
    run.state = state
    run.loss_sum += value
    run.step += 1
    return value


def _evaluate(
    run: Run, settings: Settings, evaluate: Callable[[], float], report: Report, units: Units, speed: float
) -> None:
    held_out = evaluate()
    if not math.isfinite(held_out):
        raise TrainingError(
            f"the held-out loss is no longer a finite number at step {run.step:,}.", "use a smaller --learning-rate."
        )
    every = settings.steps_per_evaluation
    steps = run.step % every or every
    record = {"step": run.step, "train": run.loss_sum / steps, "valid": held_out}
    run.loss_sum = 0.0
    run.history.append(record)
    best = held_out < run.best_loss
    if best:
        run.best_loss = held_out
        run.best_weights = {name: value.detach().clone() for name, value in run.network.state_dict().items()}
    report.say(
        f"step {run.step:>{len(str(settings.steps))}}/{settings.steps}  train {record['train']:.4f}  "
        f"valid {held_out:.4f} {units.loss}{' *' if best else '  '}  {speed:,.0f} {units.name}/s"
    )
    report.event("evaluation", **record, best=best, **{f"{units.name}_per_second": round(speed)})


def seconds_per_step(run: Run, settings: Settings, batch: Callable[[int], Any], seconds: float) -> float:
    """Take steps for about the given time and return the seconds that one takes; the run is spoilt by it."""
    run.network.train()
    one_step(run, settings, batch(run.step))
    begin = time.monotonic()
    steps = 0
    while time.monotonic() - begin < seconds or steps < 2:
        one_step(run, settings, batch(run.step))
        steps += 1
    return (time.monotonic() - begin) / steps


def weights_of(best: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return weights as float32 NumPy arrays."""
    return {name: value.to("cpu", torch.float32).numpy() for name, value in best.items()}
