"""Published data sets, read as users would; slow, and only where they are."""

import numpy as np
import pytest

import ostinato
from ostinato import Classifier
from tests.real_data import imdb, names, path_of, sst2
from tests.tasks.classifiers import assert_same_after_saving

pytestmark = pytest.mark.slow


def test_speakers_are_told_by_their_vowels(tmp_path):
    """Series of 12 channels and 7 to 29 steps, of nine speakers."""
    train, test = (path_of(f"ucr_uea/JapaneseVowels_{part}.ts.gz") for part in ("TRAIN", "TEST"))
    model = Classifier(steps=300).fit(train, quiet=True)
    found = model.evaluate(test, train=train)
    assert found.metrics["accuracy"] > 0.93
    assert found.metrics["log_loss"] < 0.35
    assert {"majority", "summaries", "neighbour"} == set(found.baselines)
    assert found.winner is None or found.baselines[found.winner]["accuracy"] > found.metrics["accuracy"]
    assert_same_after_saving(model, tmp_path, test)


@pytest.mark.parametrize(("name", "least"), [("ItalyPowerDemand", 0.93), ("BasicMotions", 0.9), ("GunPoint", 0.75)])
def test_series_of_the_archive(name, least):
    model = Classifier(steps=300).fit(path_of(f"ucr_uea/{name}_TRAIN.ts.gz"), quiet=True)
    assert model.score(path_of(f"ucr_uea/{name}_TEST.ts.gz")) > least


def test_languages_are_told_by_names():
    (texts, labels), others = names()
    model = Classifier(steps=800).fit(texts, labels, quiet=True)
    assert model.options_.units == "characters"
    found = model.evaluate(*others, train=(texts, labels))
    assert found.metrics["accuracy"] > max(0.75, found.baselines["majority"]["accuracy"])
    balanced = Classifier(steps=800, class_weights="balanced").fit(texts, labels, quiet=True)
    assert balanced.evaluate(*others).metrics["balanced_accuracy"] > found.metrics["balanced_accuracy"]


def test_sentences_praise_or_do_not():
    texts, labels = sst2("train")
    model = Classifier(steps=300).fit(texts, labels, quiet=True)
    found = model.evaluate(*sst2("dev"), train=(texts, labels))
    assert found.metrics["accuracy"] > 0.75
    assert found.metrics["calibration_error"] < 0.1


def test_long_reviews_praise_or_do_not(tmp_path):
    texts, labels = imdb("train")
    some = np.random.default_rng(0).permutation(len(texts))[:3000]
    model = Classifier(steps=150).fit([texts[place] for place in some], labels[some], quiet=True)
    others, truth = imdb("test")
    rest = np.random.default_rng(1).permutation(len(others))[:1000]
    assert model.score([others[place] for place in rest], truth[rest]) > 0.8
    model.save(tmp_path / "m")
    assert ostinato.load(tmp_path / "m").predict(others[:20]).tolist() == model.predict(others[:20]).tolist()
