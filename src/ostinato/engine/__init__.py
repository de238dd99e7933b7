"""Who runs a program over time. Importing this imports no torch."""

from .dispatch import Explanation, explain, sequence
from .prepared import Prepared, prepare

__all__ = ["Explanation", "Prepared", "explain", "prepare", "sequence"]
