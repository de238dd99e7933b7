"""The options of a tagger, and the sizes that suit the sentences when they are not given."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec

from ..data.conll import TagLayout
from ..errors import OptionError
from .label_options import LabelOptions
from .options import NotNegative, Positive, says
from .training_options import timed

LEAST_EPOCHS, MOST_EPOCHS, ENOUGH_STEPS = 5, 30, 1000
"""A plan made from ``--time`` stops after so many steps, but within these bounds: then more time does not help."""
MOST_STEPS = 2**15
"""Words in a training batch, with what pads it; bounds memory."""
MOST_TAGS = 128
"""With more tags than so many, words are tagged by themselves by default: paths take the square of it."""
MOST_BUCKETS, MOST_FEATURE_WEIGHTS = 2**17, 2**23


class TaggerOptions(LabelOptions, frozen=True, kw_only=True):
    """What is tagged, and how the tagger is built and trained. None: chosen from the sentences and the stated time."""

    word: Annotated[
        str | None,
        says("the column of words, by number from 1, in CoNLL-U by name, too; by default the first, or FORM"),
    ] = None
    tag: Annotated[
        str | None, says("the column of tags, by number from 1, in CoNLL-U by name, too; by default the last, or UPOS")
    ] = None
    format: Annotated[
        Literal["columns", "conllu"] | None,
        says("what the files are: CoNLL columns or CoNLL-U, by default as they are named"),
    ] = None
    features: Annotated[
        bool, says("whether a linear part looks at words, their ends and shapes, and those of their neighbours")
    ] = True
    paths: Annotated[
        bool | None,
        says("whether a CRF scores which tag follows which, by default unless there are more than 128 tags"),
    ] = None
    discount: Annotated[
        NotNegative | None,
        says("what is taken off log p of O when entities are marked, by default what gives the best F1 held out"),
    ] = None
    clip_norm: Annotated[Positive, says("the norm to which gradients are clipped")] = 0.25

    def check(self) -> None:
        """Raise OptionError where options contradict each other."""
        super().check()
        if self.label_smoothing and self.paths:
            raise OptionError(
                "label smoothing is for tags by themselves, not for paths of a CRF.", "leave out --paths, or smoothing."
            )


def layout_of(options: TaggerOptions) -> TagLayout:
    """Return what the options say about files."""
    return TagLayout(word=options.word, tag=options.tag, format=options.format, encoding=options.encoding)


class Extent(NamedTuple):
    """What the sizes follow from: how many sentences and words are learned from, the longest one, and O tags."""

    sentences: int
    words: int
    longest: int
    tags: int


def sized(options: TaggerOptions, extent: Extent) -> TaggerOptions:
    """Return the options with every size set."""
    chosen = {
        "cell": "lstm",
        "hidden_size": 128,
        "num_layers": 1,
        "embedding_size": 100,
        "lower": True,
        "word_dropout": 0.1,
        "input_dropout": 0.33,
        "dropout": 0.33,
        "paths": extent.tags <= MOST_TAGS and not options.label_smoothing,
        # A few hundred steps an epoch, where there are as many sentences.
        "batch_size": max(4, min(32, extent.sentences // 200)),
        "learning_rate": 0.003,
    }
    missing = {name: value for name, value in chosen.items() if getattr(options, name) is None}
    found = msgspec.structs.replace(options, time=timed(options), **missing)
    most = max(1, MOST_STEPS // max(1, extent.longest))
    return msgspec.structs.replace(found, batch_size=min(found.batch_size or 1, most))


def most_epochs(steps_per_epoch: int) -> int:
    """Return the epochs after which more time does not help."""
    return max(LEAST_EPOCHS, min(MOST_EPOCHS, -(-ENOUGH_STEPS // steps_per_epoch)))


def buckets_of(options: TaggerOptions, extent: Extent) -> int:
    """Return how many buckets features are hashed to: two to four for each word to learn from; 0 without any."""
    if not options.features:
        return 0
    most = min(MOST_BUCKETS, max(1024, MOST_FEATURE_WEIGHTS // extent.tags))
    return int(min(1 << (most.bit_length() - 1), max(1024, 2 << extent.words.bit_length())))
