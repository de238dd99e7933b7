"""Byte-pair pieces: what the library cuts equals a plain reckoning, and no byte is lost."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato import extras
from ostinato.data import pieces as module
from ostinato.data.pieces import BYTES, PieceEncoder
from ostinato.errors import DataError, MissingExtraError
from tests.quick import examples

TEXTS = ["the theatre then thaws, he said", "the other day she had a bath", "Größe, größer, am größten"] * 3
ENCODER = PieceEncoder.fit(TEXTS, most=BYTES + 40)


def refusal(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def cut(pairs, word):
    """The pieces of one word: of the pairs that stand side by side the one learned first is joined, and so on."""
    ids = list(word)
    while True:
        ranks = [(pairs.index(pair), place) for place, pair in enumerate(pairwise(ids)) if pair in pairs]
        if not ranks:
            return ids
        rank, place = min(ranks)
        ids[place : place + 2] = [BYTES + rank]


@given(st.text(st.sampled_from("aehst ößr,"), max_size=40))
def test_equals_a_plain_reckoning(text):
    # Blanks before a word belong to it, but of several only the last.
    words = re.findall(r" ?\w+| ?,+| +(?! )(?![\wß,])| +(?= )", text)
    assert "".join(words) == text
    expected = [number for word in words for number in cut(ENCODER.pairs, word.encode())]
    assert ENCODER.encode([text]).ids.tolist() == expected


@examples(20, 200, st.lists(st.text(), max_size=5))
def test_no_byte_is_lost(texts):
    units = ENCODER.encode(texts)
    parts = [units.ids[start:end] for start, end in pairwise(units.starts)]
    assert [ENCODER.decode(part) for part in parts] == texts
    assert units.ids.max(initial=0) < ENCODER.size


def test_frequent_pairs_become_pieces():
    assert ENCODER.size == BYTES + 40
    assert b" the" in ENCODER.pieces or b"the" in ENCODER.pieces
    units = ENCODER.encode(["the theatre"])
    assert len(units.ids) < len("the theatre")
    assert PieceEncoder.fit(TEXTS, most=BYTES).pairs == []
    assert PieceEncoder.fit(["ab ab ab"], most=9999, least=4).pairs == []


def test_many_texts_are_cut_in_blocks(monkeypatch):
    whole = ENCODER.encode(TEXTS)
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    blocks = ENCODER.encode(TEXTS)
    assert (blocks.ids.tolist(), blocks.starts.tolist()) == (whole.ids.tolist(), whole.starts.tolist())
    assert PieceEncoder.fit(TEXTS, most=BYTES + 40) == ENCODER


@pytest.mark.parametrize(
    "text", ["x" * 3000, "ab " * 9 + "!?" * 700, " \n" * 900 + "a", "_" * 600, "1" * 256, "\t" * 512]
)
def test_long_words_are_learned_from_in_parts(text):
    parts = module._parts(text)
    assert "".join(parts) == text
    assert len(parts) > 1
    longest = re.compile(r"\S{257}|\s{257}")
    assert not any(longest.search(part) for part in parts)


def test_words_of_a_usual_length_are_learned_from_as_they_are():
    text = "a word, and another of these. " * 1000
    assert module._parts(text) == [text]


def test_one_word_of_a_million_letters_is_learned_from():
    encoder = PieceEncoder.fit(["x" * 1_000_000, "a good film"] * 2, most=BYTES + 20)
    assert b"x" * 32 in encoder.pieces
    assert encoder.decode(encoder.encode(["x" * 1000]).ids) == "x" * 1000


def test_case_and_halves_of_surrogates():
    assert PieceEncoder([], lower=True).encode(["AbÉ"]).ids.tolist() == list("abé".encode())
    assert PieceEncoder([]).encode(["a\udc80"]).ids.tolist() == list(b"a?")


def test_what_cannot_be_learned(monkeypatch):
    assert refusal(PieceEncoder.fit, ["", ""]).startswith("the texts hold no character to learn.")
    assert "one text was given" in refusal(PieceEncoder.fit, "abc")
    assert "256 to 500000 pieces" in refusal(PieceEncoder.fit, ["a"], most=255)
    assert "not possible" in refusal(PieceEncoder.fit, ["a"], least=0)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    for call in (PieceEncoder.fit, PieceEncoder([]).encode):
        with pytest.raises(MissingExtraError, match=r"pip install 'ostinato\[pieces\]'"):
            call(["a"])
