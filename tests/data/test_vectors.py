"""Vectors of words from text files: what is found, and what is refused, with its line."""

import gzip
import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data import vectors as module
from ostinato.data.vectors import read_vectors
from ostinato.errors import DataError

GLOVE = "the 0.5 -1.25 3e-2\ncat 1 2 3\n. . 4 5 6\nÉcole 7 8 9\n"


def write(folder, content, name="vectors.txt"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(folder, content, words=("cat",), **options):
    with pytest.raises(DataError) as caught:
        read_vectors(write(folder, content), words, **options)
    return str(caught.value).replace(str(folder), "")


def test_in_the_order_of_the_words(tmp_path):
    found = read_vectors(write(tmp_path, GLOVE), ["cat", "dog", "the", "École"])
    assert found.matrix.dtype == np.float32
    assert found.matrix.tolist() == [[1, 2, 3], [0, 0, 0], [0.5, -1.25, np.float32(0.03)], [7, 8, 9]]
    assert found.found.tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    "content",
    [
        "2 2\na 1 2\nb 3 4\n",
        "a 1 2\nb 3 4",
        "a 1 2 \r\nb 3 4 \r\n",
        "a\t1\t2\n\nb\t3\t4\n\n",
        "\ufeffa 1 2\nb 3 4\n",
        "\ufeff2 2\na 1 2\nb 3 4\n",
        b"a 1 2\nb 3 4\n\xff\xfe 5 6\n",
        "a 1 2\nb 3 4\nx y 9 9\na 8 8\n",
    ],
)
def test_the_forms_that_are_published(tmp_path, content):
    assert read_vectors(write(tmp_path, content), ["b", "a"]).matrix.tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_archives(tmp_path, suffix, compress):
    path = write(tmp_path, compress(GLOVE.encode()), f"vectors.txt{suffix}")
    assert read_vectors(path, ["cat"]).matrix.tolist() == [[1, 2, 3]]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="damaged"):
        read_vectors(path, ["cat"])


def test_words_may_hold_blanks(tmp_path):
    assert read_vectors(write(tmp_path, GLOVE), [". ."]).matrix.tolist() == [[4, 5, 6]]


def test_lower_cased_words_take_the_first_that_is_alike(tmp_path):
    path = write(tmp_path, "PARIS 1\nParis 2\nrome 3\nROME 4\nBONN 5\nbonn 6\nbonn 7\n")
    words = ["paris", "rome", "bonn", "oslo"]
    assert read_vectors(path, words, lower=True).matrix[:, 0].tolist() == [1, 3, 6, 0]
    assert read_vectors(path, words).matrix[:, 0].tolist() == [0, 3, 6, 0]


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(st.characters(categories=["L", "P", "S"]), min_size=1), st.integers(0, 2**32 - 1), min_size=1
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_round_trip(tmp_path_factory, values, width, header):
    random = {word: np.random.default_rng(seed).normal(size=width).astype(np.float32) for word, seed in values.items()}
    lines = [f"{len(random)} {width}"] * header
    lines += [" ".join([word, *map(str, vector.tolist())]) for word, vector in random.items()]
    path = write(tmp_path_factory.mktemp("vectors"), "\n".join(lines))
    found = read_vectors(path, [*random, "no such word"])
    assert np.array_equal(found.matrix, [*random.values(), np.zeros(width)])
    assert found.found.tolist() == [True] * len(random) + [False]


LINES = st.lists(st.sampled_from([b"a", b"b 1", b"2 2", b" ", b"\n", b"\r", b"\t", b"\xff", b"1e9", b"nan", b"-0.5"]))


@settings(max_examples=60)
@given(LINES.map(b"".join) | st.binary(), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, lower):
    path = write(tmp_path_factory.mktemp("vectors"), content)
    try:
        found = read_vectors(path, ["a", "b", "\udc80"], lower=lower)
    except DataError:
        return
    assert np.isfinite(found.matrix).all()
    assert not found.matrix[~found.found].any()


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("the 1 2\ncat 1\n", "line 2 of /vectors.txt holds 1 numbers after its word, not 2."),
            ("the 1 2\ndog\ncat 1 2\n", "line 2 of /vectors.txt holds 0 numbers after its word, not 2."),
            ("the 1 2\n\ncat 1 x\n", "line 3 of /vectors.txt holds 'x' where a number is expected."),
            ("the 1 2\ncat 1 nan\n", "line 2 of /vectors.txt holds a number that is not finite in float32."),
            ("cat 1 1e39\n", "line 1 of /vectors.txt holds a number that is not finite in float32."),
            ("the\ncat\n", "line 1 of /vectors.txt asks for vectors of 0 numbers; there may be 1 to 4096."),
            ("1 999999999\n", "line 1 of /vectors.txt asks for vectors of 999999999 numbers; there may be 1 to 4096."),
            ("9 0\ncat\n", "line 1 of /vectors.txt asks for vectors of 0 numbers; there may be 1 to 4096."),
        ],
    )
    def test_lines(self, tmp_path, content, message):
        assert refusal(tmp_path, content).splitlines() == [
            message,
            "  hint: a line is a word and its numbers with blanks between, as many in every line: the 0.1 -0.2 0.3",
        ]

    def test_a_file_that_ends_early(self, tmp_path):
        message = refusal(tmp_path, "3 2\ncat 1 2\ndog 3 4\n")
        assert "says that it holds 3 vectors, but ends at line 3 with 2." in message
        assert "holds 3 vectors, but ends at line 1 with 0." in refusal(tmp_path, "3 2\n")

    def test_empty_or_missing(self, tmp_path):
        assert "is empty." in refusal(tmp_path, "")
        assert "is empty." in refusal(tmp_path, "\n \n")
        with pytest.raises(DataError, match="cannot be read: no such file"):
            read_vectors(tmp_path / "none.txt", ["a"])

    def test_a_word_asked_for_twice(self, tmp_path):
        assert "a word twice" in refusal(tmp_path, GLOVE, ["cat", "cat"])

    def test_sizes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "MOST_BYTES", 100)
        assert "9 vectors of 3 numbers, as /vectors.txt has them, do not fit" in refusal(
            tmp_path, GLOVE, list("abcdefghi")
        )
        monkeypatch.setattr(module, "LONGEST_LINE", 9)
        assert "line 2 of /vectors.txt is longer than 9 bytes." in refusal(tmp_path, "a 1\nb 222222222\n")
