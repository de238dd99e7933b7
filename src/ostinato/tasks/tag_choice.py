"""Which tags are chosen, given the probability of each: the likeliest that are allowed, O at a discount."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.sequences import sorted_batches
from ..data.tag_schemes import marks_entities
from ..data.tag_sequences import WordSequences
from ..evaluate.classification_metrics import entity_findings
from ..runtime.tags import TagRuntime
from .tagger_options import MOST_STEPS

Array = NDArray[Any]
BATCH = 256
"""Sentences that are read at a time, at most."""
OUTSIDE = "O"
DISCOUNTS = tuple(np.arange(0, 6.25, 0.25).tolist())
"""What may be taken off log p of O."""
LEAST_F1 = 0.1
"""Below, the entities that are found are luck, and what finds one more of them calls hundreds of words entities."""
JUDGED_WORDS = 50_000
"""Words that decide on it at most; about so many, of sentences evenly spread."""


def log_probabilities(
    runtime: TagRuntime, words: WordSequences, progress: Callable[[float], None] = lambda done: None
) -> list[Array]:
    """Return log p of each tag of each word, [T, O] for each sentence."""
    found: list[Array] = [np.empty((0, runtime.outputs))] * len(words.lengths)
    done = 0
    for some in sorted_batches(words.lengths, BATCH, MOST_STEPS):
        log_p = runtime.log_probabilities(words.take(some))
        for column, sentence in enumerate(some):
            found[sentence] = log_p[: words.lengths[sentence], column]
        done += len(some)
        progress(done / len(found))
    return found


def chosen(runtime: TagRuntime, names: Sequence[str], log_p: Sequence[Array], discount: float) -> list[list[str]]:
    """Return the tags of sentences whose log p, word by word, have the largest sum that is allowed.

    names: of the O tags. log_p: [T, O] for each sentence. discount: what is taken off that of O.
    """
    taken = np.array([discount if name == OUTSIDE else 0.0 for name in names])
    lengths = np.array([len(one) for one in log_p], np.int64)
    found: list[list[str]] = [[]] * len(log_p)
    for some in sorted_batches(lengths, BATCH, MOST_STEPS):
        padded = np.zeros((max(1, int(lengths[some].max())), len(some), len(names)))
        for column, sentence in enumerate(some):
            padded[: lengths[sentence], column] = log_p[sentence] - taken
        paths = runtime.best(padded, lengths[some])
        for column, sentence in enumerate(some):
            found[sentence] = [names[tag] for tag in paths[: lengths[sentence], column]]
    return found


def has_entities(names: Sequence[str]) -> bool:
    """Tell whether tags mark entities, and words may be in none."""
    return OUTSIDE in names and marks_entities(names)


def best_discount(
    runtime: TagRuntime,
    names: Sequence[str],
    log_p: Sequence[Array],
    truth: Sequence[Sequence[str]],
    discounts: Sequence[float] = DISCOUNTS,
) -> tuple[float, float]:
    """Return the discount with the best F1 of entities, of several the least, and that F1."""
    every = max(1, -(-sum(map(len, log_p)) // JUDGED_WORDS))
    some, true = log_p[::every], truth[::every]
    f1 = [entity_findings(true, chosen(runtime, names, some, discount)).overall.f1 for discount in discounts]
    best = int(np.argmax(f1))
    return discounts[best], f1[best]
