"""Which tags may follow which, and the entities that they mark."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data.tag_schemes import (
    Entity,
    checked_legal,
    entities,
    everything_legal,
    find_scheme,
    marks_entities,
)
from ostinato.errors import DataError, OptionError
from tests.oracles import tags as oracle

TYPES = ("place", "a-b")
WRITE = {"BIO": oracle.bio, "IOB1": oracle.iob1, "BIOES": oracle.bioes}


def inventory(prefixes):
    return ["O", *(f"{prefix}-{kind}" for kind in TYPES for prefix in prefixes)]


@st.composite
def entity_lists(draw):
    """Entities that do not overlap, and the number of words."""
    found, place = [], 0
    for kind, gap, words in draw(st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 2), st.integers(1, 3)))):
        found.append((kind, place + gap, place + gap + words))
        place += gap + words
    return found, place + draw(st.integers(0, 2))


@given(st.lists(st.sampled_from(inventory("BIES"))))
def test_entities_equal_those_of_the_tables_of_conlleval(tags):
    assert entities(tags) == oracle.chunks(tags)


@pytest.mark.parametrize("name", WRITE)
@given(entity_lists())
def test_entities_are_read_as_they_were_written(name, case):
    found, length = case
    assert entities(WRITE[name](found, length)) == found


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("B-x I-x O B-x", [("x", 0, 2), ("x", 3, 4)]),
        ("I-x I-x O I-x", [("x", 0, 2), ("x", 3, 4)]),  # I after O begins one
        ("B-x I-y I-y", [("x", 0, 1), ("y", 1, 3)]),  # so does I after another type
        ("I-x B-x B-x I-x", [("x", 0, 1), ("x", 1, 2), ("x", 2, 4)]),
        ("S-x S-x B-x E-x", [("x", 0, 1), ("x", 1, 2), ("x", 2, 4)]),
        ("E-x E-x I-x E-x O", [("x", 0, 1), ("x", 1, 2), ("x", 2, 4)]),  # IOE2
        ("B-x O I-x", [("x", 0, 1), ("x", 2, 3)]),
        ("S-x I-x I-x", [("x", 0, 1), ("x", 1, 3)]),
        ("B I O I B", [("", 0, 2), ("", 3, 4), ("", 4, 5)]),
        ("B- I-", [("", 0, 2)]),
        ("U-x B-x L-x", [("x", 0, 1), ("x", 1, 3)]),
        ("B-x M-x E-x M-x", [("x", 0, 3), ("x", 3, 4)]),
        ("B-a-b I-a-b I-a", [("a-b", 0, 2), ("a", 2, 3)]),
    ],
)
def test_known_entities(tags, expected):
    assert entities(tags.split()) == [Entity(*one) for one in expected]


def test_tags_that_mark_nothing_are_refused():
    with pytest.raises(DataError, match="'NOUN' marks no entity"):
        entities(["O", "NOUN"])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-x I-x", True),
        ("B I", True),
        ("O", False),
        ("", False),
        ("NOUN VERB", False),
        ("O B-x X-x", False),
        ("o b-x", False),
        ("O-x B-x", False),
        ("S-x U-y L-z", True),
    ],
)
def test_whether_tags_mark_entities(tags, expected):
    assert marks_entities(tags.split()) is expected


@pytest.mark.parametrize(("name", "prefixes"), [("BIO", "BI"), ("IOB1", "BI"), ("BIOES", "BIES")])
@given(st.data())
def test_legal_is_what_reads_back_as_it_was_written(name, prefixes, data):
    """All transitions of a sentence are legal if its tags are those that its entities have in the scheme."""
    tags = inventory(prefixes)
    # One sentence that says which scheme it is, and holds no transition that is legal there alone.
    scheme = find_scheme(tags, [WRITE[name]([("place", 0, 1)], 1)])
    assert (scheme.name, scheme.broken) == (name, 0)
    sentence = data.draw(st.lists(st.sampled_from(tags)))
    path = [len(tags), *map(tags.index, sentence), len(tags)]
    is_legal = bool(scheme.legal[path[:-1], path[1:]].all())
    assert is_legal == (sentence == WRITE[name](oracle.chunks(sentence), len(sentence)))


@pytest.mark.parametrize("name", WRITE)
@given(st.lists(entity_lists(), min_size=1))
@settings(max_examples=30)
def test_the_scheme_of_sentences_is_found(name, cases):
    sentences = [WRITE[name](*case) for case in cases]
    if not any(found for found, _ in cases):
        return
    scheme = find_scheme(inventory("BIES" if name == "BIOES" else "BI"), sentences)
    assert (scheme.name, scheme.broken) == (name, 0)


def test_known_rules():
    tags = ["I-x", "O", "B-x", "B-y", "I-y"]
    legal = find_scheme(tags, [["O", "B-x"], ["B-y"]]).legal
    expected = [
        # I-x O B-x B-y I-y end
        [1, 1, 1, 1, 0, 1],  # I-x
        [0, 1, 1, 1, 0, 1],  # O
        [1, 1, 1, 1, 0, 1],  # B-x
        [0, 1, 1, 1, 1, 1],  # B-y
        [0, 1, 1, 1, 1, 1],  # I-y
        [0, 1, 1, 1, 0, 1],  # begin
    ]
    assert legal.astype(int).tolist() == expected


def test_what_the_sentences_hold_is_legal_even_where_it_breaks_the_rules():
    tags = ["O", "B-x", "I-x"]
    sentences = [["B-x", "I-x", "O"], ["B-x"], ["O", "I-x"], ["O", "I-x", "I-x"]]
    scheme = find_scheme(tags, sentences)
    assert (scheme.name, scheme.broken) == ("BIO", 2)
    assert scheme.legal[0, 2]
    assert not scheme.legal[3, 2]
    assert find_scheme(tags, sentences * 3).broken == 6


@pytest.mark.parametrize(
    ("tags", "sentences"),
    [
        (["NOUN", "VERB"], [["NOUN", "VERB"]]),
        (["O"], [["O"]]),
        (["O", "I-x", "E-x"], [["I-x", "E-x", "O"]]),  # IOE2 is none of the three
        (["B", "M", "E"], [["B", "M", "E"]]),  # without S or O, no path of one word would be left
    ],
)
def test_without_a_scheme_everything_is_legal(tags, sentences):
    scheme = find_scheme(tags, sentences)
    assert (scheme.name, scheme.broken) == (None, 0)
    assert np.array_equal(scheme.legal, everything_legal(len(tags)))


def test_tags_within_one_another_are_of_a_scheme_too():
    assert find_scheme(["O", "I-x"], [["O", "I-x"]]).name == "IOB1"
    assert find_scheme(["B", "I"], [["B", "I"]]).name == "BIO"
    assert find_scheme(["B", "M", "E", "S"], [["B", "M", "E", "S"]]).name == "BIOES"
    assert find_scheme(["O", "U-x"], [["O", "U-x"]]).name == "BIOES"


def test_a_tag_that_there_is_not_is_named():
    with pytest.raises(DataError, match=r"'I-y' is not among the tags O, B-x\."):
        find_scheme(["O", "B-x"], [["O"], ["B-x", "I-y"]])


def test_legal_is_checked():
    given_as_numbers = np.ones((3, 3), np.float32)
    assert checked_legal(given_as_numbers, 2).dtype == np.bool_
    with pytest.raises(OptionError, match="last row and column"):
        checked_legal(given_as_numbers, 3)
    never_first = everything_legal(2)
    never_first[-1, :-1] = False
    with pytest.raises(OptionError, match="such a tag is O"):
        checked_legal(never_first, 2)
