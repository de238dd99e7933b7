"""What a cell means: the instruction list, how it is traced, checked, printed and kept as data."""

from .declarations import Instruction, Matrix, Type
from .program import Program

__all__ = ["Instruction", "Matrix", "Program", "Type"]
