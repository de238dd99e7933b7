"""A sequence that a classifier reads as it comes: what it says is what `predict` says of as much, bit for bit."""

import numpy as np
import pytest
from scipy.special import log_softmax

from ostinato.errors import DataError, OptionError, ShapeError
from ostinato.tasks.classifier_fitting import encoded
from tests.small_labels import reviews, topics, waves
from tests.tasks.classifiers import fitted, refusal

ONE_WAY = {"bidirectional": False, "linear": "never", "steps": 3}


@pytest.mark.parametrize("pooling", ["last", "mean,max", "attention"])
@pytest.mark.parametrize("changes", [False, True])
def test_a_reader_of_a_series_says_what_predict_says_of_as_much(pooling, changes):
    """Also where values are missing, and where the network reads by how much they change."""
    series, labels = waves(30)
    model = fitted(series, labels, changes=changes, pooling=pooling, **ONE_WAY)
    reader, read = model.reader(), series[0]
    assert (reader.probabilities(), reader.decision(), reader.steps) == (None, None, 0)
    for step in range(len(read)):
        reader.read(read[step])
        expected = model.predict_proba([read[: step + 1]])[0]
        assert reader.probabilities().tobytes() == expected.tobytes()
    told = model.decisions(model.read([read]), every_class=True)[0]
    assert reader.decision(every_class=True) == {name: told[name] for name in ("label", "probability", "probabilities")}
    whole = model.reader()
    whole.read(read[:3])
    whole.read(np.empty((0, read.shape[1])))
    whole.read(read[3:])
    assert whole.probabilities().tobytes() == reader.probabilities().tobytes()


@pytest.mark.parametrize("units", ["words", "characters"])
def test_a_reader_of_a_text_says_what_predict_says_of_as_much(units):
    texts, labels = reviews()
    model = fitted(texts, labels, units=units, **ONE_WAY)
    reader, words = model.reader(), texts[0].split(" ")
    for number, word in enumerate(words):
        reader.read(word if number == 0 or units == "words" else f" {word}")
        expected = model.predict_proba([" ".join(words[: number + 1])])[0]
        assert reader.probabilities().tobytes() == expected.tobytes()
    kept = reader.snapshot()
    other = model.reader()
    other.restore(kept)
    for each in (reader, other):
        each.read(" more of it")
    assert other.probabilities().tobytes() == reader.probabilities().tobytes()


def test_a_reader_of_several_classes_tells_all_that_apply():
    texts, labels = topics(150)
    model = fitted(texts, labels, **(ONE_WAY | {"steps": 200}))
    told = []
    for text in texts[:20]:
        reader = model.reader()
        reader.read(text)
        told.append(reader.decision())
    expected = model.decisions(model.read(texts[:20]))
    assert told == [{name: row[name] for name in ("label", "probability")} for row in expected]
    assert {len(one["label"]) for one in told} >= {1}


def test_beside_a_linear_part_the_network_speaks_alone():
    texts, labels = reviews()
    mixed = fitted(texts, labels, bidirectional=False)
    reader = mixed.reader()
    reader.read(texts[0])
    scores = mixed.run(encoded(mixed.encoder_, mixed.read(texts[:1])).take(np.array([0])).x)[0][0]
    assert np.allclose(np.log(reader.probabilities()), log_softmax(scores.astype(np.float64)), rtol=0, atol=1e-12)


def test_what_a_reader_refuses():
    by_changes = fitted(*waves(30), changes=True, **ONE_WAY)
    reader = by_changes.reader()
    reader.read([0.5, 1.0])
    before = reader.probabilities().tobytes()
    for error, call, message in (
        (ShapeError, lambda: reader.read([1.0]), "expected values [D] or [T, D] with D=2, got [1]."),
        (ShapeError, lambda: reader.read("a text"), "expected numbers."),
        (DataError, lambda: reader.read([1.0, np.inf]), "a value is infinite, or beyond 1e30."),
        (OptionError, reader.snapshot, "a snapshot does not hold the values before,"),
        (OptionError, lambda: reader.restore(b""), "a snapshot does not hold the values before,"),
        (ShapeError, lambda: fitted(*reviews(20), **ONE_WAY).reader().read([1.0]), "expected text, got list."),
        (OptionError, fitted(*reviews(20), steps=1).reader, ""),
    ):
        assert refusal(error, call)[0].startswith(message)
    assert reader.probabilities().tobytes() == before
    assert reader.steps == 1
