"""The most frequent tag of a word, and whose it has where the word is new."""

import pytest

from ostinato.errors import DataError
from ostinato.evaluate.tag_baselines import MostFrequentTag
from tests import real_data

WORDS = [["The", "saw", "saw", "the", "Saw"], [], ["saw", "may", "May", "may", "x"]]
TAGS = [["D", "N", "V", "D", "P"], [], ["V", "V", "P", "V", "N"]]


def test_the_most_frequent_tag_of_the_word_then_of_the_lower_cased_then_of_all():
    baseline = MostFrequentTag().fit(WORDS, TAGS)
    assert baseline.tag_ == "V"
    assert baseline.predict([["saw", "Saw", "SAW"], [], ["May", "MAY", "THE", "new"]]) == [
        ["V", "P", "V"],
        [],
        ["P", "V", "D", "V"],
    ]


def test_ties_go_to_the_tag_that_is_more_frequent_over_all_then_to_the_first():
    baseline = MostFrequentTag().fit([["a", "a", "b", "c", "c"]], [["N", "V", "V", "Z", "Y"]])
    assert (baseline.tags_["a"], baseline.tags_["c"], baseline.tag_) == ("V", "Y", "V")


def test_an_empty_tag_is_a_tag():
    assert MostFrequentTag().fit([["a", "b", "b"]], [["", "N", "N"]]).predict([["a"]]) == [[""]]


@pytest.mark.parametrize(
    ("words", "tags", "message"),
    [
        ([["a"]], [], "1 sentences came with tags for 0."),
        ([["a"], ["a", "b"]], [["N"], ["N"]], "sentence 2 has 2 words, but 1 tags."),
        ([], [], "the sentences hold no word to learn from."),
        ([[]], [[]], "the sentences hold no word to learn from."),
    ],
)
def test_what_is_refused(words, tags, message):
    with pytest.raises(DataError) as caught:
        MostFrequentTag().fit(words, tags)
    assert str(caught.value).splitlines()[0] == message


@pytest.mark.slow
def test_parts_of_speech():
    words, tags = real_data.tagged("test")
    found = MostFrequentTag().fit(*real_data.tagged("train")).predict(words)
    right = [a == b for one, other in zip(found, tags, strict=True) for a, b in zip(one, other, strict=True)]
    assert sum(right) / len(right) > 0.85
