"""Text into words and their numbers: what a word is, who has a number, who shares one."""

import re
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import words as module
from ostinato.data.text_encoder import ENCODERS, TextEncoder
from ostinato.data.words import WordEncoder, split_words
from ostinato.errors import DataError
from tests import real_data
from tests.quick import examples

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Text of any code point, lone surrogates included."""
ASCII = st.text(st.characters(max_codepoint=127))


def refusal(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    return str(caught.value)


class TestSplit:
    @pytest.mark.parametrize(
        ("text", "units"),
        [
            ("", []),
            (" \t\n\u00a0\u3000", []),
            ("Don't stop, it's 3.5!", ["Don't", "stop", ",", "it's", "3", ".", "5", "!"]),
            ("l’été d'Émile", ["l’été", "d'Émile"]),
            ("'quoted' ''", ["'", "quoted", "'", "'", "'"]),
            ("rock'n'roll a'", ["rock'n'roll", "a", "'"]),
            ("snake_case <br />x", ["snake_case", "<", "br", "/", ">", "x"]),
            ("e\u0301te\u0301", ["e\u0301te\u0301"]),
            ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
            ("می‌خواهم", ["می‌خواهم"]),
            ("我爱a你", ["我", "爱", "a", "你"]),
            ("カナとかな", list("カナとかな")),
            ("ที่นี่", ["ที่", "นี่"]),
            ("🎵👍🏽❤️", ["🎵", "👍", "🏽", "❤️"]),
            ("a\0b\udc80c", ["a", "\0", "b", "\udc80", "c"]),
            ("Ω≈ç ①½", ["Ω", "≈", "ç", "①½"]),
        ],
    )
    def test_words_and_marks(self, text, units):
        assert split_words(text) == units

    @given(ANY_TEXT)
    def test_nothing_but_blanks_is_lost(self, text):
        assert "".join(split_words(text)) == "".join(character for character in text if not character.isspace())

    @given(ASCII)
    def test_of_ascii_it_is_a_simple_expression(self, text):
        assert split_words(text) == re.findall(r"\w+(?:'\w+)*|[^\w\s]", text)

    @pytest.mark.parametrize("unit", ["a'", "a", "'", "e\u0301", "\u0301", "我", "ก", "’"])
    def test_long_runs_take_linear_time(self, unit):
        assert "".join(split_words(unit * 50_000)) == unit * 50_000


class TestVocabulary:
    def test_the_most_frequent_come_first_and_ties_by_code_point(self):
        encoder = WordEncoder.fit(["b a c b", "a d"], most=3, least=1, buckets=7)
        assert encoder.words == ["a", "b", "c"]
        assert encoder.size == 3 + 7
        units = encoder.encode(["c a b", "", "a"])
        assert (units.ids.dtype, units.starts.dtype) == (np.int32, np.int64)
        assert units.ids.tolist() == [2, 0, 1, 0]
        assert units.starts.tolist() == [0, 3, 3, 4]
        assert units.lengths.tolist() == [3, 0, 1]

    def test_words_that_are_rare_have_no_number_of_their_own(self):
        assert WordEncoder.fit(["a a b", "b c"]).words == ["a", "b"]
        assert WordEncoder.fit(["a b c"], least=2).words == []

    def test_the_unseen_share_buckets_by_crc_32(self):
        # The check value by which CRC-32 is known: that of the nine digits is CBF43926.
        encoder = WordEncoder(["a", "b"], buckets=1000)
        assert encoder.encode(["123456789 b"]).ids.tolist() == [2 + 0xCBF43926 % 1000, 1]
        assert WordEncoder(["a"], buckets=1).encode(["x y z"]).ids.tolist() == [1, 1, 1]

    def test_case(self):
        texts = ["The the THE", "Σας"]
        assert WordEncoder.fit(texts, least=1).words == ["the", "σας"]
        assert WordEncoder.fit(texts, least=1, lower=False).words == ["THE", "The", "the", "Σας"]
        assert WordEncoder.fit(texts, least=1).encode(["tHE"]).ids.tolist() == [0]

    def test_lists_of_words_stay_as_they_are_cut(self):
        encoder = WordEncoder.fit([["New York", "is", "Big"], ["is"]], least=1)
        assert encoder.words == ["is", "big", "new york"]
        assert encoder.encode([["new york", "BIG"], []]).ids.tolist() == [2, 1]

    def test_words_that_a_file_cannot_hold_are_left_to_the_tail(self):
        long = "x" * 101
        encoder = WordEncoder.fit([f"{long} \udc80 a"] * 3, buckets=3)
        assert encoder.words == ["a"]
        assert set(encoder.encode([f"{long} \udc80"]).ids.tolist()) <= {1, 2, 3}

    def test_a_vocabulary_ends_where_a_file_has_no_more_room(self, monkeypatch):
        monkeypatch.setattr(module, "MOST_BYTES", 5)
        assert WordEncoder.fit(["aa aa aa éé bb a"], least=1).words == ["aa", "a", "bb"]

    def test_what_cannot_be_learned(self):
        assert refusal(WordEncoder.fit, []) == (
            "the texts hold no word to learn.\n  hint: give texts with something in them."
        )
        assert refusal(WordEncoder.fit, ["", " \n"]).startswith("the texts hold no word")
        assert refusal(WordEncoder.fit, "one text") == (
            "one text was given where a list of texts is expected.\n  hint: put it into a list: [text]."
        )
        assert "one text" in refusal(WordEncoder(["a"]).encode, "a")
        for sizes in ({"most": -1}, {"most": 10**9}, {"buckets": 0}, {"buckets": 2**21}, {"least": 0}):
            assert "is not possible" in refusal(WordEncoder.fit, ["a"], **sizes)


@examples(20, 200, st.lists(ANY_TEXT), st.integers(1, 50))
def test_every_id_is_below_the_size(texts, buckets):
    encoder = WordEncoder.fit([*texts, "the word"], least=1, most=5, buckets=buckets)
    units = encoder.encode(texts)
    assert units.ids.max(initial=0) < encoder.size
    assert units.lengths.tolist() == [len(split_words(text.lower())) for text in texts]
    known = [word for text in texts for word in split_words(text.lower()) if word in encoder.words]
    own = units.ids[units.ids < len(encoder.words)]
    assert [encoder.words[number] for number in own] == known
    assert encoder.count_unseen(units) == len(units.ids) - len(known)


@examples(
    20, 200, st.lists(st.lists(st.sampled_from(["a", "B", "b", "ç", "dd"]), max_size=9), max_size=9), st.integers(1, 3)
)
def test_counts(texts, least):
    encoder = WordEncoder.fit([*texts, ["z"] * 99], least=least, lower=False)
    counts = Counter(word for words in texts for word in words)
    assert encoder.words[0] == "z"
    assert encoder.words[1:] == sorted((w for w in counts if counts[w] >= least), key=lambda w: (-counts[w], w))


def some_encoders():
    texts = ["The cat sat on the mat.", "the Cat’s mat ]^-\\ é 我"] * 2
    return [pytest.param(encoder.fit(texts), id=name) for name, encoder in ENCODERS.items()]


class TestDocument:
    @pytest.mark.parametrize("encoder", some_encoders())
    def test_every_encoder_is_kept_as_data(self, encoder):
        texts = ["The unseen cat\u2028sat", "", "]^-\\ é 我我"]
        read = msgspec.convert(msgspec.json.decode(msgspec.json.encode(encoder)), TextEncoder)
        assert read == encoder
        for one, other in zip(read.encode(texts), encoder.encode(texts), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    def test_the_kinds(self):
        assert [msgspec.to_builtins(param.values[0])["kind"] for param in some_encoders()] == list(ENCODERS)

    @pytest.mark.parametrize(
        "data",
        [
            None,
            {},
            {"kind": "words"},
            {"kind": "sentences", "words": []},
            {"kind": "words", "words": "ab"},
            {"kind": "words", "words": [1]},
            {"kind": "words", "words": ["a", "a"]},
            {"kind": "words", "words": ["x" * 101]},
            {"kind": "words", "words": ["a"], "buckets": 0},
            {"kind": "words", "words": ["a"], "buckets": 2**40},
            {"kind": "words", "words": ["a"], "lower": 1},
            {"kind": "characters", "code_points": []},
            {"kind": "characters", "code_points": [97]},
            {"kind": "characters", "code_points": [0xFFFD, 97]},
            {"kind": "characters", "code_points": [97, 97, 0xFFFD]},
            {"kind": "characters", "code_points": [97, 0xFFFD, 0x110000]},
            {"kind": "characters", "code_points": [-1, 0xFFFD]},
            {"kind": "pieces", "pairs": [[97, 256]]},
            {"kind": "pieces", "pairs": [[97]]},
            {"kind": "pieces", "pairs": [[97, -1]]},
            {"kind": "pieces", "pairs": [[97, 98], [97, 98]]},
            {"kind": "pieces", "pairs": [[97, 97], [97, 256], [256, 97]]},
            {"kind": "pieces", "pairs": [[97 if not n else 255 + n] * 2 for n in range(60)]},
            {"kind": "spellings", "words": {"kind": "words", "words": ["a"]}},
            {
                "kind": "spellings",
                "words": {"kind": "words", "words": ["a"]},
                "characters": {"kind": "characters", "code_points": [0xFFFD]},
                "longest": 10**9,
            },
        ],
    )
    def test_odd_data_is_refused(self, data):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(data, TextEncoder)


@pytest.mark.slow
def test_imdb():
    texts, _ = real_data.imdb("train")
    encoder = WordEncoder.fit(texts)
    units = encoder.encode(real_data.imdb("test")[0])
    assert len(encoder.words) == 30_000
    assert encoder.count_unseen(units) < 0.02 * len(units.ids)


def test_the_unseen_by_another_reckoning():
    """CRC-32, bit by bit."""
    value = 0xFFFFFFFF
    for byte in b"ostinato":
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    assert WordEncoder([], buckets=2**20).encode(["ostinato"]).ids.tolist() == [(value ^ 0xFFFFFFFF) % 2**20]
