"""A number that is none, in real trainings: the error names the batch, or the run goes back, and resumes exactly."""

import json
import math
import signal
from contextlib import contextmanager
from functools import partial

import numpy as np
import polars as pl
import pytest

from ostinato import Forecaster, LanguageModel
from ostinato.data.streams import Streams
from ostinato.data.windows import Shuffled
from ostinato.errors import Interrupted, TrainingError
from ostinato.nn.symbols import SymbolNetwork
from tests import small, small_series
from tests.training.stopping import until_done

TEXT = small.TEXT[:2000]
SIZES = small.SIZES | {"num_layers": 1}
SERIES = pl.DataFrame(small_series.load())
SHOPS = pl.DataFrame(small_series.shops())


@pytest.fixture
def spoilt(monkeypatch):
    """Make the losses of some steps no number, and raise a signal in others, once each.

    Not in step 0, whose batch a forecaster also reads before training, when signals still do what they always do.
    """
    bad, stops = set(), set()
    read, drawn, loss = Streams.batch, Shuffled.batch, SymbolNetwork.loss
    last = []

    def stop_if_due(step):
        if step in stops:
            stops.remove(step)
            signal.raise_signal(signal.SIGTERM)

    def batch(streams, step):
        stop_if_due(step)
        last[:] = [step]
        return read(streams, step)

    def spoilt_loss(network, batch, state):
        value, after = loss(network, batch, state)
        return (value * math.nan, after) if last[0] in bad else (value, after)

    def windows(shuffled, step):
        stop_if_due(step)
        found = drawn(shuffled, step)
        return found._replace(truth=found.truth * np.float32(math.nan)) if step in bad else found

    monkeypatch.setattr(Streams, "batch", batch)
    monkeypatch.setattr(SymbolNetwork, "loss", spoilt_loss)
    monkeypatch.setattr(Shuffled, "batch", windows)

    @contextmanager
    def put(bad_steps, stop_steps=()):
        bad.clear(), stops.clear()
        bad.update(bad_steps), stops.update(stop_steps)
        yield
        bad.clear(), stops.clear()

    return put


def language(path=None, resume=False, log=None, **options):
    model = LanguageModel("gru", **(SIZES | options))
    return model.fit(TEXT, checkpoint=path, resume=resume, quiet=True, log=log)


def forecast(path=None, resume=False, log=None, **options):
    options = small_series.SIZES | {"target": ("load",), "steps": 12, "checkpoint_every": 3600.0} | options
    return Forecaster(**options).fit(SERIES, checkpoint=path, resume=resume, quiet=True, log=log)


TASKS = pytest.mark.parametrize("fit", [language, forecast])


def bits(model):
    return {name: array.tobytes() for name, array in model.weights_.items()}, model.history_


# ---- it stops


@TASKS
def test_a_run_stops_and_leaves_its_last_checkpoint_from_which_it_can_go_back(tmp_path, spoilt, fit):
    path = tmp_path / "kept"
    with spoilt({6}):
        for resume in (False, True):
            with pytest.raises(TrainingError) as caught:
                fit(path, resume=resume)
            assert caught.value.message.startswith(
                "the loss is no longer a finite number at step 7 (nan), in the batch of"
            )
            assert "--resume --on-nan back" in caught.value.hint
        model = fit(path, resume=True, on_nan="back")
        assert bits(model) == bits(fit(on_nan="back"))
    assert model.options_.on_nan == "back"
    assert [record["step"] for record in model.history_] == [4, 8, 12]


def test_the_batch_of_a_text_is_named_by_its_symbols(spoilt):
    with spoilt({6}), pytest.raises(TrainingError) as caught:
        language()
    streams = Streams(np.arange(1800), SIZES["batch_size"], SIZES["sequence_length"], 0)
    inputs, targets, _ = streams.batch(6)
    first, *_ = streams.names(6)
    assert first == f"symbols {inputs[0, 0]:,} to {targets[-1, 0]:,} of the training text"
    assert f"in the batch of {first}, " in caught.value.message
    assert caught.value.message.endswith("and 1 more.")
    assert len(streams.names(6)) == 4


def test_the_batch_of_series_is_named_by_series_and_time(spoilt):
    sizes = small_series.SIZES | {"batch_size": 2}
    with spoilt({1}), pytest.raises(TrainingError) as caught:
        Forecaster(**sizes).fit(SHOPS, quiet=True)
    found = caught.value.message.split("in the batch of ")[1].removesuffix(".").split(", ")
    assert len(found) == 2
    for name in found:
        shop, _, time = name.partition(" from ")
        rows = SHOPS.filter(pl.col("unique_id") == shop)
        assert rows["ds"].dt.strftime("%Y-%m-%d").to_list().count(time) == 1


def test_a_lone_series_is_named_by_time_alone(spoilt):
    with (
        spoilt({1}),
        pytest.raises(TrainingError, match=r"in the batch of the forecast from 2024-03-0\d \d\d:00, the forecast"),
    ):
        forecast()


# ---- it goes back


@TASKS
@pytest.mark.parametrize("stops", [{2}, {5, 7}, {6, 9}, {3, 10}], ids=str)
def test_a_run_that_goes_back_and_is_stopped_has_the_bits_of_one_never_stopped(tmp_path, spoilt, fit, stops):
    options = {"on_nan": "back", "checkpoint_every": 1e-9}
    with spoilt({6, 9}):
        whole = fit(on_nan="back")
    with spoilt({6, 9}, stops):
        model, stopped = until_done(partial(fit, **options), tmp_path / "kept")
    assert stopped == len(stops)
    assert bits(model) == bits(whole)
    with spoilt({6}):
        assert bits(fit(on_nan="back")) != bits(whole)


@TASKS
def test_without_a_failure_going_back_changes_nothing(fit):
    assert bits(fit(on_nan="back")) == bits(fit())


def test_what_was_done_about_it_stays_when_it_is_left_out(tmp_path, spoilt):
    path = tmp_path / "kept"
    with spoilt({6}):
        whole = language(on_nan="back")
    with spoilt({6}, {2}), pytest.raises(Interrupted):
        language(path, on_nan="back", checkpoint_every=7.0)
    with spoilt({6}):
        model = LanguageModel("gru").fit(TEXT, checkpoint=path, resume=True, quiet=True)
    assert (model.options_.on_nan, model.options_.checkpoint_every) == ("back", 7.0)
    assert bits(model) == bits(whole)


# ---- checkpoints by the clock, and patience


@TASKS
def test_checkpoints_at_every_step_change_no_bit(tmp_path, fit):
    assert bits(fit(tmp_path / "kept", checkpoint_every=1e-9)) == bits(fit())


@TASKS
def test_patience_ends_a_run_and_holds_when_it_goes_on(tmp_path, spoilt, fit):
    options = {"patience": 2, "learning_rate": 0.5, "evaluations": 12}
    whole = fit(log=tmp_path / "log", **options)
    ended = len(whole.history_)
    assert ended < 12
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (events[-1]["event"], events[-1]["step"]) == ("patience", ended)
    stops = {1, ended - 2}
    with spoilt((), stops):
        model, stopped = until_done(partial(fit, **options), tmp_path / "kept")
    assert stopped == len(stops)
    assert bits(model) == bits(whole)
    assert bits(fit(tmp_path / "kept", resume=True, **options)) == bits(whole)
