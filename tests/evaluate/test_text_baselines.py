"""Regression on grams of text: its weights by hand, its bounds, what is kept, and what it reaches on published data."""

import functools
import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from ostinato.data.words import split_words
from ostinato.errors import DataError, FileFormatError, OptionError, ShapeError
from ostinato.evaluate import text_baselines as module
from ostinato.evaluate.logistic import Features, Logistic
from ostinato.evaluate.text_baselines import LEAST_TELLING, STRENGTHS, TextLogistic, text_baselines
from tests import real_data
from tests.data.test_grams import character_grams, word_grams
from tests.quick import examples

TEXTS = [
    "A good, good film!",
    "not good at all",
    "good? not at all good",
    "I liked it all",
    "",
    "what a film it was",
    "I did not like it",
    "bad bad bad",
]
LABELS = np.array([1, 0, 0, 1, 1, 1, 0, 0])


def telling(train, labels, grams, classes):
    """ρ of each gram of training texts, in the module's formula."""
    having = [set(grams(text)) for text in train]
    within = [[label == number for label in labels] for number in range(classes)]
    found = {}
    for gram in sorted(set.union(*having)):
        squares = []
        for is_inside in within:
            shares = [
                (1 + sum(gram in has for has, inside in zip(having, is_inside, strict=True) if inside == side))
                / (2 + is_inside.count(side))
                for side in (True, False)
            ]
            if 0 < sum(is_inside) < len(train):
                squares.append(math.log(shares[0] / shares[1]) ** 2)
        found[gram] = max(math.sqrt(math.fsum(squares) / len(squares)), LEAST_TELLING)
    return found


def weighed(weights, texts, grams):
    """The vectors that the module's formula gives, with ρ by gram."""
    place = {gram: number for number, gram in enumerate(weights)}
    vectors = np.zeros((len(texts), len(place)))
    for vector, text in zip(vectors, texts, strict=True):
        for gram, count in Counter(grams(text)).items():
            if gram in place:
                vector[place[gram]] = (1 + math.log(count)) * weights[gram]
        vector /= np.linalg.norm(vector) or 1
    return vectors


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize(("kind", "grams"), [("words", word_grams), ("characters", character_grams)])
def test_weights_by_hand(kind, grams, classes):
    labels = np.arange(len(TEXTS)) % 3 % classes  # of four classes one is not shown
    texts = ["a bad film at that!", "liked", "unheard-of", "not not"]
    found = TextLogistic(classes, kind).fit(TEXTS, labels).probabilities(texts)
    weights = telling(TEXTS, labels.tolist(), grams, classes)
    plain = Logistic(classes, strength=STRENGTHS[kind]).fit(weighed(weights, TEXTS, grams), labels)
    expected = plain.probabilities(Features.of(weighed(weights, texts, grams)))
    assert np.abs(found - expected).max() < 1e-3
    assert np.abs(found - expected[::-1]).max() > 0.05


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("kind", "counting"),
    [
        ("words", {"tokenizer": split_words, "token_pattern": None, "ngram_range": (1, 2)}),
        ("characters", {"analyzer": "char_wb", "ngram_range": (1, 4)}),
    ],
)
def test_equals_scikit_learns_pipeline(kind, counting, classes):
    """The grams, the length and the regression are scikit-learn's own."""
    labels = np.arange(len(TEXTS)) % classes
    texts = ["a bad film at that!", "liked it all, did it?", "unheard-of", "not not", ""]
    vectorizer = CountVectorizer(**counting).fit(TEXTS)
    has = vectorizer.transform(TEXTS).toarray() > 0
    inside, outside = (
        np.array([(1 + has[part].sum(axis=0)) / (2 + part.sum()) for part in parts])
        for parts in zip(*((labels == label, labels != label) for label in range(classes)), strict=True)
    )
    weights = np.maximum(np.sqrt((np.log(inside / outside) ** 2).mean(axis=0)), LEAST_TELLING)
    weighing = FunctionTransformer(lambda counts: np.where(counts, 1 + np.log(np.maximum(counts, 1)), 0) * weights)
    dense = FunctionTransformer(lambda counts: counts.toarray())
    peer = make_pipeline(vectorizer, dense, weighing, Normalizer(), LogisticRegression(C=STRENGTHS[kind]))
    peer.fit(TEXTS, labels)
    found = TextLogistic(classes, kind).fit(TEXTS, labels).probabilities(texts)
    assert np.abs(found - peer.predict_proba(texts)).max() < 1e-3
    assert np.abs(found - peer.predict_proba(texts[::-1])).max() > 0.05


def test_several_classes_at_once_weigh_together():
    several = np.array([[1, 0], [0, 0], [0, 1], [1, 0], [1, 1], [1, 0], [0, 1], [0, 0]])
    part = TextLogistic(2).fit(TEXTS, several)
    one, two = (TextLogistic(2).fit(TEXTS, column).telling_.astype(float) for column in several.T)
    together = np.maximum(np.sqrt((one**2 + two**2) / 2), LEAST_TELLING)
    assert np.abs(part.telling_ - together).max() < 0.01


WORDS = st.lists(st.sampled_from(["good", "bad", "not", "film", "never seen", "!", "\udc80", ""]), max_size=9)


@functools.cache
def fitted(kind, classes):
    labels = np.arange(len(TEXTS) * classes) % classes
    return TextLogistic(classes, kind).fit(TEXTS * classes, labels)


@examples(
    30, 300, st.lists(WORDS.map(" ".join), max_size=6), st.sampled_from(["words", "characters"]), st.integers(2, 4)
)
def test_any_company_gives_the_same_bits(texts, kind, classes):
    part = fitted(kind, classes)
    found = part.probabilities(texts)
    assert found.shape == (len(texts), classes)
    for text, row in zip(texts, found, strict=True):
        assert part.probabilities([text])[0].tobytes() == row.tobytes()


def test_pairs_tell_what_words_do_not():
    texts = ["not good but bad", "not bad but good"] * 20
    found = TextLogistic(2).fit(texts, [0, 1] * 20).probabilities(texts[:2])
    assert found[0, 0] > 0.7
    assert found[1, 1] > 0.7


def test_grams_of_one_text_alone_are_left_out_where_there_are_many(monkeypatch):
    monkeypatch.setattr(module, "MANY_TEXTS", 4)
    regression = TextLogistic(2).fit(["a b", "a c", "a b", "d"], [0, 1, 0, 1])
    assert len(regression.columns_) == len([("a",), ("b",), ("a", "b")])


def test_the_most_frequent_grams_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_WEIGHTS", 4)
    texts = ["a", "a", "a", "b", "b", "c"]
    regression = TextLogistic(2).fit(texts, [0, 0, 0, 1, 1, 0])
    assert len(regression.columns_) == 2
    known, unknown = regression.probabilities(["b", "c"]), regression.probabilities(["zz", ""])
    assert known[0, 1] > unknown[0, 1]
    assert known[1].tolist() == unknown[0].tolist() == unknown[1].tolist()


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_texts_without_anything_are_told_by_the_frequencies(kind):
    found = TextLogistic(2, kind).fit(["", " ", "\n", ""], [0, 1, 0, 0]).probabilities(["", "a"])
    assert np.abs(found - [[0.75, 0.25]] * 2).max() < 1e-3
    assert TextLogistic(2, kind).fit(TEXTS, LABELS).probabilities([]).shape == (0, 2)


def test_halves_of_surrogates():
    assert TextLogistic(2).fit(["a \udc80", "b"], [0, 1]).probabilities(["\udc80"]).shape == (1, 2)


def test_short_texts_are_also_told_by_characters():
    found = text_baselines(TEXTS, LABELS, ["good", "bad"], 3)
    assert list(found) == ["majority", "words", "characters"]
    assert all(one.shape == (2, 3) for one in found.values())
    assert found["majority"].tolist() == [[0.5, 0.5, 0]] * 2
    assert found["words"].tolist() == TextLogistic(3).fit(TEXTS, LABELS).probabilities(["good", "bad"]).tolist()
    long = [text + " word" * 100 for text in TEXTS]
    assert list(text_baselines(long, LABELS, ["good"], 2)) == ["majority", "words"]


def test_class_weights_and_several_classes_at_once():
    plain = text_baselines(TEXTS, LABELS, TEXTS, 2)["words"]
    weighted = text_baselines(TEXTS, LABELS, TEXTS, 2, class_weights=[1, 9])["words"]
    assert (weighted[:, 1] > plain[:, 1]).all()
    several = text_baselines(TEXTS, np.c_[LABELS, np.ones(8)], TEXTS, 2)["words"]
    assert np.abs(several - np.c_[plain[:, 1], np.ones(8)]).max() < 1e-3


class TestTensors:
    @pytest.mark.parametrize("kind", ["words", "characters"])
    @pytest.mark.parametrize(("classes", "several"), [(2, False), (3, False), (3, True)])
    def test_they_predict_the_same(self, kind, classes, several):
        labels = np.arange(len(TEXTS)) % classes
        part = TextLogistic(classes, kind).fit(TEXTS, np.eye(classes)[labels] if several else labels)
        same = TextLogistic.from_tensors("m", part.tensors(), classes, kind, several=several)
        assert same.probabilities(TEXTS).tobytes() == part.probabilities(TEXTS).tobytes()
        assert same.tensors().keys() == part.tensors().keys()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda tensors: tensors.pop("columns"), "lacks a tensor: 'columns'"),
            (
                lambda tensors: tensors.update(columns=tensors["columns"][::-1]),
                "grams of its linear part are impossible",
            ),
            (lambda tensors: tensors.update(columns=tensors["columns"] * 0), "impossible"),
            (lambda tensors: tensors.update(columns=tensors["columns"] - 2**22), "impossible"),
            (lambda tensors: tensors.update(columns=tensors["columns"] + 2**22), "impossible"),
            (lambda tensors: tensors.update(columns=tensors["columns"].astype(np.int32)), "int64 .*, but is int32"),
            (lambda tensors: tensors.update(columns=tensors["columns"][:, None]), "should be int64"),
            (lambda tensors: tensors.update(columns=np.int64(3)), "should be int64"),
            (
                lambda tensors: tensors.update(columns=tensors["columns"][1:]),
                "'telling' of its linear part should be float32",
            ),
            (lambda tensors: tensors.update(telling=tensors["telling"] * 0), "impossible"),
            (lambda tensors: tensors.update(telling=tensors["telling"] * np.float32(np.inf)), "are not finite"),
            (
                lambda tensors: tensors.update({name: array[:0] for name, array in tensors.items() if name != "bias"}),
                "impossible",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, message):
        tensors = TextLogistic(2).fit(TEXTS, LABELS).tensors()
        change(tensors)
        with pytest.raises(FileFormatError, match=message):
            TextLogistic.from_tensors("m.safetensors", tensors, 2)


def test_numpy_alone_predicts(tmp_path):
    part = TextLogistic(3).fit(TEXTS, np.arange(len(TEXTS)) % 3)
    np.savez(tmp_path / "kept.npz", **part.tensors())
    code = f"""
import sys
for name in ("sklearn", "scipy", "torch"):
    sys.modules[name] = None
import numpy as np
from ostinato.evaluate.text_baselines import TextLogistic
part = TextLogistic.from_tensors("m", dict(np.load("kept.npz")), 3)
sys.stdout.write(part.probabilities({TEXTS!r}).tobytes().hex())
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout == part.probabilities(TEXTS).tobytes().hex(), found.stderr


def test_what_is_refused():
    with pytest.raises(OptionError, match="grams must be words or characters, not 'letters'"):
        TextLogistic(2, "letters")
    with pytest.raises(DataError, match="one text was given"):
        TextLogistic(2).fit("ab", [0, 1])
    with pytest.raises(ShapeError, match="labels are expected in shape"):
        text_baselines(TEXTS, LABELS[1:], [], 2)
    with pytest.raises(DataError, match="no example"):
        text_baselines([], [], [], 2)


@pytest.mark.slow
def test_imdb():
    (train, labels), (texts, truth) = real_data.imdb("train"), real_data.imdb("test")
    found = text_baselines(train, labels, texts, 2)
    assert list(found) == ["majority", "words"]
    assert real_data.accuracy(found["words"], truth) > 0.912


@pytest.mark.slow
def test_sst2():
    (train, labels), (texts, truth) = real_data.sst2("train"), real_data.sst2("test")
    found = text_baselines(train, labels, texts, 2)
    assert real_data.accuracy(found["words"], truth) > 0.815
    assert real_data.accuracy(found["characters"], truth) > 0.81


@pytest.mark.slow
def test_names():
    (train, labels), (texts, truth) = real_data.names()
    plain = TextLogistic(18, "characters").fit(train, labels).probabilities(texts)
    even = TextLogistic(18, "characters", class_weights="balanced").fit(train, labels).probabilities(texts)
    assert real_data.accuracy(plain, truth) > 0.845
    assert real_data.balanced_accuracy(even, truth) > 0.595
