"""The classifier's face: the contract of an estimator, what it learns from, and what it says."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import log_softmax
from sklearn.base import clone, is_classifier

import ostinato
from ostinato import Classifier
from ostinato.data.classes import Classes
from ostinato.errors import DataError, OptionError, OstinatoError, ShapeError
from ostinato.tasks.classifier_fitting import encoded
from tests.small_labels import SIZES, names, reviews, topics, waves
from tests.tasks.classifiers import assert_same, assert_same_after_saving, fitted, refusal, tensors

# ---- the contract of an estimator


def test_the_constructor_takes_note_and_does_nothing():
    model = Classifier(time="10m", pooling="max,mean")
    assert [name for name in vars(model) if name.endswith("_")] == []
    assert repr(model) == "Classifier(time='10m', pooling='max,mean')"
    assert is_classifier(model)


def test_parameters_are_kept_as_given_set_and_cloned():
    pooling = ["max", "mean"]
    model = Classifier(hidden_size=12, pooling=pooling, time="10m")
    given = model.get_params()
    assert (given["hidden_size"], given["time"], given["units"]) == (12, "10m", None)
    assert given["pooling"] is pooling
    assert clone(model).get_params() == given
    assert model.set_params(hidden_size=5) is model
    assert model.get_params() == given | {"hidden_size": 5}
    assert Classifier(**given).get_params() == given


def test_unknown_parameters_are_refused_at_once():
    expected = ("there is no option 'hiden_size'.", "did you mean 'hidden_size'?")
    assert refusal(OptionError, Classifier, hiden_size=3) == expected
    assert refusal(OptionError, Classifier().set_params, hiden_size=3) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": ("max", "men")}, "there is no pooling 'men'."),
        ({"pooling": ("max", "max")}, "a pooling is named twice."),
        ({"steps": 3, "time": "1m"}, "time and steps exclude each other."),
        ({"units": "letters"}, "units: "),
        ({"hidden_size": 0}, "hidden_size: expected `int` >= 1, got 0."),
        ({"dropout": 1.0}, "dropout: "),
        ({"valid_fraction": 0.0}, "valid_fraction: "),
        ({"class_weights": "even"}, "class_weights: "),
        ({"kind": "pictures"}, "kind: "),
        ({"max_length": 0}, "max_length: "),
        ({"separator": " "}, "the separator of labels is blank."),
        ({"vectors": "v.txt", "units": "characters"}, "vectors are of words, but units are characters."),
        ({"pretrain_epochs": 2.0}, "--pretrain-epochs is for texts to read first."),
        ({"cell": "grue"}, "there is no cell named 'grue'."),
        ({"device": "abacus", "linear": "never"}, "device 'abacus' cannot be used"),
        ({"cell": "lru_block", "num_layers": 2, "bidirectional": True}, "a layer of lru_block is as wide as"),
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(options, message):
    found, hint = refusal(OptionError, Classifier(**(SIZES | options)).fit, *reviews(20), quiet=True)
    assert found.startswith(message)
    assert hint or "expected" in found


def test_fit_returns_itself_and_sets_names_that_end_in_an_underscore():
    texts, labels = reviews(20)
    model = Classifier(**SIZES | {"steps": 2})
    before = set(vars(model))
    assert model.fit(texts, labels, quiet=True) is model
    assert all(name.endswith("_") or name.startswith("_") for name in set(vars(model)) - before)
    assert model.options_.hidden_size == 6
    assert all(value is not None for value in (model.options_.cell, model.options_.units, model.options_.dropout))
    assert model.get_params()["units"] is None
    assert (texts, labels) == reviews(20), "what was given is not changed"


@pytest.mark.parametrize("use", ["predict", "predict_proba", "score", "evaluate", "save", "stream", "classes_"])
def test_a_classifier_that_has_not_learned_says_so(use, tmp_path):
    def call():
        found = getattr(Classifier(), use)
        return found(*{"save": [tmp_path / "m"], "stream": []}.get(use, [["a text"]]))

    message, hint = refusal(OstinatoError, call)
    assert message == "this classifier has not learned anything yet."
    assert hint == "call fit(X, y), or open a file with ostinato.load(path)."


def test_a_failed_fit_leaves_the_model_as_it_was():
    model = fitted(*reviews(20), steps=2)
    before = model.predict_proba(["a good film"])
    with pytest.raises(DataError):
        model.fit(["a", "b"], ["x", "x"], quiet=True)
    assert np.array_equal(model.predict_proba(["a good film"]), before)


# ---- learning


@pytest.mark.parametrize(
    ("name", "others", "units"),
    [
        ("reviewer", reviews(40, seed=9), "words"),
        ("namer", names(40, seed=9), "characters"),
        ("waver", waves(40, seed=9), None),
    ],
    ids=["words", "characters", "series"],
)
def test_it_learns_what_sequences_are(request, name, others, units):
    model = request.getfixturevalue(name)
    assert model.options_.units == units
    assert model.score(*others) > 0.85
    p = model.predict_proba(others[0])
    assert p.shape == (40, len(model.classes_))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.array_equal(model.predict(others[0]), model.classes_[p.argmax(axis=1)])
    assert model.score(*others) == (model.predict(others[0]) == np.array(others[1])).mean()
    assert set(model.metrics_) >= {"accuracy", "macro_f1", "log_loss", "calibration_error"}
    assert model.history_[-1]["step"] == 40


def test_the_network_itself_learns(namer):
    """Beside no linear part; and more steps tell more."""
    assert (namer.linear_, len(namer.mixture_)) == (None, 1)
    assert namer.history_[-1]["valid"] < namer.history_[0]["valid"]
    assert fitted(*names(), linear="never", steps=1).score(*names(seed=9)) < namer.score(*names(seed=9))


def test_several_classes_at_once(sorter):
    texts, labels = topics(40, seed=9)
    p = sorter.predict_proba(texts)
    assert p.shape == (40, 2)
    assert ((p > 0) & (p < 1)).all()
    found = sorter.predict(texts)
    assert all(isinstance(each, list) for each in found)
    assert found.tolist() == [[name for name, one in zip(sorter.classes_, row, strict=True) if one > 0.5] for row in p]
    right = np.mean([sorted(each) == sorted(own) for each, own in zip(found, labels, strict=True)])
    assert sorter.score(texts, labels) == right > 0.85
    assert {len(each) for each in found} == {0, 1, 2}
    # The same labels as columns of zeros and ones: named by their numbers.
    ones = np.array([[name in own for name in ("sea", "war")] for own in topics(150)[1]])
    by_columns = fitted(topics(150)[0], ones)
    assert by_columns.classes_.tolist() == [0, 1]
    assert by_columns.predict_proba(texts).tobytes() == p.tobytes()
    columns = by_columns.predict(texts)
    assert columns.tolist() == (p > 0.5).astype(int).tolist()
    # Two more columns, one before and one after, that are true of nothing: they are there in predictions, too.
    wide = fitted(topics(150)[0], np.pad(ones, ((0, 0), (1, 1))))
    assert wide.classes_.tolist() == [1, 2]
    assert wide.predict(texts).tolist() == np.pad(columns, ((0, 0), (1, 1))).tolist()
    message, _ = refusal(DataError, sorter.evaluate, texts, ["sea"] * 40)
    assert message == "several labels for each example were expected, but one came."


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(reviewer):
    import torch

    torch.manual_seed(99)
    again = fitted(*reviews())
    assert_same(again, reviewer, reviews(9, seed=9)[0])
    assert tensors(fitted(*reviews(), seed=1)) != tensors(reviewer)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (reviews(24), {"cell": "lstm", "num_layers": 2, "bidirectional": False, "pooling": ("last",)}),
        (reviews(24), {"units": "spellings", "lower": False, "pooling": ("attention", "max")}),
        (reviews(24), {"units": "characters", "cell": "min_gru", "recurrent_dropout": 0.0}),
        pytest.param(reviews(60), {"units": "pieces", "vocabulary": 300}, marks=pytest.mark.slow),
        pytest.param(
            names(24), {"recurrent_dropout": 0.3, "label_smoothing": 0.1, "linear": "never"}, marks=pytest.mark.slow
        ),
        pytest.param(names(24), {"units": "words", "word_dropout": 0.5, "vocabulary": 5}, marks=pytest.mark.slow),
        (
            waves(24),
            {
                "cell": "lru_block",
                "num_layers": 2,
                "bidirectional": False,
                "pooling": ("attention",),
                "linear": "never",
            },
        ),
        pytest.param(
            waves(24, missing=0),
            {"cell": "rg_lru", "bidirectional": False, "pooling": ("mean", "last")},
            marks=pytest.mark.slow,
        ),
        (topics(40), {"class_weights": "balanced", "label_smoothing": 0.2, "bidirectional": False}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_every_kind_of_network_learns_predicts_and_comes_back_from_its_file(data, options, tmp_path):
    model = fitted(*data, steps=3, **options)
    for name in set(options) & {"cell", "num_layers", "pooling", "units", "bidirectional", "lower"}:
        assert getattr(model.options_, name) == options[name]
    assert np.isfinite(model.predict_proba(data[0])).all()
    assert_same_after_saving(model, tmp_path, data[0])


@pytest.mark.slow
def test_rare_classes_are_found_more_often_where_all_count_alike():
    texts, labels = reviews(200)
    rare = [place for place, label in enumerate(labels) if label == "pos" or place % 20 == 1]
    some = [texts[place] for place in rare], [labels[place] for place in rare]
    plain, balanced = (fitted(*some, class_weights=way, steps=20) for way in ("none", "balanced"))
    others = reviews(100, seed=9)
    p, q = (model.predict_proba(others[0])[:, 0] for model in (plain, balanced))
    assert q.mean() > p.mean(), "of the rare one, neg"
    assert (
        balanced.evaluate(*others).metrics["balanced_accuracy"] >= plain.evaluate(*others).metrics["balanced_accuracy"]
    )


# ---- labels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["pos", "neg"], np.array(["neg", "pos"])),
        ([1, 0], np.array([0, 1])),
        ([10, 9], np.array([9, 10])),
        ([2.0, -1.0], np.array([-1, 2])),
        ([0.5, 2.0], np.array(["0.5", "2"])),
        ([True, False], np.array([False, True])),
        (["01", "1"], np.array(["01", "1"])),
        (["1", "0"], np.array(["0", "1"])),
        ([np.int8(3), np.int8(4)], np.array([3, 4])),
        ([10**30, 1], np.array(["1", str(10**30)])),
    ],
    ids=str,
)
def test_classes_are_of_the_type_that_labels_had(names, expected, tmp_path):
    """As scikit-learn's scorers ask, which compare them with the labels; but whole numbers have no point."""
    texts, labels = reviews(20)
    model = fitted(texts, [names[label == "neg"] for label in labels], steps=1, linear="never")
    assert model.classes_.dtype.kind == expected.dtype.kind
    assert model.classes_.tolist() == expected.tolist()
    assert model.predict(texts).dtype == model.classes_.dtype
    assert_same_after_saving(model, tmp_path, texts)
    assert 0 <= model.score(texts, [names[label == "neg"] for label in labels]) <= 1


# ---- what it reads


def test_texts_may_come_in_many_ways(reviewer):
    texts, labels = reviews(20, seed=4)
    expected = reviewer.predict_proba(texts)
    frame = pd.DataFrame({"text": texts, "label": labels})
    for data in (
        tuple(texts),
        np.array(texts),
        np.array(texts, object),
        frame["text"],
        pl.Series(texts),
        frame[["text"]],
        frame,
        pl.from_pandas(frame).to_arrow(),
    ):
        assert reviewer.predict_proba(data).tobytes() == expected.tobytes()
    score = reviewer.score(texts, labels)
    assert reviewer.score(frame) == reviewer.score(frame["text"], frame["label"]) == score
    assert reviewer.score(frame, labels[::-1]) == reviewer.score(texts, labels[::-1]) != score


def test_frames_files_and_lists_teach_the_same(tmp_path):
    texts, labels = reviews(24)
    model = fitted(texts, labels, steps=2)
    frame = pl.DataFrame({"label": labels, "text": texts})
    frame.write_csv(tmp_path / "r.csv")
    frame.write_parquet(tmp_path / "r.parquet")
    for data in (frame, tmp_path / "r.csv", str(tmp_path / "r.parquet"), [tmp_path / "r.csv"]):
        assert_same(fitted(data, steps=2), model, texts[:5])


def test_series_may_come_in_many_ways(waver):
    random = np.random.default_rng(0)
    block = random.normal(size=(5, 12, 2))
    expected = waver.predict_proba(block)
    rows = [
        {"series": f"s{s}", "time": t, "1": x[0], "2": x[1]} for s, one in enumerate(block) for t, x in enumerate(one)
    ]
    frame = pl.DataFrame(rows)
    for data in (
        list(block),
        tuple(block.tolist()),
        pd.DataFrame(rows),
        frame,
        frame.select("2", "series", "time", "1"),
    ):
        found = waver.predict_proba(data)
        assert found.tobytes() == expected.tobytes()
    flat, labels = [one[:, 0] for one in waves()[0]], waves()[1]
    one = fitted(flat, labels, steps=1)
    assert one.encoder_.channels == ["1"]
    assert one.predict(np.zeros((3, 7))).shape == (3,)


def test_series_of_unequal_lengths_with_holes(waver):
    """Alone or in any company: the same bits; a series without a value, or without a step, is one too."""
    series, _ = waves(30, seed=3)
    series += [np.full((4, 2), np.nan), np.zeros((0, 2)), np.zeros((1, 2))]
    p = waver.predict_proba(series)
    assert np.isfinite(p).all()
    for row in (0, 7, 30, 31, 32):
        assert waver.predict_proba([series[row]]).tobytes() == p[row : row + 1].tobytes()
    assert waver.encoder_.marked
    assert waver.architecture_.reads == waver.encoder_.size >= 4


@pytest.mark.parametrize("name", ["reviewer", "namer", "sorter"])
def test_company_changes_no_bit(request, name):
    model = request.getfixturevalue(name)
    texts = [*reviews(30, seed=5)[0], *names(10)[0], "", " ", "!", "good " * 300, "日本語のテキスト", "a\ud800b"]
    p = model.predict_proba(texts)
    assert np.isfinite(p).all()
    for row in (0, 33, 40, 41, 43, 45):
        assert model.predict_proba([texts[row]]).tobytes() == p[row : row + 1].tobytes()
    assert model.predict_proba(texts[::-1]).tobytes() == p[::-1].tobytes()


def test_an_empty_text_among_spelled_words_and_by_itself():
    model = fitted(*reviews(20), units="spellings", steps=2)
    p = model.predict_proba(["", "a good film", ""])
    assert p[0].tobytes() == p[2].tobytes() == model.predict_proba([""]).tobytes()
    assert model.predict_proba(["", ""]).tobytes() == p[[0, 2]].tobytes()


def test_of_long_texts_the_two_ends_are_read(capsys):
    texts, labels = reviews(30)
    model = Classifier(**SIZES | {"steps": 3, "max_length": 10, "linear": "never"}).fit(texts, labels)
    said = capsys.readouterr().err
    assert "texts of more than 10 units, of which the two ends are read: 30" in said
    words = texts[0].split()
    middle = [*words[:5], *["unheard"] * 200, *words[-5:]]
    assert model.predict_proba([" ".join(middle)]).tobytes() == model.predict_proba([texts[0]]).tobytes()
    assert model.predict_proba([" ".join(reversed(middle))]).tobytes() != model.predict_proba([texts[0]]).tobytes()


def test_examples_to_judge_by_may_be_given():
    texts, labels = reviews(40)
    others = reviews(15, seed=2)
    model = fitted(texts, labels, valid=others, steps=5)
    assert (model.data_.train, model.data_.valid) == (40, 15)
    frame = pd.DataFrame({"text": others[0], "label": others[1]})
    assert_same(fitted(texts, labels, valid=frame, steps=5), model, others[0])
    alone = fitted(texts, labels, steps=5, valid_fraction=0.1).data_
    assert (alone.train, alone.valid) == (36, 4)
    assert refusal(DataError, fitted, texts, labels, valid=(others[0], ["odd"] * 15))[0] == (
        "text 0 (from 0): the label 'odd' is none of the 2 classes."
    )
    message, _ = refusal(DataError, fitted, texts, labels, valid=(waves(15)[0], others[1]))
    assert message == "the training examples are texts and those to judge by are series, or the reverse."


def test_series_to_judge_by_have_the_same_channels():
    series, labels = waves(20)
    wrong = [np.zeros((5, 3))] * 4, [1, 2, 1, 2]
    message, hint = refusal(DataError, fitted, series, labels, valid=wrong)
    assert "3 channels" in message
    assert hint
    # Named channels are found by their names, in whatever order.
    frame = pd.DataFrame(
        [
            {"series": s, "time": t, "u": x[0], "v": x[1], "label": labels[s]}
            for s, one in enumerate(series)
            for t, x in enumerate(one)
        ]
    )
    first, second = frame[frame.series < 12], frame[frame.series >= 12]
    swapped = second[["series", "time", "v", "u", "label"]]
    data = series[:3]
    assert_same(fitted(first, valid=second, steps=3), fitted(first, valid=swapped, steps=3), data)


# ---- what it says


def test_what_is_said_is_the_mixture_of_both(reviewer):
    texts = reviews(10, seed=6)[0]
    scores = [reviewer.runtime.run(reviewer.encoder_.encode([text]).ids[:, None])[0][0] for text in texts]
    linear = np.log(reviewer.linear_.probabilities(texts))
    network, other = reviewer.mixture_
    expected = log_softmax(network * log_softmax(np.array(scores, float), axis=1) + other * linear, axis=1)
    np.testing.assert_allclose(np.log(reviewer.predict_proba(texts)), expected, rtol=1e-9)
    assert min(reviewer.mixture_) >= 0


def test_decisions_tell_place_label_and_probabilities(reviewer, sorter):
    texts = reviews(3, seed=6)[0]
    p = reviewer.predict_proba(texts)
    rows = reviewer.decisions(reviewer.read(texts), every_class=True)
    assert [row["place"] for row in rows] == [f"text {number} (from 0)" for number in range(3)]
    assert [row["label"] for row in rows] == reviewer.predict(texts).tolist()
    assert [row["probability"] for row in rows] == p.max(axis=1).tolist()
    assert [list(row["probabilities"].values()) for row in rows] == p.tolist()
    assert list(rows[0]["probabilities"]) == ["neg", "pos"]
    assert "probabilities" not in reviewer.decisions(reviewer.read(texts))[0]
    texts = topics(12, seed=6)[0]
    for row, each in zip(sorter.decisions(sorter.read(texts)), sorter.predict(texts), strict=True):
        assert row["label"] == each
        assert len(row["probability"]) == len(each)
        assert all(one > 0.5 for one in row["probability"])


def test_progress_goes_to_the_end(reviewer):
    done = []
    reviewer.decisions(reviewer.read(reviews(30)[0]), progress=done.append)
    assert done == sorted(done)
    assert done[-1] == 1


def test_a_one_way_network_streams_as_it_scores():
    """After each word, or step, the scores of what came so far; bit for bit."""
    for data in (reviews(20), waves(20)):
        model = fitted(*data, bidirectional=False, pooling=("mean", "max", "last", "attention"), steps=2)
        example = data[0][0]
        batch = encoded(model.encoder_, model.read([example])).take(np.array([0]))
        stream = model.stream()
        pushed = [stream.push(step) for step in batch.x[:, 0]]
        assert pushed[-1].tobytes() == model.run(batch.x)[0].tobytes()
        assert np.stack(pushed).tobytes() == model.run(batch.x, every_step=True)[0][:, 0].tobytes()
        pool = model.streams(2)
        place = pool.open()
        for step in batch.x[:, 0]:
            last = pool.step([place], step[None])
        assert last.tobytes() == pushed[-1].tobytes()


def test_what_cannot_stream_says_so(reviewer):
    message, _ = refusal(OptionError, reviewer.stream)
    assert "reads a sequence from the end" in message
    spelled = fitted(*reviews(20), units="spellings", steps=1)
    message, hint = refusal(OptionError, spelled.stream)
    assert (message, hint) == (
        "words with their characters are no symbols that can be streamed.",
        "use predict_proba.",
    )


def test_a_model_says_what_it_is(reviewer, waver, sorter):
    told = reviewer.summary()
    assert told["classes"] == "2: neg, pos"
    assert told["sizes"]["weights"] == sum(array.size for array in reviewer.weights_.values())
    assert told["mixture"] == dict(zip(("network", "linear"), reviewer.mixture_, strict=True))
    assert waver.summary()["reads"] == f"{waver.encoder_.size} numbers a step"
    assert sorter.summary()["classes"] == "2, any number of them at once: sea, war"


@pytest.mark.parametrize("kind", ["bfloat16", "int8"])
def test_matrices_in_fewer_bytes(reviewer, waver, kind, tmp_path):
    for model, data in ((reviewer, reviews(9)[0]), (waver, waves(9)[0])):
        smaller = model.stored_as(kind)
        assert np.abs(smaller.predict_proba(data) - model.predict_proba(data)).max() < 0.05
        smaller.save(tmp_path / "small")
        again = ostinato.load(tmp_path / "small")
        assert again.predict_proba(data).tobytes() == smaller.predict_proba(data).tobytes()
        assert again.summary()["matrices"] == kind


def test_shapes_that_are_wrong_are_told(waver):
    assert refusal(ShapeError, waver.predict, np.zeros(5))[0].startswith("expected series [S, T, D] or [S, T]")
    assert refusal(DataError, waver.predict, np.zeros((2, 5, 3)))[0].startswith("the series have 3 channels")
    assert refusal(DataError, waver.predict, ["a text"])[0] == "the model reads series, but texts came."
    assert refusal(ShapeError, fitted, ["a", "b"], ["x"])[0] == "expected 2 labels, one for each text, got 1."


def test_damaged_classes_are_refused():
    for wrong in ({"given": "truth"}, {"columns": 2}, {"columns": 1, "several": True}):
        with pytest.raises(DataError):
            Classes(["0", "1"], **wrong)
