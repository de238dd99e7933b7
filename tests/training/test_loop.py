"""The loop over a network of one weight, whose every step can be foreseen."""

import json
import math
import signal

import pytest
import torch
from torch import nn

from ostinato.errors import Interrupted, TrainingError
from ostinato.training.loop import Settings, Units, one_step, seconds_per_step, start, train, weights_of
from ostinato.training.report import Report
from ostinato.training.schedule import learning_rate


class Point(nn.Module):
    """A weight that is drawn towards each batch; its state counts the steps."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1))
        self.bias = nn.Parameter(torch.ones(1))

    def loss(self, batch, state):
        return ((self.weight - batch) ** 2).sum() + 0 * self.bias.sum(), [[torch.tensor(1.0)]]


def settings_of(steps=12, evaluations=3, **others):
    figures = {"learning_rate": 0.1, "warmup_steps": 0, "weight_decay": 0.0, "clip_norm": 100.0}
    return Settings(steps, evaluations, **(figures | others))


class Trial:
    """A run of `Point` with everything that it is given noted."""

    def __init__(self, settings, losses=None, batch=lambda step: torch.tensor(1.0), log=None):
        self.settings = settings
        self.run = start(Point(), settings)
        self.saved, self.asked, self.evaluated = [], [], []
        self.losses = losses
        self.batch = batch
        self.report = Report(quiet=True, log=log)

    def next_batch(self, step):
        self.asked.append(step)
        return self.batch(step)

    def evaluate(self):
        assert self.run.network.training
        self.evaluated.append(self.run.step)
        return self.losses[len(self.evaluated) - 1] if self.losses else 1.0

    def train(self, save=True):
        with self.report:
            keep = (lambda run: self.saved.append(run.step)) if save else None
            train(
                self.run,
                self.settings,
                self.next_batch,
                self.evaluate,
                keep,
                self.report,
                Units(5, "characters", "nats"),
            )
        return self


@pytest.mark.parametrize(
    ("steps", "evaluations", "expected"),
    [
        (12, 3, [4, 8, 12]),
        (10, 3, [4, 8, 10]),
        (10, 4, [3, 6, 9, 10]),
        (7, 5, [2, 4, 6, 7]),
        (3, 3, [1, 2, 3]),
        (5, 1, [5]),
        (1, 1, [1]),
    ],
)
def test_evaluations_are_spread_over_the_steps_and_one_follows_the_last(steps, evaluations, expected):
    trial = Trial(settings_of(steps, evaluations)).train()
    assert trial.evaluated == trial.saved == [record["step"] for record in trial.run.history] == expected
    assert trial.asked == list(range(steps))
    assert len(expected) <= evaluations


def test_the_best_point_is_kept_and_not_the_last():
    trial = Trial(settings_of(5, 5), losses=[3.0, 1.0, 2.0, 1.0, 5.0])
    weights = []
    original = trial.evaluate
    trial.evaluate = lambda: (weights.append(trial.run.network.weight.item()), original())[1]
    trial.train()
    assert trial.run.best_loss == 1.0
    assert len(set(weights)) == 5
    assert weights_of(trial.run.best_weights)["weight"].item() == weights[1]
    assert [record["valid"] for record in trial.run.history] == [3.0, 1.0, 2.0, 1.0, 5.0]


def test_a_record_holds_the_mean_loss_since_the_one_before():
    trial = Trial(settings_of(5, 2))
    losses = []
    batch = trial.next_batch

    def noted(step):
        losses.append(((trial.run.network.weight - 1) ** 2).item())
        return batch(step)

    trial.next_batch = noted
    trial.train()
    assert [record["train"] for record in trial.run.history] == pytest.approx(
        [sum(losses[:3]) / 3, sum(losses[3:]) / 2], rel=1e-6
    )


def test_each_step_has_the_learning_rate_of_the_schedule():
    settings = settings_of(8, warmup_steps=3)
    trial = Trial(settings)
    for step in range(8):
        one_step(trial.run, settings, torch.tensor(1.0))
        rates = {group["lr"] for group in trial.run.optimiser.param_groups}
        assert rates == {learning_rate(step, 8, 0.1, 3)}


def test_weight_decay_acts_on_matrices_and_not_on_vectors():
    """Where no gradient pulls, a step of AdamW is its decay alone."""
    settings = settings_of(weight_decay=0.3)
    run = start(Point(), settings)
    assert isinstance(run.optimiser, torch.optim.AdamW)
    with torch.no_grad():
        run.network.weight.fill_(2.0)
    one_step(run, settings, torch.tensor(2.0))
    assert run.network.weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.3))
    assert run.network.bias.item() == 1.0


def test_gradients_are_clipped_before_the_step():
    run = start(Point(), settings_of(clip_norm=0.5))
    one_step(run, settings_of(clip_norm=0.5), torch.tensor(1000.0))
    assert run.network.weight.grad.norm().item() == pytest.approx(0.5)


def test_the_state_goes_from_step_to_step():
    trial = Trial(settings_of(2))
    given = []
    loss = trial.run.network.loss
    trial.run.network.loss = lambda batch, state: (given.append(state), loss(batch, state))[1]
    trial.train()
    assert given == [None, [[torch.tensor(1.0)]]]


# ---- what stops a run


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run_and_is_never_saved(value):
    trial = Trial(settings_of(12, 12), batch=lambda step: torch.tensor(value if step == 5 else 1.0))
    with pytest.raises(TrainingError) as caught:
        trial.train()
    assert "is no longer a finite number at step 6" in caught.value.message
    assert "--learning-rate" in caught.value.hint
    assert trial.saved == [1, 2, 3, 4, 5]
    assert trial.run.step == 5
    assert all(torch.isfinite(weight).all() for weight in trial.run.network.parameters())


def test_a_gradient_that_is_no_number_stops_the_run_though_the_loss_is_one():
    trial = Trial(settings_of())
    trial.run.network.loss = lambda batch, state: (trial.run.network.weight.sum().sqrt(), state)
    with pytest.raises(TrainingError, match="the loss or its gradient"):
        trial.train()
    assert trial.saved == []
    assert trial.run.network.weight.item() == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_held_out_loss_that_is_no_number_stops_the_run_and_is_never_saved(value):
    trial = Trial(settings_of(3, 3), losses=[1.0, value])
    with pytest.raises(TrainingError, match="the held-out loss is no longer a finite number at step 2"):
        trial.train()
    assert trial.saved == [1]
    assert len(trial.run.history) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stop_at", [0, 3, 4, 10])
def test_a_signal_stops_the_run_within_one_step_and_saves_it(number, stop_at):
    def batch(step):
        if step == stop_at:
            signal.raise_signal(number)
        return torch.tensor(1.0)

    trial = Trial(settings_of(12, 3), batch=batch)
    with pytest.raises(Interrupted) as caught:
        trial.train()
    assert caught.value.exit_code == 128 + number
    assert caught.value.message == f"after step {stop_at + 1} of 12, which is saved."
    assert trial.saved[-1] == trial.run.step == stop_at + 1


def test_a_signal_in_the_last_step_comes_too_late_to_stop_it():
    def batch(step):
        if step == 11:
            signal.raise_signal(signal.SIGTERM)
        return torch.tensor(1.0)

    trial = Trial(settings_of(12, 3), batch=batch).train()
    assert trial.run.step == 12
    assert trial.saved == [4, 8, 12]


def test_without_a_place_to_save_to_a_signal_does_what_it_always_does():
    def batch(step):
        if step == 3:
            signal.raise_signal(signal.SIGINT)
        return torch.tensor(1.0)

    trial = Trial(settings_of(), batch=batch)
    # A shell's background jobs are started with SIGINT ignored, so that the usual handler is set here.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trial.train(save=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert trial.run.step == 3


def test_a_network_that_was_in_use_is_put_back_to_training():
    trial = Trial(settings_of(2))
    trial.run.network.eval()
    trial.train()
    assert trial.run.network.training


def test_a_finished_run_takes_no_further_step():
    trial = Trial(settings_of(3)).train()
    trial.asked.clear()
    trial.train()
    assert trial.asked == []


def test_the_measured_speed_is_of_steps_that_were_taken():
    run = start(Point(), settings_of())
    steps = []
    seconds = seconds_per_step(run, settings_of(), lambda step: (steps.append(step), torch.tensor(1.0))[1], 0.0)
    assert steps == [0, 1, 2]
    assert seconds > 0


def test_the_log_holds_a_line_an_evaluation(tmp_path):
    log = tmp_path / "log"
    Trial(settings_of(4, 2), losses=[2.0, 3.0], log=log).train()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["event"], line["step"], line["valid"], line["best"]) for line in lines] == [
        ("evaluation", 2, 2.0, True),
        ("evaluation", 4, 3.0, False),
    ]
    assert all(line["seconds"] >= 0 and line["characters_per_second"] >= 0 for line in lines)
