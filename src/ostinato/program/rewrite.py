"""Rewrites: from a program to one that also drops, or keeps, parts of its state. The engine knows neither.

A rewritten program takes the weights of the program that it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from .declarations import Instruction
from .program import Program


class _Draft:
    """The instructions of a program to be."""

    def __init__(self, instructions: Iterable[Instruction] = ()) -> None:
        self.instructions = list(instructions)

    def append(self, instruction: Instruction) -> int:
        """Append an instruction and return its slot."""
        self.instructions.append(instruction)
        return len(self.instructions) - 1

    def add(self, operation: str, *arguments: int, name: str = "", value: float = 0.0) -> int:
        """Return the slot of an instruction, appended unless an equal one is there."""
        instruction = Instruction(operation, arguments, name, value)
        return self.instructions.index(instruction) if instruction in self.instructions else self.append(instruction)


def recurrent_dropout(program: Program) -> Program:
    """Multiply what enters each recurrent matrix by a mask (Gal & Ghahramani 2016).

    R.<gate>(v) becomes R.<gate>(v ⊙ mask), with one mask for each distinct v, shared by the gates that take it.

    A mask is a further state, as wide as v, that no step changes: who runs the program gives its values once, at the
    start. The further states stand after those of `program`.

    Raises ProgramError when the masks are more states than a program may have.
    """
    draft, masks = _Draft(), _unused_names("mask", program.state_names)
    states, results = list(program.states), []
    slots: list[int] = []
    masked: dict[int, int] = {}
    for instruction in program.instructions:
        moved = tuple(slots[slot] for slot in instruction.arguments)
        if instruction.operation == "recurrent":
            (v,) = instruction.arguments
            if v not in masked:
                states.append((next(masks), program.types[v].width))
                results.append(draft.add("state", name=states[-1][0]))
                masked[v] = draft.add("multiply", slots[v], results[-1])
            moved = (masked[v],)
        slots.append(draft.append(instruction._replace(arguments=moved)))
    return replace(
        program,
        states=tuple(states),
        instructions=tuple(draft.instructions),
        results=(*(slots[slot] for slot in program.results), *results),
    )


def zoneout(program: Program, states: Iterable[str]) -> Program:
    """Let units keep their old value for a step (Krueger et al. 2017): the form for training.

    new state = where(stream > ½, old state, new state)

    for each of the given states, with a stream of the state's own name and width: 1 where a unit keeps its old value,
    else 0. As in the paper's LSTM, a state that is computed from another's new value (h from c) takes that value as it
    is before zoneout.
    """
    draft, results = _Draft(program.instructions), dict(zip(program.state_names, program.results, strict=True))
    widths, streams = dict(program.states), []
    for name in states:
        streams.append((name, widths[name]))
        keeps = draft.add("greater", draft.add("stream", name=name), draft.add("constant", value=0.5))
        results[name] = draft.add("where", keeps, draft.add("state", name=name), results[name])
    return _with_results(program, draft, results, streams)


def expected_zoneout(program: Program, probabilities: Mapping[str, float]) -> Program:
    """Return what `zoneout` is on average, the form for evaluation: p · old state + (1 - p) · new state.

    probabilities: of keeping the old value, by the name of the state.
    """
    draft, results = _Draft(program.instructions), dict(zip(program.state_names, program.results, strict=True))
    for name, p in probabilities.items():
        old = draft.add("multiply", draft.add("constant", value=p), draft.add("state", name=name))
        new = draft.add("multiply", draft.add("constant", value=1.0 - p), results[name])
        results[name] = draft.add("add", old, new)
    return _with_results(program, draft, results)


def _with_results(
    program: Program, draft: _Draft, results: Mapping[str, int], streams: Iterable[tuple[str, str]] = ()
) -> Program:
    instructions, slots = tuple(draft.instructions), tuple(results.values())
    return replace(program, instructions=instructions, results=slots, streams=(*program.streams, *streams))


def _unused_names(stem: str, taken: Iterable[str]) -> Iterator[str]:
    """Yield stem_0, stem_1, … without what is taken."""
    return (name for name in (f"{stem}_{k}" for k in count()) if name not in taken)
