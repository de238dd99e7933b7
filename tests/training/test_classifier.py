"""Training a classifier: an interrupted run that goes on ends with equal bits; what is begun must be gone on with."""

import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest

from ostinato import Classifier, model_file
from ostinato.data.sequences import ByLength
from ostinato.data.streams import Streams
from ostinato.errors import FileFormatError, Interrupted, OptionError, TrainingError
from ostinato.tasks.classifier_options import ClassifierOptions
from ostinato.tasks.options import make
from ostinato.training.pretraining import SHARE, after_reading
from ostinato.training.session import Session
from tests.small_labels import SIZES, names, reviews, waves
from tests.tasks.classifiers import assert_same, fitted, refusal, tensors
from tests.training.stopping import in_step

STEPS = {"steps": 12, "evaluations": 4}


@pytest.fixture(scope="module")
def whole():
    """A run that never stopped, with everything that draws."""
    return fitted(*waves(), **STEPS, **NOISE)


NOISE = {"dropout": 0.3, "input_dropout": 0.2, "recurrent_dropout": 0.1}


@contextmanager
def stopped_in(step, of=ByLength, match="after step"):
    """A fit that a signal stops in a step."""
    with in_step(of, step, signal.SIGINT), pytest.raises(Interrupted, match=match):
        yield


def begun(**options):
    return Classifier(**(SIZES | STEPS | options))


@pytest.mark.parametrize("step", [3, *(pytest.param(step, marks=pytest.mark.slow) for step in (0, 1, 2, 5, 8, 9, 11))])
def test_going_on_gives_the_bits_of_a_run_that_never_stopped(tmp_path, whole, step):
    checkpoint = tmp_path / "run"
    if step < 11:
        with stopped_in(step, match=f"after step {step + 1} of 12"):
            begun(**NOISE).fit(*waves(), checkpoint=checkpoint, quiet=True)
        assert model_file.read(checkpoint)[0]["run"]["step"] == step + 1
    else:
        begun(**NOISE).fit(*waves(), checkpoint=checkpoint, quiet=True)
    resumed = begun(**NOISE).fit(*waves(), checkpoint=checkpoint, resume=True, quiet=True)
    assert_same(resumed, whole, waves(5)[0])


def test_options_that_were_not_stated_are_those_that_the_run_began_with(tmp_path, whole):
    with stopped_in(6):
        begun(**NOISE).fit(*waves(), checkpoint=tmp_path / "run", quiet=True)
    resumed = Classifier().fit(*waves(), checkpoint=tmp_path / "run", resume=True, quiet=True)
    assert tensors(resumed) == tensors(whole)


def test_another_run_is_not_gone_on_with(tmp_path):
    checkpoint = tmp_path / "run"
    with stopped_in(2):
        begun().fit(*names(), checkpoint=checkpoint, quiet=True)
    before = checkpoint.read_bytes()
    texts, labels = names()
    for options, data, said in (
        ({"hidden_size": 5}, names(), "hidden_size is 5, but the checkpoint was made with 6."),
        ({"cell": "lstm"}, names(), "the checkpoint was made with another cell."),
        ({"seed": 3}, names(), "seed is 3, but the checkpoint was made with 0."),
        ({}, ([*texts[:-1], "other"], labels), "the checkpoint was made from other examples."),
        ({}, (texts, labels[1:] + labels[:1]), "the checkpoint was made from other examples."),
    ):
        call = begun(**options).fit
        assert refusal(OptionError, call, *data, checkpoint=checkpoint, resume=True, quiet=True)[0] == said
    message, _ = refusal(OptionError, begun().fit, *names(), checkpoint=checkpoint, quiet=True)
    assert "holds an unfinished run" in message
    assert checkpoint.read_bytes() == before
    assert refusal(OptionError, begun().fit, *names(), resume=True)[0] == "there is nothing to resume from."
    message, _ = refusal(FileFormatError, begun().fit, *names(), checkpoint=tmp_path / "gone", resume=True)
    assert message.startswith("there is no checkpoint")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    checkpoint = tmp_path / "run"
    with stopped_in(2):
        begun().fit(*names(), checkpoint=checkpoint, quiet=True)
    content = checkpoint.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(content), 10):
        checkpoint.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        refusal(FileFormatError, begun().fit, *names(), checkpoint=checkpoint, resume=True, quiet=True)
    checkpoint.write_bytes(content)
    document, tensors_ = model_file.read(checkpoint)
    rest = {name: value for name, value in document.items() if name not in ("kind", "format")}
    for name in ("network.parts.0.layers.0.0.W", "network.embedding.weight"):
        model_file.write(checkpoint, "checkpoint", rest, tensors_ | {name: tensors_[name][:-1]})
        refusal(FileFormatError, begun().fit, *names(), checkpoint=checkpoint, resume=True, quiet=True)


def test_the_best_point_is_kept():
    """Whatever came after it: where the held-out labels are the wrong ones, the more is learned the worse it is."""
    texts, labels = reviews(30, seed=4)
    wrong = ["pos" if label == "neg" else "neg" for label in labels]
    model = fitted(*reviews(), valid=(texts, wrong), linear="never", steps=40, evaluations=8, dropout=0.0)
    losses = {record["step"]: record["valid"] for record in model.history_}
    best = min(losses, key=lambda step: losses[step])
    assert losses[40] > losses[best] + 0.01
    model.mixture_ = [1.0]
    p = model.predict_proba(texts)[np.arange(30), np.searchsorted(model.classes_, wrong)]
    assert -np.log(p).mean() == pytest.approx(losses[best], rel=1e-4)


def test_patience_ends_a_run_early():
    model = fitted(*reviews(), steps=200, evaluations=40, learning_rate=0.3, patience=2, linear="never")
    assert model.history_[-1]["step"] < 200


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    series, labels = waves(20)
    call = begun(learning_rate=1e9, cell="elman_relu", linear="never").fit
    with pytest.raises(TrainingError):
        call(series, labels, checkpoint=tmp_path / "run", quiet=True)
    _, kept = model_file.read(tmp_path / "run")
    assert all(np.isfinite(array).all() for array in kept.values() if array.dtype == np.float32)


def test_the_number_of_threads_changes_no_bit(whole):
    assert tensors(fitted(*waves(), **STEPS, **NOISE, threads=2)) == tensors(whole)


@pytest.mark.slow
def test_a_stated_time_becomes_a_plan_of_steps_that_gives_the_same_again(capsys):
    texts, labels = names(30)
    sizes = {name: value for name, value in SIZES.items() if name != "steps"}
    model = Classifier(**sizes, time="3s", linear="never").fit(texts, labels)
    said = capsys.readouterr().err
    steps = int(said.split("plan: --steps ")[1].split()[0])
    assert model.history_[-1]["step"] == steps
    again = Classifier(**sizes, steps=steps, linear="never").fit(texts, labels, quiet=True)
    assert tensors(again) == tensors(model)


# ---- text without labels, read first


@pytest.fixture
def unlabelled(tmp_path):
    """A file of texts, a line each; more than are labelled."""
    path = tmp_path / "unlabelled.txt"
    path.write_text("\n".join(reviews(150, seed=5)[0]))
    return path


def reader(path, **options):
    return begun(pretrain=(str(path),), pretrain_epochs=2.0, **options)


@pytest.mark.parametrize("step", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_going_on_from_the_midst_of_reading_gives_equal_bits(tmp_path, unlabelled, step):
    whole = reader(unlabelled).fit(*reviews(), quiet=True)
    assert tensors(whole) != tensors(fitted(*reviews(), **STEPS))
    checkpoint = tmp_path / "run"
    with stopped_in(step, of=Streams):
        reader(unlabelled).fit(*reviews(), checkpoint=checkpoint, quiet=True)
    content = checkpoint.read_bytes()
    unread = tmp_path / "other.txt"
    unread.write_text("\n".join(reversed(unlabelled.read_text().split("\n"))))
    unlabelled.rename(tmp_path / "kept.txt")
    unread.rename(unlabelled)
    message, _ = refusal(
        OptionError, reader(unlabelled).fit, *reviews(), checkpoint=checkpoint, resume=True, quiet=True
    )
    assert message == "the checkpoint was made from other examples."
    (tmp_path / "kept.txt").rename(unlabelled)
    # Stopped once more, now where it learns from labels.
    with stopped_in(4):
        reader(unlabelled).fit(*reviews(), checkpoint=checkpoint, resume=True, quiet=True)
    assert checkpoint.read_bytes() != content
    resumed = reader(unlabelled).fit(*reviews(), checkpoint=checkpoint, resume=True, quiet=True)
    assert_same(resumed, whole, reviews(5)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": "spellings"}, "words with their characters cannot be read first."),
        ({"vectors": "v.txt"}, "--pretrain and --vectors both say what embeddings start at."),
    ],
    ids=str,
)
def test_what_cannot_be_read_first_is_refused(unlabelled, options, message):
    assert refusal(OptionError, reader(unlabelled, **options).fit, *reviews(), quiet=True)[0] == message
    assert refusal(OptionError, reader(unlabelled).fit, *waves(), quiet=True)[0] == "series of numbers have no words."


def test_reading_leaves_what_follows_its_share_of_the_time():
    """A machine that slowed down while it read must not leave the classifier a step or two."""
    now, timed = time.monotonic(), make(ClassifierOptions, {"time": 100.0})

    def left(started, options):
        session = Session(options, None, None, started)
        return 100 - (time.monotonic() - after_reading(session, options).started)

    assert left(now - 20, timed) == pytest.approx(80, abs=1)
    assert left(now - 500, timed) == pytest.approx(100 * (1 - SHARE), abs=1)
    assert left(now - 500, make(ClassifierOptions, {"steps": 3})) == pytest.approx(-400, abs=1)
