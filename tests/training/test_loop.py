"""The loop over a network of one weight, whose every step can be foreseen."""

import json
import math
import re
import signal

import pytest
import torch
from torch import nn

from ostinato.errors import Interrupted, TrainingError
from ostinato.training import point
from ostinato.training.back import MOST_BACKS, listed
from ostinato.training.loop import Settings, Units, one_step, seconds_per_step, start, train, weights_of
from ostinato.training.point import Point as Copied
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
        self.names = None
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
                self.names,
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
    assert caught.value.message == f"the loss is no longer a finite number at step 6 ({value})."
    assert caught.value.hint == (
        "go on from the last checkpoint with --resume --on-nan back, or begin anew with a smaller --learning-rate."
    )
    assert trial.saved == [1, 2, 3, 4, 5]
    assert trial.run.step == 5
    assert all(torch.isfinite(weight).all() for weight in trial.run.network.parameters())


def test_a_gradient_that_is_no_number_stops_the_run_though_the_loss_is_one():
    trial = Trial(settings_of())
    trial.run.network.loss = lambda batch, state: (trial.run.network.weight.sum().sqrt(), state)
    with pytest.raises(TrainingError, match=re.escape("the norm of the loss's gradient is no longer a finite number")):
        trial.train()
    assert trial.saved == []
    assert trial.run.network.weight.item() == 0.0


def test_a_weight_that_is_no_number_stops_the_run_before_it_could_be_saved():
    trial = Trial(settings_of(learning_rate=1e39, checkpoint_every=0.0))
    with pytest.raises(TrainingError, match="the norm of the weights is no longer a finite number at step 1 "):
        trial.train()
    assert trial.saved == []


def test_the_error_names_the_batch(tmp_path):
    log = tmp_path / "log"
    trial = Trial(settings_of(12, 12), batch=lambda step: torch.tensor(math.nan if step == 5 else 1.0), log=log)
    trial.names = lambda step: [f"text {10 * step + number}" for number in range(5)]
    with pytest.raises(TrainingError) as caught:
        trial.train(save=False)
    assert caught.value.message == (
        "the loss is no longer a finite number at step 6 (nan), in the batch of text 50, text 51, text 52 and 2 more."
    )
    assert caught.value.hint == "use --on-nan back, or begin anew with a smaller --learning-rate."
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["step"], last["batch"]) == ("not_finite", 6, [f"text {50 + k}" for k in range(5)])


@pytest.mark.parametrize(
    ("count", "expected"), [(1, "a"), (2, "a, b"), (3, "a, b, c"), (4, "a, b, c and 1 more"), (5, "a, b, c and 2 more")]
)
def test_of_many_names_a_few_are_told(count, expected):
    assert listed("abcde"[:count]) == expected


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


# ---- checkpoints by the clock


@pytest.mark.parametrize(("every", "saved"), [(0.0, list(range(1, 13))), (3600.0, [4, 8, 12])])
def test_the_clock_decides_when_the_run_is_saved_and_nothing_else(every, saved):
    trial = Trial(settings_of(checkpoint_every=every)).train()
    assert trial.saved == saved
    undisturbed = Trial(settings_of()).train()
    assert trial.run.network.weight.item() == undisturbed.run.network.weight.item()
    assert trial.run.history == undisturbed.run.history


# ---- patience


@pytest.mark.parametrize(
    ("patience", "losses", "expected"),
    [
        (1, [3.0, 2.0, 2.0, 1.0, 1.0, 1.0], 3),
        (2, [3.0, 2.0, 2.0, 1.0, 1.5, 1.2], 6),
        (2, [1.0, 2.0, 3.0, 0.0, 0.0, 0.0], 3),
        (3, [3.0, 2.0, 2.5, 2.5, 1.0, 2.0], 6),
        (None, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 6),
    ],
)
def test_patience_ends_training_after_evaluations_without_gain(patience, losses, expected):
    trial = Trial(settings_of(12, 6, patience=patience), losses=losses).train()
    assert len(trial.run.history) == expected
    assert trial.run.step == trial.saved[-1] == 2 * expected
    assert trial.run.best_loss == min(losses[:expected])
    trial.asked.clear()
    trial.train()
    assert trial.asked == []


def test_a_signal_in_the_last_step_of_patience_comes_too_late():
    def batch(step):
        if step == 5:
            signal.raise_signal(signal.SIGTERM)
        return torch.tensor(1.0)

    trial = Trial(settings_of(12, 6, patience=2), losses=[1.0, 2.0, 3.0], batch=batch).train()
    assert trial.run.step == 6


# ---- going back


def failing(*steps):
    """A batch for each step, all different, and no number in some steps."""
    return lambda step: torch.tensor(math.nan if step in steps else 1.0 + 0.37 * step)


def weight(run):
    return run.network.weight.item()


def test_a_run_goes_back_to_its_last_evaluation_with_half_the_rate_and_on_with_the_next_batch():
    settings = settings_of(12, 3, on_nan="back")
    trial = Trial(settings, batch=failing(6)).train()
    assert trial.asked == list(range(12))
    assert trial.saved == [4, 7, 8, 12]
    assert (trial.run.backs, trial.run.good.step) == (1, 12)
    expected = start(Point(), settings)
    for step in range(4):
        one_step(expected, settings, failing()(step))
    expected.backs = 1
    assert expected.step == 4
    for step in range(7, 12):
        expected.step = step
        one_step(expected, settings, failing()(step))
        rates = {group["lr"] for group in expected.optimiser.param_groups}
        assert rates == {learning_rate(step, 12, 0.1, 0) / 2}
    assert weight(trial.run) == weight(expected)
    assert weight(trial.run) != weight(Trial(settings, batch=failing()).train().run)


def test_the_train_loss_after_going_back_is_that_of_the_steps_since():
    trial = Trial(settings_of(12, 3, on_nan="back", learning_rate=1e-30), batch=failing(6)).train()
    losses = [(0.37 * step + 1) ** 2 for step in range(12)]
    means = [sum(losses[:4]) / 4, losses[7], sum(losses[8:]) / 4]
    assert [record["train"] for record in trial.run.history] == pytest.approx(means)


def test_before_the_first_evaluation_it_goes_back_to_the_beginning():
    trial = Trial(settings_of(12, 3, on_nan="back"), batch=failing(0, 2))
    trial.train()
    assert trial.run.backs == 2
    assert [record["step"] for record in trial.run.history] == [4, 8, 12]


def test_a_failure_where_an_evaluation_is_due_leaves_it_out():
    trial = Trial(settings_of(12, 3, on_nan="back"), batch=failing(7, 11)).train()
    assert [record["step"] for record in trial.run.history] == trial.evaluated == [4]
    assert trial.run.step == 12


def test_a_held_out_loss_that_is_no_number_is_gone_back_from():
    trial = Trial(settings_of(3, 3, on_nan="back"), losses=[1.0, math.nan, 0.5]).train()
    assert [(record["step"], record["valid"]) for record in trial.run.history] == [(1, 1.0), (3, 0.5)]
    assert trial.run.backs == 1


def test_a_weight_that_is_no_number_is_gone_back_from():
    trial = Trial(settings_of(4, 4, on_nan="back"))
    step, steps = trial.run.optimiser.step, []

    def spoiling():
        step()
        steps.append(weight(trial.run))
        if len(steps) == 3:
            with torch.no_grad():
                trial.run.network.weight.fill_(math.inf)

    trial.run.optimiser.step = spoiling
    trial.train()
    assert [record["step"] for record in trial.run.history] == [1, 2, 4]
    assert math.isfinite(weight(trial.run))


def test_after_so_many_times_it_stops():
    trial = Trial(settings_of(40, 10, on_nan="back"), batch=failing(*range(4, 40)))
    with pytest.raises(TrainingError) as caught:
        trial.train()
    assert caught.value.message == (
        "the loss is no longer a finite number at step 10 (nan), after 5 returns to a good point with half the "
        "learning rate each."
    )
    assert "--learning-rate" in caught.value.hint
    assert trial.run.backs == MOST_BACKS
    assert trial.saved == [4, 5, 6, 7, 8, 9]


def test_a_run_without_any_evaluation_is_an_error():
    trial = Trial(settings_of(2, 1, on_nan="back"), batch=failing(1))
    with pytest.raises(TrainingError, match="no evaluation was reached"):
        trial.train()


def test_going_back_is_told_and_logged(tmp_path, capsys):
    trial = Trial(settings_of(12, 3, on_nan="back"), batch=failing(6, 9), log=tmp_path / "log")
    trial.names = lambda step: [f"text {step}"]
    trial.report.quiet = False
    trial.train()
    said = [line for line in capsys.readouterr().err.splitlines() if "back" in line]
    assert said == [
        "the loss is no longer a finite number at step 7 (nan), in the batch of text 6: back to the point after step "
        "4, with 0.5 of the learning rate",
        "the loss is no longer a finite number at step 10 (nan), in the batch of text 9: back to the point after step "
        "8, with 0.25 of the learning rate",
    ]
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    told = [(line["step"], line["to"], line["batch"]) for line in lines if line["event"] == "back"]
    assert told == [(7, 4, ["text 6"]), (10, 8, ["text 9"])]


def test_a_point_is_a_copy_and_stays_one():
    run = start(Point(), settings_of())
    for step in range(3):
        one_step(run, settings_of(), failing()(step))
    copied = Copied.of(run)
    before = {name: value.clone() for name, value in copied.tensors.items()}
    for _ in range(2):
        point.put(run, copied.state_sizes, copied.tensors)
        one_step(run, settings_of(), failing()(run.step))
    assert before.keys() == copied.tensors.keys()
    assert all(torch.equal(before[name], value) for name, value in copied.tensors.items())
