"""Labels: what examples are called. They are texts, whatever they were; numbers stay as they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..errors import DataError, ShapeError
from .numerals import is_number
from .places import Places
from .report import listed

Labels = list[str] | list[list[str]]
"""A label for each example; or a list for each, where several or none may apply."""
LabelKind = Literal["text", "truth"]
_LARGEST_WHOLE = 2.0**53


def label_text(value: Any) -> str | None:
    """Return one label as text, None where it is missing.

    A text loses the blanks around it, and is missing where nothing is left. A number is written as Python does, but
    without a point where it is whole, so that a column of whole numbers means the same whatever its type; a truth value
    is "true" or "false". None and not-a-number are missing.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bytes):
        return label_text(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if np.isnan(number):
            return None
        return str(int(number)) if number.is_integer() and abs(number) < _LARGEST_WHOLE else str(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item") and not isinstance(value, np.generic):
        return label_text(value.item())  # an array's or a tensor's one number
    return label_text(str(value))


def labels_from(values: Sequence[Any], places: Places, separator: str | None = None) -> Labels | None:
    """Return a label for each example, or a list for each where some value is a list or a separator is given.

    separator: what stands between labels in one text. An example of several labels may have none; a label that it is
    given twice counts once. Labels that are all missing are none at all: None.

    Raises DataError, with the place, where one is missing while others are not.
    """
    if separator is not None or any(isinstance(value, (list, tuple, set, frozenset, np.ndarray)) for value in values):
        many = [_several(value, separator) for value in values]
        return many if any(many) else None
    found = [label_text(value) for value in values]
    labels = [label for label in found if label is not None]
    if not labels:
        return None
    if len(labels) < len(found):
        missing = [place for place, label in enumerate(found) if label is None]
        fact = f"{len(missing):,} of {len(found):,} labels are missing, the first at {places[missing[0]]}."
        raise DataError(fact, "label all examples, or leave those without a label out.")
    return labels


def _several(value: Any, separator: str | None) -> list[str]:
    """Return the labels of one value, each once, in their order; a set has none and is sorted."""
    if isinstance(value, (set, frozenset)):
        return sorted(_several(list(value), separator))
    if isinstance(value, (list, tuple, np.ndarray)):
        parts = list(value)
    elif isinstance(value, str) and separator is not None:
        parts = value.split(separator)
    else:
        parts = [value]
    texts = (label_text(part) for part in parts)
    return list(dict.fromkeys(text for text in texts if text is not None))


def labels_given(labels: Any, places: Places, separator: str | None = None, what: str = "text") -> Labels | None:
    """Return the labels that a caller gives beside the examples: a list, a column of a frame, or an array [N].

    An array [N, C] of zeros and ones tells which of C classes apply, which are called "0", "1", …; one of [N, 1] is a
    column.

    Raises ShapeError for another number of labels or other shapes, and DataError for a missing one.
    """
    values = _listed(labels)
    if len(values) != len(places):
        raise ShapeError(f"expected {len(places):,} labels, one for each {what}, got {len(values):,}.")
    return labels_from(values, places, separator)


def kind_of_labels(labels: Any) -> LabelKind | None:
    """Return what labels that a caller gives were: all texts, all truth values; None for numbers and others."""
    values = _listed(labels) if columns_of(labels) is None else []
    values = [part for value in values for part in (value if isinstance(value, (list, tuple, set)) else [value])]
    for kind, types in _KINDS.items():
        if values and all(isinstance(value, types) for value in values):
            return kind
    return None


_KINDS: dict[LabelKind, tuple[type, ...]] = {"text": (str,), "truth": (bool, np.bool_)}


def columns_of(labels: Any) -> int | None:
    """Return how many columns labels have that are an array of zeros and ones [N, C]; None for others."""
    shape: tuple[int, ...] = getattr(labels, "shape", ())
    return int(shape[1]) if len(shape) == 2 and shape[1] > 1 else None


def _listed(labels: Any) -> list[Any]:
    if isinstance(labels, (str, bytes, Mapping)) or not hasattr(labels, "__len__"):
        raise ShapeError(f"expected a list of labels, got {type(labels).__name__}.")
    if len(getattr(labels, "shape", (0,))) == 1:
        return list(labels)
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        return list(array[:, 0])
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise ShapeError(
            f"expected labels [N], or zeros and ones [N, C], got {array.dtype} {list(array.shape)}.",
            "give a label for each example, or a list of labels for each.",
        )
    return [[str(place) for place in np.flatnonzero(row)] for row in array]


def class_counts(labels: Iterable[str] | Iterable[Sequence[str]]) -> dict[str, int]:
    """Return how often each class occurs; classes that are all numbers by their value, others as texts are sorted."""
    counts: Counter[str] = Counter()
    for label in labels:
        counts.update((label,) if isinstance(label, str) else label)
    by_value = all(map(is_number, counts))
    order = sorted(counts, key=lambda name: (float(name), name) if by_value else (0.0, name))
    return {name: counts[name] for name in order}


def described(counts: Mapping[str, int], what: str = "classes") -> str:
    """Return class counts as a line: "2 classes: neg (12,500), pos (12,500)"."""
    return f"{len(counts):,} {what}: {listed([f'{name} ({count:,})' for name, count in counts.items()])}"
