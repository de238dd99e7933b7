"""A tagger: what it learns, says and refuses."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from ostinato import Tagger
from ostinato.data.tag_schemes import entities as marked
from ostinato.errors import DataError, OptionError, OstinatoError, ShapeError
from ostinato.evaluate.classification_metrics import entity_findings
from ostinato.evaluate.tag_baselines import MostFrequentTag
from tests.comparison import assert_close
from tests.quick import some_quick
from tests.small import PEEPHOLE
from tests.small_sentences import SIZES, columns, entities, speech


def fitted(data=None, **options):
    words, tags = speech() if data is None else data
    return Tagger(**SIZES | options).fit(words, tags, quiet=True)


def refusal(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return caught.value.message, caught.value.hint


def bits(tagger):
    return {name: (array.shape, array.tobytes()) for name, array in tagger.weights_.items()}


@pytest.fixture(scope="module")
def parts():
    return fitted()


@pytest.fixture(scope="module")
def places():
    return fitted(entities())


# ---- what it learns


def test_it_learns_what_a_word_is_by_its_place(parts):
    words, tags = speech(40, seed=1)
    assert parts.score(words, tags) > 0.98
    assert parts.predict([["the", "walk", "walk", "."]]) == [["DET", "NOUN", "VERB", "PUNCT"]]
    found = parts.evaluate(words, tags, speech())
    assert found.metrics["accuracy"] == parts.score(words, tags)
    assert found.baselines["most_frequent_tag"]["accuracy"] < found.metrics["accuracy"]
    assert (found.winner, found.missing, found.measure) == (None, {}, "accuracy")
    assert found.by_type == {}
    assert parts.evaluate(words, tags).missing == {"most_frequent_tag": "--train FILE"}


OPTIONS = {
    "words": {"paths": False, "label_smoothing": 0.1},
    "no features": {"features": False, "steps": 120},
    "peephole": {"cell": PEEPHOLE},
    "two layers": {"cell": "gru", "num_layers": 2},
}


@pytest.mark.parametrize("name", some_quick(OPTIONS, ("words", "peephole")))
def test_it_learns_by_other_options(name):
    assert fitted(**OPTIONS[name]).score(*speech(20, seed=1)) > 0.9


def test_probabilities_are_those_of_each_word(parts):
    words = [["the", "dog", "sees", "."], [], ["cat"]]
    found = parts.predict_proba(words)
    assert [p.shape for p in found] == [(4, 4), (0, 4), (1, 4)]
    assert list(parts.classes_) == ["DET", "NOUN", "PUNCT", "VERB"]
    for p in found:
        assert_close(p.sum(axis=1), np.ones(len(p)))
    chosen = [[parts.classes_[tag] for tag in p.argmax(axis=1)] for p in found]
    assert parts.predict(words) == chosen
    for (tags, sure), p in zip(parts.tagged(words), found, strict=True):
        assert np.array_equal(sure, [row[list(parts.classes_).index(tag)] for row, tag in zip(p, tags, strict=True)])


def test_sentences_have_the_same_bits_in_any_company(parts):
    words, _ = speech(30, seed=2)
    together = parts.predict_proba(words)
    for sentence, p in zip(words, together, strict=True):
        assert np.array_equal(parts.predict_proba([sentence])[0], p)


def test_the_same_seed_gives_the_same_bits_and_another_others():
    first = bits(fitted(steps=3))
    assert bits(fitted(steps=3)) == first
    assert bits(fitted(steps=3, seed=1)) != first


# ---- entities


def test_entities_are_found_whole_and_as_their_scheme_allows(places):
    words, tags = entities(40, seed=1)
    assert places.scheme_ == "BIO"
    found = places.evaluate(words, tags, entities())
    assert found.measure == "entity_f1"
    chosen = places.predict(words)
    assert found.metrics["entity_f1"] == entity_findings(tags, chosen).overall.f1 > 0.95
    assert set(found.by_type) == {"place"}
    baseline = MostFrequentTag().fit(*entities()).predict(words)
    assert found.baselines["most_frequent_tag"]["entity_f1"] == entity_findings(tags, baseline).overall.f1


def test_no_tag_follows_what_it_may_not():
    """Even where O is all but impossible."""
    tagger = fitted(entities(), discount=30.0)
    random = np.random.default_rng(0)
    words = [[str(random.choice(["Ulm", "we", "Bad", "x"])) for _ in range(9)] for _ in range(30)]
    chosen = tagger.predict(words)
    assert any(tag == "I-place" for tags in chosen for tag in tags)
    assert all(before != "O" or tag != "I-place" for tags in chosen for before, tag in zip(["O", *tags], tags))  # noqa: B905


def test_what_is_taken_off_o_is_what_finds_most(places):
    """Entities are few in training and many in what is held out: as trained, most are missed."""
    words, tags = entities(200, seed=3)
    few = [[tag if number % 20 == 0 else "O" for tag in sentence] for number, sentence in enumerate(tags)]
    held_out = entities(40, seed=4)
    made = {
        discount: Tagger(**SIZES, discount=discount).fit(words, few, held_out, quiet=True) for discount in (None, 0.0)
    }
    chosen, plain = made[None], made[0.0]
    assert bits(chosen) == bits(plain)
    assert (plain.discount_, plain.options_.discount) == (0.0, 0.0)
    assert chosen.discount_ > 0
    assert chosen.metrics_["entity_f1"] > plain.metrics_["entity_f1"]
    assert chosen.metrics_["log_loss"] == plain.metrics_["log_loss"]
    for p, q in zip(chosen.predict_proba(words[:9]), plain.predict_proba(words[:9]), strict=True):
        assert np.array_equal(p, q)


def test_nothing_is_taken_off_o_where_entities_are_found_by_luck(capfd):
    """What finds one of them then would call hundreds of words entities."""
    words, tags = entities(200, seed=3)
    few = [["O" for _ in sentence] if number else sentence for number, sentence in enumerate(tags)]
    tagger = Tagger(**(SIZES | {"steps": 1})).fit(words, few, (words, few))
    assert tagger.discount_ == 0.0
    assert "too few entities are found" in capfd.readouterr().err


def test_parts_of_speech_are_not_discounted(parts):
    assert (parts.discount_, parts.scheme_) == (0.0, None)
    assert "entity_f1" not in parts.metrics_


def test_tags_that_are_not_known_are_wrong(places):
    words, tags = entities(20, seed=5)
    told = places.evaluate(words, tags)
    other = [[tag.replace("place", "town") for tag in sentence] for sentence in tags]
    found = places.evaluate(words, other)
    count = sum(tag == "B-place" for sentence in tags for tag in sentence)
    assert found.unseen["B-town"] == count > 0
    assert found.metrics["entity_f1"] == 0
    assert found.metrics["log_loss"] < told.metrics["log_loss"] + 0.1
    assert found.by_type["town"].true == len([one for sentence in tags for one in marked(sentence)])
    nothing = places.evaluate([["x"]], [["U-city"]])
    assert np.isnan(nothing.metrics["log_loss"])


def test_tags_of_validation_alone_are_known_and_never_learned():
    words, tags = speech()
    tagger = Tagger(**SIZES).fit(words, tags, ([["the", "dog", "!"]], [["DET", "NOUN", "SYM"]]), quiet=True)
    assert "SYM" in tagger.classes_
    assert np.isfinite(tagger.history_[-1]["valid"])


# ---- what it reads


def test_files_lists_and_pairs_are_the_same(tmp_path):
    words, tags = speech()
    (tmp_path / "a.conll").write_text(columns(words[:40], tags[:40]))
    (tmp_path / "b.conll").write_text(columns(words[40:], tags[40:]))
    files = [tmp_path / "a.conll", tmp_path / "b.conll"]
    options = SIZES
    of_files = Tagger(**options).fit(files[0], valid=files[1], quiet=True)
    of_lists = Tagger(**options).fit(words[:40], tags[:40], (words[40:], tags[40:]), quiet=True)
    assert bits(of_files) == bits(of_lists)
    assert of_files.predict(files[1]) == of_lists.predict(words[40:])
    assert of_files.evaluate(files[1], train=files[0]) == of_lists.evaluate(
        words[40:], tags[40:], (words[:40], tags[:40])
    )
    swapped = tmp_path / "swapped.conll"
    swapped.write_text(columns(tags[40:], words[40:]))
    assert of_files.reading(word="2").predict(swapped) == of_lists.predict(words[40:])


def test_vectors_are_what_embeddings_begin_at(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 2 3\ndog 4 5 6\nnobody 7 8 9\n")
    options = SIZES | {"embedding_size": None, "steps": 2, "learning_rate": 1e-12}
    tagger = Tagger(**options, vectors=str(path)).fit(*speech(), quiet=True)
    words = tagger.encoder_.spellings.words.words
    table = tagger.weights_["network.embedding.weight"]
    assert table.shape[1] == tagger.options_.embedding_size == 3
    assert_close(table[words.index("the")], np.array([1, 2, 3], np.float32))
    assert_close(table[words.index("dog")], np.array([4, 5, 6], np.float32))
    assert refusal(OptionError, fitted, vectors=str(path)) == (
        f"embedding_size is 5, but the vectors of {path} are 3 wide.",
        "leave it out.",
    )


def test_odd_words_are_words(parts):
    odd = [["\ud800", "İ" * 300, "\u200d", " "], ["e\u0301" * 50], ["x" * 5000]]
    assert [len(tags) for tags in parts.predict(odd)] == [4, 1, 1]
    assert fitted((odd * 5, [["A", "B", "A", "A"], ["B"], ["A"]] * 5)).predict(odd)


def test_one_long_sentence(parts):
    words = ["the", "dog", "sees", "."] * 2500
    tags = parts.predict([words])[0]
    assert len(tags) == 10_000
    assert set(tags) <= set(parts.classes_)


# ---- what it refuses


def test_refusals(parts):
    words, tags = speech()
    same = [["X"] * len(sentence) for sentence in words]
    two = ([["a", "b"], []], [["X", "Y"], []])
    fit = Tagger().fit
    refused = [
        (OptionError, lambda: Tagger(hidden=3), "there is no option 'hidden'.", "did you mean 'hidden_size'?"),
        (
            OptionError,
            lambda: Tagger(paths=True, label_smoothing=0.1).fit(words, tags),
            "label smoothing is for tags by themselves, not for paths of a CRF.",
            "leave out --paths, or smoothing.",
        ),
        (OstinatoError, lambda: Tagger().predict(words), "this tagger has not learned anything yet.", "call fit"),
        (ShapeError, lambda: fit(words, tags[1:]), "expected 60 lists of tags, one for each sentence, got 59.", None),
        (DataError, lambda: fit(words), "the sentences have no tags.", "give a list of tags for each."),
        (DataError, lambda: fit(words, same, quiet=True), "every word is tagged 'X'.", "check the column of tags"),
        (DataError, lambda: fit([[]], [[]], quiet=True), "the sentences hold no word to learn from.", "give sentences"),
        (DataError, lambda: parts.evaluate([[]], [[]]), "the sentences hold no word to judge by.", "give some."),
        (
            DataError,
            lambda: fit(*two, valid=([[]], [[]]), quiet=True),
            "the sentences to judge by hold no word.",
            "give some",
        ),
        (
            DataError,
            lambda: parts.predict(["the dog"]),
            "expected a list of sentences, each a list of words, got a list of texts.",
            "give a file as a Path",
        ),
    ]
    for error, call, message, hint in refused:
        found, advice = refusal(error, call)
        assert found == message
        assert advice is None if hint is None else advice.startswith(hint)


# ---- as scikit-learn's estimators


def test_parameters_are_those_of_an_estimator(parts):
    tagger = Tagger(hidden_size=7)
    assert tagger.get_params()["hidden_size"] == 7
    assert tagger.set_params(hidden_size=8).get_params()["hidden_size"] == 8
    assert repr(clone(tagger)) == "Tagger(hidden_size=8)"
    assert refusal(OptionError, tagger.set_params, hiden_size=8)[1] == "did you mean 'hidden_size'?"
    assert bits(clone(parts).set_params(steps=2).fit(*speech(), quiet=True)) == bits(fitted(steps=2))


def test_it_is_validated_by_scikit_learn():
    words, tags = speech(40)
    scores = cross_val_score(Tagger(**SIZES), words, tags, cv=2)
    assert (scores > 0.9).all()


def test_what_is_given_is_not_changed():
    words, tags = speech(20)
    fitted((words, tags), steps=1)
    assert (words, tags) == speech(20)
