"""A classifier's figures beside baselines that learn from the same examples, and the picture of its mistakes."""

import json

import msgspec
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, log_loss

from ostinato.errors import DataError, OptionError
from ostinato.tasks.label_plot import draw_confusion
from tests.small_labels import names, reviews, topics, waves
from tests.tasks.classifiers import fitted, refusal


@pytest.mark.parametrize(
    ("name", "others"),
    [("reviewer", reviews(50, seed=9)), ("namer", names(50, seed=9)), ("waver", waves(40, seed=9))],
    ids=["words", "characters", "series"],
)
def test_figures_are_scikit_learns(request, name, others):
    model = request.getfixturevalue(name)
    found = model.evaluate(*others)
    truth, guess, p = np.array(others[1]), model.predict(others[0]), model.predict_proba(others[0])
    assert (found.task, found.examples, found.unseen) == ("classify", len(truth), {})
    assert found.metrics["accuracy"] == (truth == guess).mean() == model.score(*others)
    assert found.metrics["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, guess))
    assert found.metrics["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    assert found.metrics["log_loss"] == pytest.approx(log_loss(truth, p, labels=model.classes_))
    assert found.confusion == confusion_matrix(truth, guess, labels=model.classes_).tolist()
    assert found.classes == [str(each) for each in model.classes_]


def test_figures_of_several_classes_at_once_are_scikit_learns(sorter):
    texts, labels = topics(50, seed=9)
    found = sorter.evaluate(texts, labels)
    truth, guess = (
        np.array([[name in row for name in sorter.classes_] for row in rows])
        for rows in (labels, sorter.predict(texts))
    )
    assert found.metrics["accuracy"] == (truth == guess).all(axis=1).mean()
    assert found.metrics["micro_f1"] == pytest.approx(f1_score(truth, guess, average="micro"))
    assert found.metrics["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    p = sorter.predict_proba(texts)
    expected = -np.log(np.where(truth, p, 1 - p)).mean()
    assert found.metrics["log_loss"] == pytest.approx(expected)
    assert found.confusion == []
    odd = sorter.evaluate(texts, [[*row, "odd"] if place == 3 else row for place, row in enumerate(labels)])
    assert odd.unseen == {"odd": 1}
    assert odd.metrics["accuracy"] <= 49 / 50


@pytest.mark.parametrize(
    ("name", "data", "others", "baselines"),
    [
        ("reviewer", reviews(), reviews(30, seed=9), {"majority", "words", "characters"}),
        ("waver", waves(), waves(30, seed=9), {"majority", "summaries", "neighbour"}),
        ("sorter", topics(), topics(30, seed=9), {"majority", "words", "characters"}),
    ],
    ids=["words", "series", "several"],
)
def test_baselines_learn_from_the_training_examples(request, name, data, others, baselines):
    model = request.getfixturevalue(name)
    found = model.evaluate(*others, train=data)
    assert {"majority"} < set(found.baselines) <= baselines
    assert all(found.metrics.keys() == figures.keys() for figures in found.baselines.values())
    assert found.missing == {}
    best = max(figures["accuracy"] for figures in found.baselines.values())
    assert (found.winner is not None) == (best > found.metrics["accuracy"])
    alone = model.evaluate(*others)
    assert (alone.metrics, alone.baselines) == (found.metrics, {})
    assert set(alone.missing) <= baselines
    assert set(alone.missing.values()) == {"--train FILE"}
    assert model.evaluate(*others, train=data, baselines=False).baselines == {}


def test_a_baseline_that_wins_is_named():
    """One step teaches no network; the words tell all."""
    texts, labels = reviews(60)
    model = fitted(texts, labels, linear="never", steps=1, learning_rate=1e-6)
    found = model.evaluate(*reviews(30, seed=9), train=(texts, labels))
    assert found.winner in ("words", "characters")
    assert found.baselines[found.winner]["accuracy"] > found.metrics["accuracy"]


def test_training_examples_that_do_not_fit_are_told(reviewer, waver):
    texts, labels = reviews(10)
    message, _ = refusal(DataError, reviewer.evaluate, texts, labels, train=(texts, ["odd"] * 10))
    assert message == "text 0 (from 0): the label 'odd' is none of the 2 classes."
    message, _ = refusal(DataError, reviewer.evaluate, texts, labels, train=waves(9))
    assert "of another kind" in message or "is none of the" in message
    message, _ = refusal(DataError, waver.evaluate, texts, labels)
    assert message == "the model reads series, but texts came."


def test_without_scikit_learn_it_is_said_what_would_supply_baselines(reviewer, monkeypatch):
    monkeypatch.setattr("ostinato.extras.find_spec", lambda name: None)
    found = reviewer.evaluate(*reviews(10), train=reviews())
    assert found.baselines == {}
    assert set(found.missing.values()) == {"pip install 'ostinato[baselines]'"}


def test_without_scikit_learn_a_network_is_fitted_alone(monkeypatch, capsys):
    from ostinato import Classifier
    from tests.small_labels import SIZES

    monkeypatch.setattr("ostinato.extras.find_spec", lambda name: None if name == "sklearn" else True)
    model = Classifier(**SIZES | {"steps": 1}).fit(*reviews(20))
    assert "no linear part: this needs sklearn, which is not installed." in capsys.readouterr().err
    assert (model.linear_, len(model.mixture_)) == (None, 1)
    assert model.predict(["a text"]).shape == (1,)


def test_figures_are_plain_data(reviewer):
    told = json.loads(msgspec.json.encode(reviewer.evaluate(reviews(4)[0], ["odd"] * 4)))
    assert told["metrics"]["log_loss"] is None
    assert told["metrics"]["accuracy"] == 0
    assert "winner" not in told
    assert told["confusion"][2] == [*told["confusion"][2][:2], 0]


# ---- the picture


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_picture_shows_the_matrix(tmp_path, kind, begins):
    pytest.importorskip("matplotlib")
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    draw_confusion(["neg", "pos"], [[31, 2], [4, 57]], first)
    draw_confusion(["neg", "pos"], [[31, 2], [57, 4]], second)
    content = first.read_bytes()
    assert content.startswith(begins)
    assert content != second.read_bytes()


@pytest.mark.slow
def test_pictures_of_odd_matrices(tmp_path):
    pytest.importorskip("matplotlib")
    many = [f"class {number} of a long name 日本" for number in range(32)]
    for names_, matrix in (
        (many, np.eye(32, dtype=int).tolist()),
        (["a", "b"], [[0, 0], [0, 0]]),
        (["$x_", "b\n"], [[10**9, 1], [0, 2]]),
    ):
        draw_confusion(names_, matrix, tmp_path / "m.svg")
        assert (tmp_path / "m.svg").stat().st_size > 5000


def test_a_picture_that_cannot_be_is_refused(tmp_path, sorter):
    pytest.importorskip("matplotlib")
    message, _ = refusal(OptionError, draw_confusion, ["a"], [[1]], tmp_path / "m.pdf")
    assert message == "a picture is a .png or .svg file, not 'm.pdf'."
    message, hint = refusal(DataError, draw_confusion, ["a"], [], tmp_path / "m.png")
    assert (message, hint) == ("there is no confusion matrix where several classes may apply.", "leave out --plot.")
    assert list(tmp_path.iterdir()) == []
