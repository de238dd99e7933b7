"""Planning a language model's run, and going on with one that was stopped: equal bits, or a refusal."""

import json
import re
import tracemalloc
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato import model_file
from ostinato.data.streams import Streams
from ostinato.data.text import Text
from ostinato.errors import FileFormatError, Interrupted, OptionError, OstinatoError, TrainingError
from ostinato.tasks import language
from ostinato.tasks.language import LanguageModel
from ostinato.tasks.language_options import MAX_EPOCHS, LanguageOptions
from ostinato.training import language as module
from ostinato.training import planning
from ostinato.training.session import open_checkpoint
from tests.small import PEEPHOLE, SIZES, TEXT
from tests.training.stopping import stop_in, until_done

STEPS = SIZES["steps"]
CELLS = {"gru": "gru", "lstm": "lstm", "peephole": PEEPHOLE}
FREE = {name: value for name, value in SIZES.items() if name != "steps"}


def bits(model):
    """All that training decides, comparable by equality."""
    weights = {name: (array.dtype, array.shape, array.tobytes()) for name, array in model.weights_.items()}
    return weights, model.history_, model.metrics_, model.baselines_, model.data_


# ---- the plan


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        for reader in (planning, language):
            monkeypatch.setattr(reader, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def speed(monkeypatch):
    """Put a number of seconds in the place of the measured ones; real steps are taken, but no real time counts."""
    clock, real = Clock(monkeypatch), planning.seconds_per_step

    def put(seconds):
        def measured(run, settings, batch, duration):
            put.durations.append(duration)
            real(run, settings, batch, 0.0)
            return seconds

        monkeypatch.setattr(planning, "seconds_per_step", measured)
        return clock

    put.durations = []
    return put


def planned(started=100.0, **options):
    """Return the number of steps of a plan, and the steps of an epoch."""
    model = LanguageModel(**(FREE | options))
    streams = Streams(np.zeros(10_000, np.int32), 4, 8, 0)
    network = module.SymbolNetwork(module.SymbolArchitecture(model.cell, 5, 4, 4, 1))
    report = SimpleNamespace(say=lambda text: None)
    held_out = np.zeros(50, np.int32)
    steps = planning.planned_steps(
        network,
        model.options,
        streams.batch,
        streams.steps_per_epoch,
        MAX_EPOCHS,
        lambda: network.nats(held_out),
        0,
        report,
        started,
    )
    return steps, streams.steps_per_epoch


def test_steps_are_taken_as_they_are():
    assert planned(steps=77)[0] == 77


@pytest.mark.parametrize(("epochs", "factor"), [(1, 1), (2.5, 2.5), (1e-9, 0), (200, 200)])
def test_epochs_are_passes_over_the_text_and_at_least_a_step(epochs, factor):
    steps, each = planned(epochs=epochs)
    assert each == 312
    assert steps == max(1, round(factor * each))


def test_time_is_turned_into_the_steps_that_fit_in_what_is_left_of_it(speed):
    speed(0.01)
    assert planned(time=10)[0] == pytest.approx(9.7 / 0.01, abs=1)
    assert planned(time=10, started=96.0)[0] == pytest.approx(5.7 / 0.01, abs=1)
    assert planned(time=10, started=0.0)[0] == 1
    assert planned(time="1h")[0] == MAX_EPOCHS * 312
    assert speed.durations == [1.0, 1.0, 1.0, 20.0]


def test_evaluations_are_taken_from_the_time(speed, monkeypatch):
    clock = speed(0.01)
    original = module.SymbolNetwork.nats

    def slow(network, ids):
        clock.now += 0.5
        return original(network, ids)

    monkeypatch.setattr(module.SymbolNetwork, "nats", slow)
    assert planned(time=10, evaluations=4)[0] == pytest.approx((9.7 - 0.5 - 4 * 0.5) / 0.01, abs=1)


def test_the_plan_of_a_time_is_printed_and_gives_the_same_bits_when_typed(speed, capsys):
    """The time decides the hidden size too, so that the printed plan names it."""
    speed(0.05)
    sizes = {name: value for name, value in FREE.items() if name != "hidden_size"}
    timed = LanguageModel("gru", time=1.0, **sizes).fit(TEXT)
    (flags,) = re.findall(r"^plan: ((?:--\w+ \d+ ?)+)\(", capsys.readouterr().err, flags=re.MULTILINE)
    stated = {name: int(value) for name, value in re.findall(r"--(\w+) (\d+)", flags)}
    assert stated == {"steps": 19, "hidden": 32}
    typed = LanguageModel("gru", steps=stated["steps"], hidden_size=stated["hidden"], **sizes).fit(TEXT, quiet=True)
    assert bits(typed) == bits(timed)
    unlike = LanguageModel("gru", steps=19, **sizes).fit(TEXT, quiet=True)
    assert unlike.options_.hidden_size != 32


def test_the_log_begins_with_the_plan(tmp_path):
    log = tmp_path / "log"
    LanguageModel("gru", **SIZES).fit(TEXT, quiet=True, log=log)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["plan", "evaluation", "evaluation", "evaluation"]
    assert (events[0]["steps"], events[0]["resumed_after"]) == (STEPS, 0)
    assert events[0]["options"] == json.loads(json.dumps(events[0]["options"])) | SIZES
    assert [event["step"] for event in events[1:]] == [4, 8, 12]


def test_a_run_in_which_validation_worsens_keeps_its_best_weights():
    """Learning a run of one symbol by heart makes a text of another less and less likely."""
    model = LanguageModel("gru", **(FREE | {"steps": 40, "evaluations": 8, "learning_rate": 0.05, "dropout": 0.0}))
    model.fit("ab" * 50 + "a" * 2000, valid="b" * 200, quiet=True)
    losses = [record["valid"] for record in model.history_]
    best = min(losses)
    assert losses[-1] > 2 * best
    assert model.metrics_["nats_per_character"] == pytest.approx(best)
    assert model.evaluate("b" * 200).metrics["nats_per_character"] == pytest.approx(best, rel=1e-5)


def test_a_run_that_diverges_ends_in_an_error_and_leaves_what_was_saved(tmp_path):
    path = tmp_path / "kept"
    model = LanguageModel("elman_relu", **(SIZES | {"learning_rate": 1e9, "clip_norm": 1e9, "steps": 60}))
    with pytest.raises(TrainingError):
        model.fit(TEXT, quiet=True, checkpoint=path)
    assert not hasattr(model, "weights_")
    kept = open_checkpoint(path, LanguageOptions, "language")
    assert all(np.isfinite(array).all() for name, array in kept.tensors.items() if name.startswith("best."))


# ---- going on


@pytest.fixture
def stop(monkeypatch):
    return partial(stop_in, monkeypatch, Streams)


@pytest.fixture(scope="module")
def unstopped():
    return {name: LanguageModel(cell, **SIZES).fit(TEXT, quiet=True) for name, cell in CELLS.items()}


def fit(path, resume, cell="gru"):
    return LanguageModel(cell, **SIZES).fit(TEXT, checkpoint=path, resume=resume, quiet=True)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stops", [{0, 7}, {3, 4}, {5, 6, 9}, {10}], ids=str)
def test_a_run_stopped_and_gone_on_with_has_the_bits_of_one_never_stopped(tmp_path, stop, unstopped, cell, stops):
    stop(stops)
    model, stopped = until_done(partial(fit, cell=CELLS[cell]), tmp_path / "kept")
    assert stopped == len(stops)
    assert bits(model) == bits(unstopped[cell])


@pytest.mark.slow
@settings(max_examples=12)
@given(stops=st.sets(st.integers(0, STEPS - 2), max_size=4))
def test_a_run_can_be_stopped_in_any_steps(tmp_path_factory, unstopped, stops):
    with pytest.MonkeyPatch.context() as monkeypatch:
        stop_in(monkeypatch, Streams, stops)
        model, stopped = until_done(fit, tmp_path_factory.mktemp("any") / "kept")
    assert stopped == len(stops)
    assert bits(model) == bits(unstopped["gru"])


def test_the_comparison_of_bits_can_fail(unstopped):
    other = LanguageModel("gru", **(SIZES | {"seed": 1})).fit(TEXT, quiet=True)
    assert bits(other) != bits(unstopped["gru"])


def stopped_run(path, stop, text=TEXT, valid=None, at=5, cell="gru", **options):
    """Leave the checkpoint of a run that was stopped."""
    stop({at})
    model = LanguageModel(cell, **(SIZES | options))
    with pytest.raises(Interrupted) as caught:
        model.fit(text, valid, checkpoint=path, quiet=True)
    assert caught.value.exit_code == 143
    assert not hasattr(model, "weights_")
    return path


def resume(path, text=TEXT, valid=None, cell="gru", **options):
    return LanguageModel(cell, **options).fit(text, valid, checkpoint=path, resume=True, quiet=True)


def test_a_plan_of_time_is_kept_and_measured_once(tmp_path, speed, stop):
    speed(0.05)
    timed = {"time": 1.0} | FREE
    whole = LanguageModel("gru", **timed).fit(TEXT, quiet=True)
    stop({11})
    with pytest.raises(Interrupted, match="after step 12 of 19"):
        LanguageModel("gru", **timed).fit(TEXT, checkpoint=tmp_path / "kept", quiet=True)
    speed.durations.clear()
    speed(7.0)
    assert bits(resume(tmp_path / "kept", **timed)) == bits(whole)
    assert speed.durations == []


def test_options_that_are_left_out_are_those_of_the_plan(tmp_path, stop):
    """The share that is held out is among them: another would train on what the first run kept apart."""
    options = {"valid_fraction": 0.3, "seed": 5, "weight_decay": 0.2}
    whole = LanguageModel("gru", **(SIZES | options)).fit(TEXT, quiet=True)
    model = resume(stopped_run(tmp_path / "kept", stop, **options))
    assert model.options_ == whole.options_
    assert bits(model) == bits(whole)


def test_threads_and_device_may_change(tmp_path, stop):
    model = resume(stopped_run(tmp_path / "kept", stop, at=10, threads=1), threads=2, device="cpu", **SIZES)
    assert (model.options_.threads, model.options_.device) == (2, "cpu")


def test_the_log_tells_where_a_run_went_on(tmp_path, stop):
    path = stopped_run(tmp_path / "kept", stop)
    LanguageModel("gru", **SIZES).fit(TEXT, checkpoint=path, resume=True, quiet=True, log=tmp_path / "log")
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert events[0]["resumed_after"] == 6
    assert [event["step"] for event in events[1:]] == [8, 12]


def test_a_finished_run_is_given_back_without_a_further_step(tmp_path, monkeypatch, unstopped):
    path = tmp_path / "kept"
    LanguageModel("gru", **SIZES).fit(TEXT, checkpoint=path, quiet=True)
    monkeypatch.setattr(Streams, "batch", lambda streams, step: pytest.fail("a step was taken"))
    assert bits(resume(path)) == bits(unstopped["gru"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 9}, "hidden_size is 9, but the checkpoint was made with 8."),
        ({"steps": 13}, "steps is 13, but the checkpoint was made with 12."),
        ({"time": "5m"}, "time is 300.0, but the checkpoint was made with None."),
        ({"epochs": 2}, "epochs is 2.0, but the checkpoint was made with None."),
        ({"seed": 0}, "seed is 0, but the checkpoint was made with 5."),
        ({"learning_rate": 0.003}, "learning_rate is 0.003, but the checkpoint was made with 0.01."),
        ({"tokens": "bytes"}, "tokens is 'bytes', but the checkpoint was made with 'characters'."),
        ({"cell": "lstm"}, "the checkpoint was made with another cell."),
        ({"cell": PEEPHOLE}, "the checkpoint was made with another cell."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_contradicts_the_plan_is_refused_even_where_it_is_the_default(tmp_path, stop, options, message):
    path = stopped_run(tmp_path / "kept", stop, seed=5)
    before = path.read_bytes()
    with pytest.raises(OptionError) as caught:
        resume(path, **options)
    assert caught.value.message == message
    assert caught.value.hint
    assert path.read_bytes() == before


def test_tokens_count_even_when_they_are_left_out(tmp_path, stop):
    path = stopped_run(tmp_path / "kept", stop, tokens="bytes")
    with pytest.raises(OptionError, match="tokens is 'characters', but the checkpoint was made with 'bytes'"):
        resume(path)
    assert resume(path, tokens="bytes").vocabulary_.kind == "bytes"


@pytest.mark.parametrize(
    ("text", "valid"), [(TEXT + "!", None), (TEXT[:-1], None), (TEXT, TEXT[:500]), (Text(TEXT.upper()), None)]
)
def test_another_text_is_refused(tmp_path, stop, text, valid):
    path = stopped_run(tmp_path / "kept", stop)
    with pytest.raises(OptionError) as caught:
        resume(path, text, valid)
    assert str(caught.value) == "the checkpoint was made from another text.\n  hint: give the same files."


def test_another_held_out_text_is_refused(tmp_path, stop):
    path = stopped_run(tmp_path / "kept", stop, valid=TEXT[:500])
    for valid in (None, TEXT[:501]):
        with pytest.raises(OptionError, match="from another text"):
            resume(path, TEXT, valid)
    assert resume(path, TEXT, TEXT[:500]).history_[-1]["step"] == STEPS


def test_the_same_text_from_a_file_is_the_same_text(tmp_path, stop, unstopped):
    (tmp_path / "text").write_text(TEXT)
    path = stopped_run(tmp_path / "kept", stop)
    assert bits(resume(path, Path(tmp_path / "text"))) == bits(unstopped["gru"])


def test_there_must_be_a_checkpoint(tmp_path):
    with pytest.raises(FileFormatError) as caught:
        resume(tmp_path / "kept")
    assert str(caught.value) == (
        f"there is no checkpoint {tmp_path / 'kept'} to go on from.\n"
        "  hint: run the same command without --resume to begin."
    )
    with pytest.raises(OptionError, match="there is nothing to resume from"):
        resume(None)


def test_what_is_no_sound_checkpoint_is_refused(tmp_path, stop, small_file):
    with pytest.raises(FileFormatError, match="is a model file, not a checkpoint"):
        resume(small_file)
    path = stopped_run(tmp_path / "kept", stop)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[: len(content) // 2], content[:-1] + bytes([content[-1] ^ 1]), b"text"):
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match=re.escape(str(path))):
            resume(path)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 10**9},
        {"num_layers": 10**6},
        {"embedding_size": 10**9},
        {"batch_size": 10**9},
        {"sequence_length": 10**9},
        {"hidden_size": None},
        {"hidden_size": "8"},
        {"steps": -1},
    ],
    ids=str,
)
def test_a_plan_of_impossible_sizes_is_refused_and_takes_no_memory(tmp_path, stop, change):
    path = stopped_run(tmp_path / "kept", stop)
    document, tensors = model_file.read(path)
    document["plan"]["options"] |= change
    model_file.write(path, "checkpoint", document, tensors)
    tracemalloc.start()
    try:
        with pytest.raises(OstinatoError):
            resume(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 * 2**20
