"""What a name in a graph can stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ...errors import DataError
from .axes import Atom, Axes, has, size_of
from .paths import NO_RUNS, Path, Runs, joined

Array = NDArray[Any]


@dataclass(frozen=True)
class Constant:
    """An array that does not depend on the input, but for its sizes.

    is_open: some of its numbers are made of T or B. A size that is T or B itself is 1: all rows there are equal.
    """

    array: Array
    is_open: bool = False


@dataclass(frozen=True)
class Signal:
    """What is computed of the input. paths: one, or several whose features lie side by side or are stacked on axis N.

    state: it is the state after the last step of these recurrent nodes, and nothing else.
    """

    paths: tuple[Path, ...]
    axes: Axes
    state: Runs = NO_RUNS

    @property
    def is_stacked(self) -> bool:
        """Whether the paths lie on an axis of their own."""
        return has(self.axes, "N")

    @property
    def features(self) -> int:
        """The features of a step, all paths together."""
        return sum(path.size for path in self.paths)

    def featured(self, at: int) -> Signal:
        """Return the same with its one feature on an axis of size 1, where it has none on any."""
        if has(self.axes, "F") or self.features != 1 or not 0 <= at < len(self.axes) or size_of(self.axes[at]) != 1:
            return self
        return replace(self, axes=(*self.axes[:at], (Atom("F", 1),), *self.axes[at + 1 :]))

    def joined(self) -> Signal:
        """Return the same with one path, unless they are stacked."""
        return self if self.is_stacked else replace(self, paths=(joined(self.paths),))

    def each(self, go_on: Callable[[Path], Path], axes: Axes | None = None) -> Signal:
        """Return what comes out where each path goes on in the same way."""
        paths = tuple(map(go_on, self.joined().paths))
        return Signal(paths, self.axes if axes is None else axes)


@dataclass(frozen=True)
class Symbols:
    """The input, where it is whole numbers that an embedding reads."""

    axes: Axes


@dataclass(frozen=True)
class OfLengths:
    """What is computed of the lengths of the sequences, for those of `lengths.Example`; at first they themselves."""

    array: Array


@dataclass(frozen=True)
class Start:
    """An input that says in which state to begin. text: its name, and which part of it this is."""

    text: str


@dataclass(frozen=True)
class CellState:
    """The cell state c after the last step of these LSTM nodes, which goes nowhere but out."""

    state: Runs


class Unread:
    """What a node puts out that cannot be read; whatever reads it cannot be read either."""


Value = Constant | Signal | Symbols | OfLengths | Start | CellState | Unread


class Node(NamedTuple):
    """A node of a graph. inputs: empty names for those that are left out. version: that of the operators' standard."""

    name: str
    operation: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int

    @property
    def title(self) -> str:
        """The node's name, or that of its first output, and what it does."""
        name = self.name or next(iter(self.outputs), "")
        what = ".".join(part for part in (self.domain, self.operation) if part)
        # The words of a file may hold anything, what moves a terminal's cursor included.
        plain = what if what.replace(".", "").isidentifier() else repr(what)
        return f"node {name!r:.80} ({plain:.80})"

    def get(self, attribute: str, default: Any) -> Any:
        """Return an attribute, of the type of the default. Raises DataError for one of another type."""
        value = self.attributes.get(attribute, default)
        if default is not None and not isinstance(value, type(default)):
            raise DataError(f"its attribute {attribute} is no {type(default).__name__}")
        return value

    def floats(self, attribute: str) -> list[float]:
        """Return an attribute that is a list of numbers; none without it."""
        return self._list(attribute, float)

    def ints(self, attribute: str) -> list[int]:
        """Return an attribute that is a list of whole numbers; none without it."""
        return self._list(attribute, int)

    def texts(self, attribute: str) -> list[str]:
        """Return an attribute that is a list of texts; none without it."""
        return self._list(attribute, str)

    def _list(self, attribute: str, kind: type[Any]) -> list[Any]:
        values = self.get(attribute, [])
        if not all(isinstance(value, kind) for value in values):
            raise DataError(f"its attribute {attribute} is no list of {kind.__name__}")
        return list(values)


@dataclass(frozen=True)
class Given:
    """What a node reads, by place; None where it reads nothing."""

    values: tuple[Value | None, ...]

    def __getitem__(self, place: int) -> Value | None:
        return self.values[place] if place < len(self.values) else None

    def __len__(self) -> int:
        return len(self.values)

    def constant(self, place: int, what: str, may_be_open: bool = False) -> Array | None:
        """Return an input that must be a constant; None where it is left out.

        Raises DataError for one that is computed of the input, or, unless it may be, of the input's sizes.
        """
        value = self[place]
        if value is None:
            return None
        if not isinstance(value, Constant):
            raise DataError(f"its {what} is computed, and not a constant in the file")
        if value.is_open and not may_be_open:
            raise DataError(f"its {what} is computed of the numbers of steps or sequences")
        return value.array

    def numbers(self, node: Node, attribute: str, place: int) -> list[int] | None:
        """Return whole numbers that older versions have as an attribute, newer ones as an input; None without them."""
        if attribute in node.attributes:
            return node.ints(attribute)
        array = self.constant(place, attribute, may_be_open=True)
        return None if array is None else [int(number) for number in array.reshape(-1)]

    def number(self, node: Node, attribute: str, place: int, default: float) -> float:
        """Return a number that older versions have as an attribute, newer ones as an input."""
        if attribute in node.attributes:
            return float(node.get(attribute, 0.0))
        array = self.constant(place, attribute)
        if array is not None and array.size != 1:
            raise DataError(f"its {attribute} is not a single number")
        return default if array is None else float(array.reshape(-1)[0])
