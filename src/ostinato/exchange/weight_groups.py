"""Weights without a config: the layers that they can be, and how those fit together into a chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..architecture import LastArchitecture, RecurrentArchitecture
from ..errors import DataError, OptionError, closest
from .description import WEIGHTED, Word
from .functions import part_of
from .imported import Chain, Imported
from .layers import Read, Refusal, batch_norm, final_states, last, linear, norm, pooling

Array = NDArray[Any]
MAX_LAYERS = 256
"""The most layers that are put in order by their sizes, or that a description has."""
MAX_TRIES = 20_000
"""How many beginnings of a chain are looked at, where a file has many layers of equal sizes."""


class Sizes(NamedTuple):
    """The features that a layer reads, None where it reads symbols, and those that it puts out."""

    coming: int | None
    size: int

    def __str__(self) -> str:
        return f"{'symbols' if self.coming is None else self.coming} → {self.size}"


@dataclass(frozen=True, eq=False)
class Group:
    """Weights that belong to one layer.

    name: the layer's in the file. words: the words of a description that it can be, each with its sizes. weights: by
    the name that the layer gives each. recurrent: what reads them as a recurrent layer, given whether it has relu.
    after: the group that comes before this one in any chain, where the file tells.
    """

    name: str
    words: dict[str, Sizes]
    weights: dict[str, Array]
    recurrent: Callable[[bool], Read] | None = None
    after: str | None = None

    def __str__(self) -> str:
        kinds = " or ".join(f"{word} {sizes}" for word, sizes in self.words.items())
        return f"{self.name or '(the whole file)'}: {kinds}"


class Link(NamedTuple):
    """A word with the group that its weights are in; None for a word without weights."""

    word: Word
    group: Group | None = None

    def __str__(self) -> str:
        bound = f"={self.group.name}" if self.group is not None and self.group.name else ""
        return f"{self.word.word}{bound}"


class Weights(NamedTuple):
    """What a file of weights alone holds.

    ordered: whether the groups come in the order in which their layers were defined. epsilon: that of a normalisation
    in the tool that wrote the file, where nobody says another. notes: what its user should know already.
    """

    groups: list[Group]
    ordered: bool
    epsilon: float
    notes: list[str]


def kept(words: Sequence[Word], arrays: Mapping[str, Array], notes: list[str]) -> dict[str, Array]:
    """Return the arrays that no ``skip=name`` of a description leaves out, with a note of those that one does.

    Raises OptionError where there is nothing of such a name.
    """
    remaining = dict(arrays)
    for name in [word.name or "" for word in words if word.word == "skip"]:
        left = [key for key in arrays if key == name or key.startswith((f"{name}.", f"{name}/"))]
        if not left:
            layers = {key.rpartition("." if "." in key else "/")[0] for key in arrays}
            raise OptionError(f"skip={name:.60}: the file has no such layer.", closest(name, sorted(layers)))
        notes.append(f"left out as you asked: {', '.join(left)}.")
        remaining = {key: array for key, array in remaining.items() if key not in left}
    return remaining


# ---- without a description


def guess(weights: Weights) -> Imported:
    """Return the model that a file's layers are, where they fit together in one way alone.

    Raises DataError otherwise, with a description to begin with.
    """
    groups = weights.groups
    if not groups:
        raise DataError("the file holds no layer that is known here.")
    found = _in_order(groups) if weights.ordered else None
    ways = [found] if found is not None else _first(_chains(groups), 2)
    if len(ways) != 1 or _neighbours(ways[0]):
        raise _undecided(groups, ways)
    links = ways[0]
    description = " ".join(map(str, links))
    assumed = f"no description was given; the layers were taken to be: {description}"
    weights.notes.append(f"{assumed}. The answer comes at every step, and nothing but these layers computes.")
    return assemble(links, weights)


def _in_order(groups: Sequence[Group]) -> list[Link] | None:
    """Return the chain of groups in the file's order, where their sizes allow it."""
    links: list[Link] = []
    coming: int | None = None
    for index, group in enumerate(groups):
        fitting = [word for word, sizes in group.words.items() if _fits(sizes, coming, first=index == 0)]
        # What could be an embedding is one at the beginning, where the next layer reads what it gives.
        words = [w for w in fitting if len(groups) == 1 or index or _continues(group.words[w], groups[1])]
        if len(words) != 1:
            return None
        links.append(Link(Word(words[0]), group))
        coming = group.words[words[0]].size
    return links


def _continues(sizes: Sizes, after: Group) -> bool:
    return any(other.coming == sizes.size for other in after.words.values())


def _fits(sizes: Sizes, coming: int | None, first: bool) -> bool:
    return first or (coming is not None and sizes.coming == coming)


def _chains(groups: Sequence[Group]) -> Iterator[list[Link]]:
    """Yield every order of all groups in which each reads what the one before puts out."""
    _check_count(groups)
    budget = [MAX_TRIES]

    def extend(links: list[Link], coming: int | None) -> Iterator[list[Link]]:
        budget[0] -= 1
        if budget[0] < 0:
            raise DataError("the file's layers fit together in too many ways.", "give each layer by name: word=name")
        if len(links) == len(groups):
            yield links
        used = {link.group.name for link in links if link.group is not None}
        for group in groups:
            if group.name in used or (group.after is not None and group.after not in used):
                continue
            for word, sizes in group.words.items():
                if _fits(sizes, coming, first=not links):
                    yield from extend([*links, Link(Word(word), group)], sizes.size)

    yield from extend([], None)


def _check_count(layers: Sequence[Any]) -> None:
    if len(layers) > MAX_LAYERS:
        raise DataError(f"{len(layers):,} layers are more than the {MAX_LAYERS} that can be put together.")


def _first(ways: Iterator[list[Link]], count: int) -> list[list[Link]]:
    return [way for way, _ in zip(ways, range(count), strict=False)]


def _neighbours(links: Sequence[Link]) -> bool:
    """Whether linear layers follow one another: there is an activation in between, then, which no weight tells."""
    words = [link.word.word for link in links]
    return any(pair == ("linear", "linear") for pair in pairwise(words))


def _undecided(groups: Sequence[Group], ways: Sequence[list[Link]]) -> DataError:
    if not ways:
        why, proposal = "do not fit together as a chain", [Link(Word(next(iter(g.words))), g) for g in groups]
    elif len(ways) > 1:
        why, proposal = "fit together in more than one way", ways[0]
    else:
        why, proposal = "do not say which function lies between linear layers that follow one another", ways[0]
    lines = "\n  ".join(map(str, groups))
    return DataError(
        f"the file's weights {why}.\n  {lines}",
        f'describe the layers in order, for instance: --layers "{" ".join(map(str, proposal))}"',
    )


# ---- with a description


def describe(words: Sequence[Word], weights: Weights) -> Imported:
    """Return the model that a description makes of a file's layers.

    Words that are not bound take the layers that fit by kind and sizes: in the file's order where it is that of their
    definition, and else only if they fit in one way.

    Raises OptionError for a name that is not in the file, DataError where the layers do not fit.
    """
    groups, words = weights.groups, [word for word in words if word.word != "skip"]
    _check_names(words, groups)
    ways = _first(_bindings(words, groups), 1 if weights.ordered else 2)
    if len(ways) != 1:
        raise _unbound(words, groups, ways)
    return assemble(ways[0], weights)


def _check_names(words: Sequence[Word], groups: Sequence[Group]) -> None:
    known = {group.name: group for group in groups}
    for word in words:
        if word.name is None:
            continue
        if word.name not in known:
            raise OptionError(f"the file has no layer {word.name!r:.60}.", closest(word.name, known))
        if word.word not in known[word.name].words:
            raise OptionError(
                f"{word.name:.60} is no {word.word}.", f"it can be {' or '.join(known[word.name].words)}."
            )


def _bindings(words: Sequence[Word], groups: Sequence[Group]) -> Iterator[list[Link]]:
    """Yield each way to give every word with weights a group, so that all are used and sizes fit."""
    _check_count(words)
    if sum(word.word in WEIGHTED for word in words) != len(groups):
        return
    budget = [MAX_TRIES]

    def extend(links: list[Link], coming: int | None) -> Iterator[list[Link]]:
        budget[0] -= 1
        if budget[0] < 0:
            raise DataError("the layers fit the description in too many ways.", "give each layer by name: word=name")
        used = {link.group.name for link in links if link.group is not None}
        if len(links) == len(words):
            if len(used) == len(groups):
                yield links
            return
        word = words[len(links)]
        if word.word not in WEIGHTED:
            yield from extend([*links, Link(word)], coming)
            return
        first = not used
        for group in groups:
            sizes = group.words.get(word.word)
            if group.name in used or sizes is None or word.name not in (None, group.name):
                continue
            if _fits(sizes, coming, first) and (group.after is None or group.after in used or word.name):
                yield from extend([*links, Link(word, group)], sizes.size)

    yield from extend([], None)


def _unbound(words: Sequence[Word], groups: Sequence[Group], ways: Sequence[list[Link]]) -> DataError:
    lines = "\n  ".join(map(str, groups))
    if ways:
        either = "\n  ".join(" ".join(map(str, way)) for way in ways)
        return DataError(
            f"the file's layers fit the description in more than one way, such as\n  {either}",
            "give each layer by its name: word=name.",
        )
    described = sum(word.word in WEIGHTED for word in words)
    counts = f"{described} layers with weights are described, the file has {len(groups)}"
    return DataError(
        f"the description does not fit the file's weights: {counts}.\n  {lines}",
        "each layer must read as many features as the one before puts out, and every layer of the file must be used.",
    )


# ---- parts


def assemble(links: Sequence[Link], weights: Weights) -> Imported:
    """Return the model that words with their groups are. Raises DataError naming each that cannot be."""
    chain, reads = Chain(), list[Read]()
    size: int | None = None
    for link in links:
        try:
            if link.word.word == "embedding" and link.group is not None:
                if chain.size is not None or reads:
                    raise Refusal("an embedding reads symbols, so it stands at the beginning.")
                chain.embed(link.group.weights["weight"])
                size = chain.size
                continue
            reads = _extended(reads, link, size, weights)
            size = reads[-1].part.output_size if reads else size
        except Refusal as refusal:
            chain.refuse(str(link), refusal.message)
    for read in reads:
        chain.add(*read)
    for note in weights.notes:
        chain.note(note)
    return chain.finish()


def _extended(reads: list[Read], link: Link, size: int | None, weights: Weights) -> list[Read]:
    """Return the parts so far and those of one more word; some words change the part before."""
    word, group = link
    if group is not None:
        return _with_weights(reads, word, group, weights)
    if word.word == "dropout":
        return reads
    if size is None:
        raise Refusal("a layer that has weights comes first: it says how many features x has.")
    if word.function is not None:
        part = part_of(word.function, size)
        return reads if part is None else [*reads, Read(part)]
    if word.word in ("mean", "max"):
        return [*reads, *pooling(word.word, size)]
    before = reads[-1].part if reads else None
    if word.word == "final" and isinstance(before, RecurrentArchitecture):
        return [*reads[:-1], *final_states(reads[-1])] if before.bidirectional else [*reads, last(reads[-1])]
    if word.word == "final":
        raise Refusal("it stands right after a recurrent layer.")
    return [*reads, Read(LastArchitecture(size))]


def _with_weights(reads: list[Read], word: Word, group: Group, weights: Weights) -> list[Read]:
    own = group.weights
    if group.recurrent is not None:
        if word.word == "rnn" and word.relu is None:
            weights.notes.append(f"{group.name or 'rnn'}: tanh was assumed; for relu write rnn:relu.")
        return [*reads, group.recurrent(bool(word.relu))]
    if word.word == "linear":
        return [*reads, linear(own["weight"], own.get("bias"))]
    epsilon = weights.epsilon if word.epsilon is None else word.epsilon
    if word.epsilon is None:
        weights.notes.append(f"{group.name or word.word}: ε = {epsilon:g} was assumed; else write {word.word}:eps=….")
    if word.word == "norm":
        return [*reads, norm(len(own["weight"]), own["weight"], own.get("bias"), epsilon)]
    before = reads[-1] if reads else None
    statistics = own["running_mean"], own["running_var"]
    return [*reads[:-1], *batch_norm(before, *statistics, own.get("weight"), own.get("bias"), epsilon)]
