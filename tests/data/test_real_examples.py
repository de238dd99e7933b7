"""Public data sets as they were published, where OSTINATO_DATA names a folder of them: their known sizes and counts."""

import os
from pathlib import Path

import numpy as np
import pytest

from ostinato.data.conll import EMPTY_NODES, RANGES
from ostinato.data.labelled import series_examples, tagged_sentences, text_examples
from ostinato.data.labels import class_counts
from ostinato.data.text_tables import TextLayout


def given(name):
    """Return a file of the folder; skip the test where there is none."""
    path = Path(os.environ.get("OSTINATO_DATA", "")) / name
    if "OSTINATO_DATA" not in os.environ or not path.exists():
        pytest.skip(f"OSTINATO_DATA names no folder with {name}")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "test"])
def test_imdb(part):
    found = text_examples(given(f"imdb/{part}.tsv.xz"), TextLayout(header=False, text="4", label="1"))
    assert class_counts(found.labels) == {"0": 12_500, "1": 12_500}
    assert min(map(len, found.texts)) > 20


@pytest.mark.parametrize(("part", "count"), [("train", 6920), ("dev", 872), ("test", 1821)])
def test_sst2(part, count):
    found = text_examples(given(f"sst2/{part}.tsv.gz"), TextLayout(header=False, text=1, label=2))
    assert len(found) == count
    assert list(class_counts(found.labels)) == ["0", "1"]


def test_names():
    found = text_examples(given("names_nationality/names.tar.gz"))
    assert len(found) == 20_050
    assert len(class_counts(found.labels)) == 18


@pytest.mark.parametrize(
    ("name", "train", "test", "channels", "classes", "lengths"),
    [
        ("ACSF1", 100, 100, 1, 10, (1460, 1460)),
        ("ArrowHead", 36, 175, 1, 3, (251, 251)),
        ("BasicMotions", 40, 40, 6, 4, (100, 100)),
        ("GunPoint", 50, 150, 1, 2, (150, 150)),
        ("ItalyPowerDemand", 67, 1029, 1, 2, (24, 24)),
        ("JapaneseVowels", 270, 370, 12, 9, (7, 29)),
    ],
)
def test_ucr_and_uea(name, train, test, channels, classes, lengths):
    parts = [series_examples(given(f"ucr_uea/{name}_{part}.ts.gz")) for part in ("TRAIN", "TEST")]
    assert [len(part) for part in parts] == [train, test]
    both = np.concatenate([part.lengths for part in parts])
    assert (both.min(), both.max()) == lengths
    for part in parts:
        assert (part.values.shape[1], len(class_counts(part.labels))) == (channels, classes)
        assert not np.isnan(part.values).any()
        assert part.remarks == []


@pytest.mark.parametrize(
    ("part", "sentences", "words", "ranges", "empty"),
    [
        pytest.param("train", 12_544, 204_577, 2614, 37, marks=pytest.mark.slow),
        ("dev", 2001, 25_147, 359, 4),
        ("test", 2077, 25_094, 354, 2),
    ],
)
def test_universal_dependencies(part, sentences, words, ranges, empty):
    found = tagged_sentences(given(f"ud_english_ewt/en_ewt-ud-{part}.conllu.xz"))
    assert (len(found), sum(map(len, found.words))) == (sentences, words)
    assert found.left_out == {RANGES: ranges, EMPTY_NODES: empty}
    assert len({tag for tags in found.tags for tag in tags}) == 17


@pytest.mark.parametrize(
    ("name", "sentences", "words"),
    [
        ("wnut17train.conll", 3394, 62_730),
        ("emerging.dev.conll", 1009, 15_733),
        ("emerging.test.annotated", 1287, 23_394),
    ],
)
def test_emerging_entities(name, sentences, words):
    found = tagged_sentences(given(f"wnut17/{name}.gz"))
    assert (len(found), sum(map(len, found.words))) == (sentences, words)
    assert len({tag for tags in found.tags for tag in tags}) == 13
