"""What counts as a number and what as missing, in a table of text."""

from __future__ import annotations

import re

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""Cells that stand for a missing value, whatever their case."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def is_number(cell: str) -> bool:
    """Return whether a cell, without blanks around it, is a finite number."""
    return _NUMBER.fullmatch(cell) is not None
