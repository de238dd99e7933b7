"""Training a tagger: a run that was stopped goes on to the same bits, or is refused."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato import Tagger
from ostinato.data.sequences import ByLength
from ostinato.errors import FileFormatError, Interrupted, OptionError, TrainingError
from ostinato.tasks.tagger_options import MOST_EPOCHS, TaggerOptions, most_epochs
from ostinato.training.session import open_checkpoint
from tests.small_sentences import SIZES, entities, speech
from tests.training.stopping import stop_in, until_done

STEPS = 12
OPTIONS = SIZES | {"steps": STEPS}


def bits(tagger):
    """All that training decides, comparable by equality."""
    weights = {name: (array.shape, array.tobytes()) for name, array in tagger.weights_.items()}
    return weights, tagger.history_, tagger.metrics_, tagger.sharpness_, tagger.discount_, tagger.data_


def fit(data, path, resume=False, **options):
    return Tagger(**OPTIONS | options).fit(*data, checkpoint=path, resume=resume, quiet=True)


KINDS = {"paths": (entities(), {}), "words": (speech(), {"paths": False, "features": False, "cell": "gru"})}


@pytest.fixture(scope="module")
def unstopped():
    return {name: bits(Tagger(**OPTIONS | more).fit(*data, quiet=True)) for name, (data, more) in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stops", [{0, 7}, {4, 5, 10}], ids=str)
def test_a_run_stopped_and_gone_on_with_has_the_bits_of_one_never_stopped(
    tmp_path, monkeypatch, unstopped, kind, stops
):
    stop_in(monkeypatch, ByLength, stops)
    data, more = KINDS[kind]
    tagger, stopped = until_done(partial(fit, data, **more), tmp_path / "kept")
    assert stopped == len(stops)
    assert bits(tagger) == unstopped[kind]


@pytest.mark.slow
@settings(max_examples=12)
@given(stops=st.sets(st.integers(0, STEPS - 2), max_size=4))
def test_a_run_can_be_stopped_in_any_steps(tmp_path_factory, unstopped, stops):
    with pytest.MonkeyPatch.context() as monkeypatch:
        stop_in(monkeypatch, ByLength, stops)
        tagger, stopped = until_done(partial(fit, entities()), tmp_path_factory.mktemp("any") / "kept")
    assert stopped == len(stops)
    assert bits(tagger) == unstopped["paths"]


def test_the_comparison_of_bits_can_fail(unstopped):
    other = Tagger(**OPTIONS, seed=1).fit(*entities(), quiet=True)
    assert bits(other) != unstopped["paths"]


@pytest.fixture
def kept(tmp_path, monkeypatch):
    stop_in(monkeypatch, ByLength, {5})
    tagger = Tagger(**OPTIONS)
    with pytest.raises(Interrupted) as caught:
        tagger.fit(*entities(), checkpoint=tmp_path / "kept", quiet=True)
    assert caught.value.exit_code == 143
    assert not hasattr(tagger, "weights_")
    return tmp_path / "kept"


def resume(path, data, **options):
    return Tagger(**options).fit(*data, checkpoint=path, resume=True, quiet=True)


def test_options_that_are_left_out_are_those_of_the_plan(kept, unstopped):
    assert bits(resume(kept, entities())) == unstopped["paths"]


def test_what_contradicts_the_plan_is_refused(kept):
    words, tags = entities()
    with pytest.raises(OptionError, match="the checkpoint was made from other sentences"):
        resume(kept, (words, [["O"] * len(tags[0]), *tags[1:]]))
    with pytest.raises(OptionError, match="hidden_size is 7, but the checkpoint was made with 6"):
        resume(kept, (words, tags), hidden_size=7)
    with pytest.raises(OptionError, match="another cell"):
        resume(kept, (words, tags), cell="gru")
    with pytest.raises(OptionError, match="unfinished run"):
        fit((words, tags), kept)
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(FileFormatError):
        resume(kept, (words, tags))


def test_a_run_that_diverges_names_the_batch(tmp_path):
    words, tags = speech()
    options = OPTIONS | {"learning_rate": 1e9, "clip_norm": 1e9, "weight_decay": 1e9}
    with pytest.raises(TrainingError, match=r"in the batch of sentence \d+ \(from 0\)"):
        Tagger(**options, paths=False).fit(words, tags, checkpoint=tmp_path / "kept", quiet=True)
    found = open_checkpoint(tmp_path / "kept", TaggerOptions, "tag")
    assert all(np.isfinite(array).all() for name, array in found.tensors.items() if name.startswith("network."))


def test_a_stated_time_becomes_steps():
    tagger = Tagger(**SIZES | {"steps": None}, time=2.0).fit(*speech(30), quiet=True)
    assert 1 <= tagger.history_[-1]["step"] <= MOST_EPOCHS * 4


@pytest.mark.parametrize(("steps", "epochs"), [(1, 30), (40, 25), (212, 5), (100_000, 5)])
def test_more_time_helps_for_some_epochs(steps, epochs):
    assert most_epochs(steps) == epochs
