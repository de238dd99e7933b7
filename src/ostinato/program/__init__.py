"""What a cell means: the instruction list, how it is traced, checked, printed and kept as data; its derivative."""

from .declarations import Instruction, Matrix, Type
from .derivative import Derivative, ProductGradient, derivative
from .hoist import Hoisted, hoist
from .keeping import Source
from .program import Program

__all__ = [
    "Derivative",
    "Hoisted",
    "Instruction",
    "Matrix",
    "ProductGradient",
    "Program",
    "Source",
    "Type",
    "derivative",
    "hoist",
]
