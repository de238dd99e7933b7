"""Columns by name, or by number from 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import DataError, closest
from .report import listed

Column = str | int
"""A column: its name, or its number from 1 as a number or as text. A name comes before a number."""
_DIGITS = 10
"""Numbers of so many digits are no column's, and longer ones not even read by Python."""


def pick(names: Sequence[str], wanted: Column, title: str) -> int:
    """Return the place, from 0, of the column that a caller names.

    Raises DataError, which lists the columns there are, for one that is not there or whose name occurs twice.
    """
    if isinstance(wanted, str) and wanted in names:
        if names.count(wanted) > 1:
            raise DataError(f"{title} has {names.count(wanted)} columns {wanted!r}.", "name the column by its number.")
        return names.index(wanted)
    text = str(wanted).strip()
    if text.isdecimal() and len(text) < _DIGITS and 1 <= int(text) <= len(names):
        return int(text) - 1
    what = f"column {text}" if text.lstrip("-").isdecimal() else f"column {wanted!r}"
    raise DataError(f"{title} has no {what}; {columns_there(names)}.", _advice(text, names))


def usual(names: Sequence[str], usual_names: Iterable[str]) -> int | None:
    """Return the place of the first of some usual names, whatever its case; None where none occurs once."""
    small = [name.strip().lower() for name in names]
    return next((small.index(name) for name in usual_names if small.count(name) == 1), None)


def columns_there(names: Sequence[str]) -> str:
    """Return the columns there are, for a message."""
    if not names:
        return "it has no columns"
    each = [f"{number} {name[:40]!r}" if name != str(number) else name for number, name in enumerate(names, 1)]
    return f"its {len(names):,} columns are {listed(each)}" if len(names) > 1 else f"its one column is {each[0]}"


def _advice(text: str, names: Sequence[str]) -> str:
    if text.lstrip("-").isdecimal():
        return f"columns count from 1, here to {len(names):,}."
    alike = next((name for name in names if name.strip().lower() == text.lower()), None)
    near = closest(text if alike is None else alike, names)
    return near if near.startswith("did") else "name one of them, or give its number, which counts from 1."
