"""The cheap baselines that stand beside a classifier of text; the regressions may be its linear part, too.

    majority     how frequent each class is in training
    words        logistic regression on the words of a text and the pairs of neighbouring ones
    characters   the same on runs of 1 to 4 characters within words, for short texts

A text is a vector with a place for each gram (a word, a pair, a run; see `data.grams`), of unit length, in which a gram
that occurs n > 0 times counts

    (1 + log n) ρ_g,   ρ_g² = mean over classes k of (log of q_gk / q'_gk)²

with q_gk the share of the training texts of class k that have it, and q'_gk that of all others, each with one text more
that has it and one that has not. A gram counts as much as it tells the classes apart, whichever; the regression finds
which. Source: Wang and Manning 2012, "Baselines and Bigrams", who weigh by that logarithm, of two classes, with its
sign; here one number a gram serves any number of them. The usual weight, by how rare a gram is, has less: 0.9065 of
IMDB's test instead of 0.914.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..data.grams import BUCKETS, GramKind, Grams, count_grams, joined
from ..errors import FileFormatError, OptionError
from ..extras import require
from .class_baselines import ClassWeights, Floats, Labels, check_labels, majority
from .logistic import Features, LinearPart, Numbers, Path, Tensors

MOST_WEIGHTS = 4_000_000
"""The most frequent grams are kept, so many that all classes together have no more weights: L-BFGS holds some twenty
numbers for each."""
MANY_TEXTS = 1000
"""Of so many training texts, grams that only one of them has are left out."""
SHORT_TEXT = 200
"""Up to this mean length, in characters, runs of characters are tried too."""
STRENGTHS: dict[GramKind, float] = {"words": 10.0, "characters": 3.0}
"""C of the regression. With 3, 10 and 30 words and pairs tell 0.911, 0.914 and 0.915 of IMDB's test."""
LEAST_TELLING = 0.01
"""The least ρ: a text of grams that tell nothing has a direction, too."""


def text_baselines(
    train: Sequence[str],
    labels: Any,
    texts: Sequence[str],
    classes: int,
    *,
    class_weights: ClassWeights = None,
) -> dict[str, Floats]:
    """Return what each baseline, fitted on training texts, predicts for other texts: probabilities [S, K] by name.

    Raises DataError, ShapeError, MissingExtraError.
    """
    found = {"majority": majority(check_labels(labels, len(train), classes), classes, len(texts))}
    kinds: Sequence[GramKind] = get_args(GramKind) if sum(map(len, train)) <= SHORT_TEXT * len(train) else ("words",)
    for grams in kinds:
        regression = TextLogistic(classes, grams, class_weights=class_weights).fit(train, labels)
        found[grams] = regression.probabilities(texts)
    return found


class TextLogistic(LinearPart[Sequence[str]]):
    """Logistic regression on the grams of a text, which are told apart by a hash.

    classes: K. grams: of words, single ones and pairs, or of characters. class_weights: see `class_baselines`.

    After `fit`: ``columns_``, the buckets of the grams that it looks at, rising [F], and ``telling_``, ρ of each [F].

    Raises OptionError for other grams.
    """

    columns_: NDArray[np.int64]
    telling_: NDArray[np.float32]

    def __init__(self, classes: int, grams: GramKind = "words", *, class_weights: ClassWeights = None) -> None:
        if grams not in get_args(GramKind):
            raise OptionError(f"grams must be words or characters, not {grams!r}.")
        self.strength = STRENGTHS[grams]
        super().__init__(classes, class_weights=class_weights)
        self.grams = grams

    def fit(self, inputs: Sequence[str], labels: Any) -> TextLogistic:
        learned = check_labels(labels, len(inputs), self.classes)
        require("sklearn", "baselines")
        grams = joined(count_grams(inputs, self.grams))
        having = np.bincount(grams.buckets, minlength=BUCKETS)
        self.columns_ = self._kept(having, len(inputs))
        self.telling_ = self._told_apart(grams, learned)
        self.regression.fit(self._weigh(grams).sparse(len(self.columns_)), learned)
        return self

    def probabilities(self, inputs: Sequence[str]) -> Floats:
        """Return the probability of each class [S, K]. A text without a known gram is told by the frequencies alone."""
        parts = count_grams(inputs, self.grams)
        return np.concatenate([self.regression.probabilities(self._weigh(part)) for part in parts])

    def tensors(self) -> dict[str, NDArray[Any]]:
        return {"columns": self.columns_, "telling": self.telling_, **self.regression.tensors()}

    @classmethod
    def from_tensors(
        cls, path: Path, tensors: Tensors, classes: int, grams: GramKind = "words", *, several: bool = False
    ) -> TextLogistic:
        """Return what `tensors` gave. path: of the file, for errors. Raises FileFormatError for what does not fit."""
        part = cls(classes, grams)
        columns = tensors.get("columns")
        size = len(columns) if isinstance(columns, np.ndarray) and columns.ndim == 1 else 0
        part._restore(path, tensors, size, several, {"columns": (np.int64, (size,)), "telling": (np.float32, (size,))})
        part.columns_, part.telling_ = tensors["columns"], tensors["telling"]
        if not size or not _are_buckets(part.columns_) or not (part.telling_ > 0).all():
            raise FileFormatError(f"{path} is damaged: the grams of its linear part are impossible.")
        return part

    def _kept(self, having: Numbers, examples: int) -> Numbers:
        """Return the columns of the grams that regression sees, in order; at least one, be it empty.

        having: how many of the training texts have a gram of each bucket.
        """
        places = np.flatnonzero(having > (1 if examples >= MANY_TEXTS else 0))
        most = max(1, MOST_WEIGHTS // self.classes)
        if len(places) > most:
            places = np.sort(places[np.argsort(-having[places], kind="stable")[:most]])
        return places if len(places) else np.zeros(1, np.int64)

    def _told_apart(self, grams: Grams, learned: Labels) -> NDArray[np.float32]:
        """Return ρ of each gram that regression sees [F]."""
        columns, _, starts = self._seen(grams)
        texts, size = np.repeat(np.arange(len(starts) - 1), np.diff(starts)), len(self.columns_)
        having, total, count = np.bincount(columns, minlength=size), np.zeros(size), 0
        for number in range(self.classes):
            within = learned[:, number] if learned.ndim == 2 else learned == number
            inside = int(within.sum())
            if 0 < inside < len(within):
                here = np.bincount(columns[within[texts]], minlength=size)
                share = (here + 1) / (inside + 2)
                others = (having - here + 1) / (len(within) - inside + 2)
                total += np.log(share / others) ** 2
                count += 1
        return np.maximum(np.sqrt(total / max(count, 1)), LEAST_TELLING).astype(np.float32)

    def _seen(self, grams: Grams) -> tuple[Numbers, NDArray[np.bool_], Numbers]:
        """Return the columns of the grams that regression sees, which these are, and where those of each text begin."""
        columns = np.minimum(np.searchsorted(self.columns_, grams.buckets), len(self.columns_) - 1)
        is_seen = self.columns_[columns] == grams.buckets
        starts = np.concatenate([[0], np.cumsum(is_seen)])[grams.starts]
        return columns[is_seen], is_seen, starts

    def _weigh(self, grams: Grams) -> Features:
        """Return texts as vectors: those grams that regression sees, weighed."""
        columns, is_seen, starts = self._seen(grams)
        # In float32, logarithms that differ between machines by their last bit are the same.
        counted = (1 + np.log(grams.counts[is_seen])).astype(np.float32)
        values = counted.astype(np.float64) * self.telling_[columns]
        texts = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        squares = np.bincount(texts, values**2, len(starts) - 1)  # added in order
        return Features(columns, values / np.sqrt(squares)[texts], starts)


def _are_buckets(columns: Numbers) -> bool:
    """Whether columns are places of buckets, in order."""
    return bool(columns[0] >= 0 and columns[-1] < BUCKETS and (columns[1:] > columns[:-1]).all())
