"""The options of a language model, and the sizes that suit a text when they are not given."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

from .options import Count, Part, Share, says
from .training_options import DEFAULT_SECONDS, TrainingOptions, timed

MAX_EPOCHS = 50
"""Epochs after which more time does not help: a plan made from ``--time`` stops there."""


class LanguageOptions(TrainingOptions, frozen=True, kw_only=True):
    """How a language model is built and trained. None: chosen from the text's length and the stated time."""

    cell: Annotated[str, says("the recurrence: a name listed by `ostinato cells`, or FILE.py:NAME")] = "lstm"
    hidden_size: Annotated[
        Count | None, says("the number of hidden units, by default from length and time", short="--hidden")
    ] = None
    num_layers: Annotated[Count, says("the number of recurrent layers", short="--layers")] = 1
    embedding_size: Annotated[Count, says("the width of a symbol's embedding")] = 64
    dropout: Annotated[
        Share | None,
        says(
            "the share of a layer's outputs dropped in training, by default up to 0.5, by width and length of the text"
        ),
    ] = None
    tokens: Annotated[Literal["characters", "bytes"], says("what a symbol is; bytes take any file")] = "characters"
    batch_size: Annotated[
        Count | None,
        says("the number of parallel streams, by default 32 (16 up to 256 units), or what a short text fills"),
    ] = None
    sequence_length: Annotated[
        Count | None,
        says("the steps that gradients go back, by default 64, or what a short text fills"),
    ] = None
    valid_fraction: Annotated[Part, says("the share of the text, at its end, that is held out")] = 0.1


def sized(options: LanguageOptions, length: int) -> LanguageOptions:
    """Return the options with every size set, for a training text of `length` symbols.

    H grows with the stated time (512 for ten minutes on two cores) and shrinks for short texts (about
    as many weights as symbols); never by measured speed, so that a machine's mood changes no model.

    All else follows from H and the length. A narrow network's steps are cheap, and it learns more from many small
    ones; a wide one needs more streams to use the machine. The learning rate falls as 1/H. Dropout grows with H, and
    falls where a text has more symbols than the network has weights, about 4 H², and is not learned by heart. Streams
    are few enough that a short text still gives 64 steps an epoch.
    """
    seconds = options.time or DEFAULT_SECONDS
    for_time = 512 * (seconds / 600) ** 0.4
    for_text = math.sqrt(length) / 2
    hidden = options.hidden_size or max(32, min(1024, 32 * round(min(for_time, for_text) / 32)))
    most_streams = 32 if hidden > 256 else 16
    sequence = options.sequence_length or min(64, max(8, length // 64))
    chosen = {
        "hidden_size": hidden,
        "sequence_length": sequence,
        "batch_size": min(most_streams, max(4, length // (64 * sequence)), max(1, (length - 1) // sequence)),
        "dropout": round(0.5 * min(1.0, hidden / 512) * min(1.0, 2 * hidden / math.sqrt(length)), 2),
        "learning_rate": min(0.01, float(f"{0.004 * 512 / hidden:.2g}")),
    }
    missing = {name: value for name, value in chosen.items() if getattr(options, name) is None}
    return msgspec.structs.replace(options, time=timed(options), **missing)
