"""Who runs a program over time. Importing this imports no torch."""

from .dispatch import Explanation, explain, sequence

__all__ = ["Explanation", "explain", "sequence"]
