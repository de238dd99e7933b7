"""What a classifier tells apart: the names of the classes, and labels as their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ..errors import DataError
from .labels import LabelKind, Labels, class_counts, columns_of, kind_of_labels
from .places import Places
from .report import listed

MOST_CLASSES = 2**20
_WHOLE = re.compile("0|-?[1-9][0-9]{0,18}")


class Classes(msgspec.Struct, frozen=True):
    """K classes in order; several: whether any number of them may apply to an example, or exactly one does.

    given: what labels were in Python, if all were texts or truth values. columns: how many there were where labels were
    an array of zeros and ones. Both say what `as_given` returns, and nothing else.
    """

    names: Annotated[list[str], Meta(min_length=1, max_length=MOST_CLASSES)]
    several: bool = False
    given: LabelKind | None = None
    columns: Annotated[int, Meta(ge=1, le=MOST_CLASSES)] | None = None

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise DataError("a class is named twice.")
        if self.given == "truth" and not {"true", "false"}.issuperset(self.names):
            raise DataError("a class is no truth value.")
        if self.columns is not None and not (self.several and {*map(str, range(self.columns))}.issuperset(self.names)):
            raise DataError("a class is none of the columns.")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, labels: Labels) -> Classes:
        """Return the classes of training labels: numbers by their value, else by name.

        Raises DataError where there is only one, of which nothing can be learned.
        """
        several = any(isinstance(label, list) for label in labels)
        names = list(class_counts(labels))
        if len(names) < (1 if several else 2):
            raise DataError(
                f"every example is labelled {names[0]!r}." if names else "no example has a label.",
                "a classifier needs examples of two classes at least; check the column of labels.",
            )
        return cls(names, several)

    def like(self, labels: Any) -> Classes:
        """Return the classes, as labels that a caller gave were."""
        return msgspec.structs.replace(self, given=kind_of_labels(labels), columns=columns_of(labels))

    def as_given(self) -> NDArray[Any]:
        """Return the classes [K] as labels were: texts, truth values, else whole numbers where all are, or texts."""
        if self.given == "truth":
            return np.array([name == "true" for name in self.names])
        if self.given == "text" or any(_WHOLE.fullmatch(name) is None for name in self.names):
            return np.array(self.names)
        numbers = [int(name) for name in self.names]
        return np.array(numbers if all(abs(number) < 2**63 for number in numbers) else self.names)

    def numbers(self, labels: Labels) -> Truth:
        """Return labels as numbers; classes that are not these get numbers from K on, in `unseen`.

        Raises DataError where labels are lists and one class was expected each, or the other way round.
        """
        if any(isinstance(label, list) for label in labels) != self.several and len(labels):
            expected, came = ("several labels", "one") if self.several else ("one label", "several")
            raise DataError(f"{expected} for each example were expected, but {came} came.")
        unseen: dict[str, int] = {}
        known = {name: number for number, name in enumerate(self.names)}

        def number(name: str) -> int:
            return known[name] if name in known else unseen.setdefault(name, len(known) + len(unseen))

        if not self.several:
            found = np.array([number(label) for label in labels if isinstance(label, str)], np.int64)
            return Truth(found, list(unseen))
        each = [[number(name) for name in label] for label in labels]
        truth = np.zeros((len(each), len(known) + len(unseen)), bool)
        for row, numbers in enumerate(each):
            truth[row, numbers] = True
        return Truth(truth, list(unseen))

    def known(self, labels: Labels, places: Places) -> NDArray[Any]:
        """Return labels as numbers below K [S], or which classes apply [S, K].

        Raises DataError, with the place, for a label that is none of the classes.
        """
        truth = self.numbers(labels)
        if truth.unseen:
            example = next(place for place, label in enumerate(labels) if truth.unseen[0] in _as_list(label))
            raise places.error(
                example,
                f"the label {truth.unseen[0]!r} is none of the {len(self):,} classes.",
                f"they are {listed(self.names)}.",
            )
        return truth.numbers


class Truth(NamedTuple):
    """Labels as numbers [S], or which classes apply [S, K + U]; and the names of the U classes that are not known."""

    numbers: NDArray[Any]
    unseen: list[str]


def shares_of(truth: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Return how frequent each class is [K], with half an example more of each, and of none."""
    counts = truth.sum(axis=0) if truth.ndim == 2 else np.bincount(truth, minlength=classes)
    return np.asarray((counts + 0.5) / (len(truth) + 1))


RUN = 50
"""Examples of a class that stand together and are held out together, at most."""


def held_out(truth: NDArray[Any], fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the examples to learn from, and of those to judge by, the fraction of each class.

    Drawn are runs of neighbours, since what stands together is often alike: reviews of one film, series of one person.
    With one half of such a pair learned, the other half would be judged too well. Runs are short enough that each class
    has five of them at least, or single examples.

    Of each class at least one example is left to learn from; one that has a single example is not judged by. Where
    several classes may apply, runs are drawn without regard to them.

    Raises DataError where nothing would be left to judge by.
    """
    random = np.random.default_rng([seed, 1])
    groups = [np.arange(len(truth))]
    if truth.ndim == 1:
        groups = [np.flatnonzero(truth == number) for number in np.unique(truth)]
    # What rounding takes from one class it gives to the next, so that the whole is the fraction of all.
    chosen, owed = [np.empty(0, np.int64)], 0.0
    for group in groups:
        owed += fraction * len(group)
        count = min(round(owed), len(group) - 1)
        owed -= count
        chosen.append(_in_runs(group, count, random))
    valid = np.sort(np.concatenate(chosen))
    if not len(valid):
        raise DataError(
            f"of {len(truth):,} examples none is left to judge by.",
            "give more examples, a larger --valid-fraction, or a file of their own with --valid.",
        )
    return np.setdiff1d(np.arange(len(truth)), valid), valid


def _in_runs(group: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return so many of a group, in runs of neighbours drawn from all over it."""
    length = max(1, min(RUN, count // 5))
    runs = [group[begin : begin + length] for begin in range(0, len(group), length)]
    order = random.permutation(len(runs))
    return np.concatenate([np.empty(0, np.int64), *(runs[place] for place in order)])[:count]


def _as_list(label: str | Sequence[str]) -> Sequence[str]:
    return [label] if isinstance(label, str) else label
