"""The cheap baselines that stand beside a model of text, all on the same held-out text.

    uniform   every symbol alike: log V
    unigram   how often each symbol is in the training text, each counted once more
    markov5   the five symbols before, with back-off (see `markov`)
    xz        what xz needs for the held-out text once it has seen the training text

Like a model, each predicts all symbols but the first, which is only read.
"""

from __future__ import annotations

import lzma
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.vocabulary import Vocabulary
from .markov import markov_probabilities
from .metrics import figures

MARKOV_SYMBOLS = 50_000_000
"""The Markov model learns from the end of a longer training text; it needs about 50 bytes a symbol."""
XZ_BYTES = 16 * 1024 * 1024
"""xz is primed with the end of a longer training text; it takes about 2 seconds a MiB."""

Ids = NDArray[np.integer[Any]]


def baselines(vocabulary: Vocabulary, held_out: Ids, train: Ids | None = None) -> dict[str, dict[str, float]]:
    """Return the figures of every baseline that can be computed, by name: without `train` only uniform.

    held_out, train: ids of the vocabulary [T].

    Raises DataError when there is nothing to score.
    """
    characters = vocabulary.count_characters(held_out[1:])
    nats = {"uniform": uniform(held_out, vocabulary.size)}
    if train is not None:
        nats["unigram"] = unigram(train, held_out, vocabulary.size)
        nats["markov5"] = markov5(train, held_out, vocabulary.size)
        recent = vocabulary.decode_bytes(train[-XZ_BYTES:])
        nats["xz"] = xz(recent + vocabulary.decode_bytes(held_out[:1]), vocabulary.decode_bytes(held_out[1:]))
    return {name: figures(total, characters) for name, total in nats.items()}


def uniform(held_out: Ids, size: int) -> float:
    """Return the nats of a text whose symbols are equally likely."""
    return (len(held_out) - 1) * math.log(size)


def unigram(train: Ids, held_out: Ids, size: int) -> float:
    """Return the nats of a text under each symbol's frequency in training, with one added to each count."""
    counts = np.bincount(train, minlength=size) + 1
    return float(-np.log(counts / counts.sum())[held_out[1:]].sum())


def markov5(train: Ids, held_out: Ids, size: int) -> float:
    """Return the nats of a text under a Markov model of order 5."""
    return float(-np.log(markov_probabilities(train[-MARKOV_SYMBOLS:], held_out, size, order=5)).sum())


def xz(before: bytes, text: bytes) -> float:
    """Return the nats by which `text` lengthens what xz makes of the end of `before`."""
    primer = before[-XZ_BYTES:]
    return (_compressed_size(primer + text) - _compressed_size(primer)) * 8 * math.log(2)


def _compressed_size(text: bytes) -> int:
    """Return the size under ``xz -9e`` without its container, with a dictionary for the whole text (at most 64 MiB)."""
    window = min(max(len(text), 4096), 64 * 1024 * 1024)
    method = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window}
    return len(lzma.compress(text, lzma.FORMAT_RAW, filters=[method]))
