"""Tags that mark entities: what they say, which may follow which, and the entities that they mark.

A tag is ``O``, outside of every entity, or a prefix and a type, as in ``B-place``; where there is only one type it may
be the prefix alone. The prefixes are

    B  the first word of an entity
    I  a further word of one (also M)
    E  the last word of one (also L)
    S  an entity of one word (also U)

and a scheme says how they are used:

    BIO    every entity begins with B (also called IOB2)
    IOB1   an entity begins with B only right after another of its type, else with I
    BIOES  an entity of one word is S, a longer one begins with B and ends with E (also BILOU, BMES)

A sentence is bounded by O on both sides, so what may come first is what may follow O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError

Legal = NDArray[np.bool_]
"""[O + 1, O + 1]: whether the tag of a row may be followed by that of a column. The last row and column stand for what
lies beyond the sentence: the row says which tags may come first, the column which may come last."""
SchemeName = Literal["BIO", "IOB1", "BIOES"]

_PREFIXES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}


class Tag(NamedTuple):
    """What a tag says: ``O`` or one of the prefixes B, I, E and S, and the type of the entity."""

    prefix: str
    type: str


OUTSIDE = Tag("O", "")


class Entity(NamedTuple):
    """Words of one kind: the first of them, and the one after the last."""

    type: str
    start: int
    stop: int


class Scheme(NamedTuple):
    """How tags are used.

    name: None where tags mark no entities, or in none of these ways; then every transition is legal.
    broken: how many transitions of the sentences break the scheme's rules.
    """

    name: SchemeName | None
    legal: Legal
    broken: int = 0


def marks_entities(tags: Iterable[str]) -> bool:
    """Tell whether tags mark entities: each is O or has one of the prefixes, and not all are O."""
    parsed = [_parsed(tag) for tag in tags]
    return None not in parsed and any(tag != OUTSIDE for tag in parsed)


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities of a sentence as conlleval counts them, whatever its scheme.

    conlleval is the program of the shared task of CoNLL-2003 (Tjong Kim Sang & De Meulder 2003). By its rules a word
    goes on with the entity of the word before it if that is B or I, itself is I or E, and both are of one type. Any
    other tag but O begins an entity: I after O does too, and so does I after another type.

    Raises DataError for a tag without a prefix.
    """
    found: list[Entity] = []
    before = OUTSIDE
    for place, text in enumerate(tags):
        tag = _parsed(text)
        if tag is None:
            raise DataError(
                f"the tag {text!r} marks no entity: it is neither O nor begins with B, I, E or S.",
                "entities are marked as in B-place I-place O.",
            )
        if _goes_on(before, tag):
            found[-1] = found[-1]._replace(stop=place + 1)
        elif tag != OUTSIDE:
            found.append(Entity(tag.type, place, place + 1))
        before = tag
    return found


def find_scheme(tags: Sequence[str], sentences: Iterable[Sequence[str]]) -> Scheme:
    """Return the scheme that sentences are tagged by, and which of these tags may follow which.

    tags: the O distinct tags, in the order of `Legal`. sentences: the tags of all sentences whose probability will be
    asked for, in training and validation. What they hold is legal even where it breaks the rules, or it would have no
    probability; of the schemes that such tags can be of, the one that they break least is taken.

    Raises DataError for a tag of the sentences that is not among `tags`.
    """
    counts = _transitions(tags, sentences)
    parsed = [tag for tag in map(_parsed, tags) if tag is not None]
    if not marks_entities(tags):
        return Scheme(None, everything_legal(len(tags)))
    schemes = []
    for name in _possible({tag.prefix for tag in parsed}):
        rules = _legal_by(_RULES[name], parsed)
        schemes.append(Scheme(name, rules | (counts > 0), int(counts[~rules].sum())))
    # Of BIO and IOB1 that are broken as often, as where no entity touches another, BIO comes first.
    schemes = [scheme for scheme in schemes if _has_paths(scheme.legal)]
    return min(schemes, key=lambda scheme: scheme.broken, default=Scheme(None, everything_legal(len(tags))))


def everything_legal(size: int) -> Legal:
    """Return what lets any of `size` tags follow any."""
    return np.ones((size + 1, size + 1), np.bool_)


def checked_legal(legal: Any, size: int) -> Legal:
    """Return what may follow what among `size` tags.

    Raises OptionError unless it is [O + 1, O + 1] and some tag may come first, last, and after itself: then every
    sentence has a legal path.
    """
    given = np.asarray(legal).astype(np.bool_)
    if given.shape != (size + 1, size + 1):
        raise OptionError(
            f"legal should be [O + 1, O + 1] for O={size} tags, but is {list(given.shape)}.",
            "the last row and column stand for what lies beyond a sentence.",
        )
    if not _has_paths(given):
        raise OptionError(
            "legal leaves some sentence without any path: no tag may come first, last and after itself.",
            "such a tag is O.",
        )
    return given


def _parsed(text: str) -> Tag | None:
    """Return what a tag says; None where it has no prefix."""
    if text == "O":
        return OUTSIDE
    head, _, kind = text.partition("-")
    return Tag(_PREFIXES[head], kind) if head in _PREFIXES else None


def _goes_on(before: Tag, tag: Tag) -> bool:
    return before.prefix in ("B", "I") and tag.prefix in ("I", "E") and before.type == tag.type


def _follows_bio(before: Tag, tag: Tag) -> bool:
    return tag.prefix != "I" or _goes_on(before, tag)


def _follows_iob1(before: Tag, tag: Tag) -> bool:
    return tag.prefix != "B" or (before != OUTSIDE and before.type == tag.type)


def _follows_bioes(before: Tag, tag: Tag) -> bool:
    return _goes_on(before, tag) or (before.prefix not in ("B", "I") and tag.prefix not in ("I", "E"))


_RULES: Mapping[SchemeName, Callable[[Tag, Tag], bool]] = {
    "BIO": _follows_bio,
    "IOB1": _follows_iob1,
    "BIOES": _follows_bioes,
}


def _possible(prefixes: set[str]) -> list[SchemeName]:
    """Return the schemes that tags with these prefixes can be of."""
    if prefixes <= {"O", "B", "I"}:
        return ["BIO", "IOB1"]
    return ["BIOES"] if "S" in prefixes or {"B", "E"} <= prefixes else []


def _legal_by(follows: Callable[[Tag, Tag], bool], tags: Sequence[Tag]) -> Legal:
    bounded = [*tags, OUTSIDE]
    return np.array([[follows(before, tag) for tag in bounded] for before in bounded], np.bool_)


def _has_paths(legal: Legal) -> bool:
    """Tell whether some tag may come first, last, and after itself, so that there is a path of any length."""
    return bool((legal[-1, :-1] & legal[:-1, -1] & legal.diagonal()[:-1]).any())


def _transitions(tags: Sequence[str], sentences: Iterable[Sequence[str]]) -> NDArray[np.int64]:
    """Return how often each tag is followed by each [O + 1, O + 1], the last being what lies beyond a sentence."""
    ids = {tag: place for place, tag in enumerate(tags)}
    beyond = len(tags)
    path = [beyond]
    try:
        for sentence in sentences:
            path += [ids[tag] for tag in sentence]
            path.append(beyond)
    except KeyError as error:
        raise DataError(f"{error.args[0]!r} is not among the tags {', '.join(tags)[:80]}.") from None
    size = beyond + 1
    pairs = np.array(path[:-1], np.int64) * size + np.array(path[1:], np.int64)
    return np.bincount(pairs, minlength=size * size).reshape(size, size)
