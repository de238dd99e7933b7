"""What the compiled core makes of a program, for any sizes and weights: the plans of its step and of its derivative."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from ..errors import ProgramError
from ..program import Program
from ..program.derivative import Derivative, derivative
from ..program.keeping import Source
from .plan import Plan, Recording, lower

if TYPE_CHECKING:
    from .sized import Sized, Sizes


@cache
def core() -> Any:
    """Return the compiled core. Raises ImportError where it was not built."""
    from .. import _core

    return _core


@cache
def compiled(program: Program, constant: frozenset[str] = frozenset()) -> CompiledStep:
    """Return the compiled form of a hoisted step.

    constant: states that no step changes and for which no gradient is wanted.
    """
    return CompiledStep(program, constant)


class CompiledStep:
    """The plans of a step and of its derivative; sizes and weights come with each call."""

    def __init__(self, program: Program, constant: frozenset[str]) -> None:
        self.program = program
        self.constant = constant
        self.plan = _plan(lower(program))
        self._sized: dict[tuple[Sizes, tuple[str, ...]], Sized] = {}

    def sized(self, sizes: Sizes, names: tuple[str, ...]) -> Sized:
        """Return the step with its sizes, and with weights of the given names; made once, the last 64 are kept."""
        key = (sizes, names)
        found = self._sized.get(key)
        if found is None:
            from .sized import Sized

            while len(self._sized) >= 64:
                del self._sized[next(iter(self._sized))]
            found = self._sized[key] = Sized(self, sizes, names)
        return found

    @cached_property
    def derivative(self) -> Derivative:
        """The backward program. Raises ProgramError where it would be larger than a program may be."""
        return derivative(self.program, self.constant)

    @cached_property
    def too_large(self) -> str | None:
        """Why there is no derivative, or None."""
        try:
            _ = self.derivative
        except ProgramError as error:
            return error.message
        return None

    @cached_property
    def kept(self) -> tuple[Source, ...]:
        """What a forward pass for training keeps for all rows, each in an array of its own: slots, then states."""
        slots = [Source("kept", slot=slot) for slot in self.derivative.kept]
        return (*slots, *(Source("new", name) for name in self.derivative.recorded))

    def slot_of(self, source: Source) -> int:
        """Return the slot of the forward program that an array of `kept` holds."""
        return source.slot if source.kind == "kept" else self._results[source.name]

    def array_of(self, source: Source) -> int:
        """Return the number of the array that a stream or operand of the derivative lies in."""
        if source.kind == "kept":
            return self.kept.index(Source("kept", slot=source.slot))
        return self.kept.index(Source("new", source.name))

    @cached_property
    def keeping_plan(self) -> Any:
        """The plan of the forward pass that keeps what the backward pass reads."""
        return _plan(lower(self.program, Recording(slots=_numbered(map(self.slot_of, self.kept)))))

    @cached_property
    def backward_plan(self) -> Any:
        """The plan of the backward step."""
        panels = {
            name: (self.array_of(source), source.kind == "before")
            for name, source in self.derivative.streams.items()
            if source.kind in ("kept", "new", "before")
        }
        emitted = _numbered(self.emitted_slots, len(self.kept))
        return _plan(lower(self.derivative.program, Recording(panels, emitted, frozenset(self.emitted))))

    @cached_property
    def emitted(self) -> tuple[str, ...]:
        """The states of the backward program that are gradients for all rows."""
        carried = {name for name, _ in (*self.derivative.carried, *self.derivative.accumulated)}
        return tuple(name for name in self.derivative.program.state_names if name not in carried)

    @cached_property
    def emitted_slots(self) -> tuple[int, ...]:
        """Their slots in the backward program, each in an array of its own."""
        back = self.derivative.program
        return tuple(dict.fromkeys(back.results[back.state_names.index(name)] for name in self.emitted))

    @cached_property
    def _results(self) -> dict[str, int]:
        return dict(zip(self.program.state_names, self.program.results, strict=True))

    def panel_of_emitted(self, name: str) -> int:
        """Return the number of an emitted state's array; those come after the kept ones."""
        back = self.derivative.program
        slot = back.results[back.state_names.index(name)]
        return len(self.kept) + self.emitted_slots.index(slot)


def _numbered(slots: Iterable[int], first: int = 0) -> dict[int, tuple[int, ...]]:
    """Give each slot the numbers of its arrays, counted from `first`."""
    numbers: dict[int, tuple[int, ...]] = {}
    for number, slot in enumerate(slots, first):
        numbers[slot] = (*numbers.get(slot, ()), number)
    return numbers


def _plan(plan: Plan) -> Any:
    return core().Plan(len(plan.letters), list(plan.arrays), list(plan.constants), list(plan.sizes), list(plan.items))
