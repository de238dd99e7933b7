"""A compiled step with its sizes: all that can be said before weights come, and said once.

The core takes these descriptions with the addresses of a call. A place within the weights is (weight, first
element): the number of a weight in the order of `Sized.names`, -1 for one that is not given.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

from ..program import Program
from ..program.declarations import SCALAR
from ..program.derivative import ProductGradient
from ..program.keeping import Source
from .compiled import CompiledStep, core

X, STREAM, PANEL, PANEL_BEFORE = range(4)
"""Where the rows that a matrix was multiplied with are found, as `core/python/gradients.h` numbers it."""

Target = tuple[int, int, int, int, int]
"""(array of the gradient, place of the matrix, place of the bias)."""


class Sizes(NamedTuple):
    """Numbers for a program's widths, in the order of its letters; the width of its input; heads of its R."""

    widths: tuple[int, ...]
    input_size: int
    heads: int


class Sized:
    """The core's descriptions for one step, sizes, and set of weights (`names`)."""

    def __init__(self, step: CompiledStep, sizes: Sizes, names: tuple[str, ...]) -> None:
        self.step, self.sizes, self.names = step, sizes, names
        self.program = program = step.program
        self.width = dict(zip(program.width_letters, sizes.widths, strict=True))
        self.hidden = self.width["H"]
        self.state_widths = [self.width[letter] for _, letter in program.states]
        self.stream_widths = [self.width[letter] for _, letter in program.streams]
        self.output_width = program.output_width(self.width)

    # ---- plans with sizes

    @cached_property
    def forward_layout(self) -> Any:
        """The plan of the forward pass."""
        return self._layout(self.program, self.step.plan, self.program.output)

    @cached_property
    def keeping_layout(self) -> Any:
        """The same, keeping what the way back needs."""
        return self._layout(self.program, self.step.keeping_plan, self.program.output)

    @cached_property
    def backward_layout(self) -> Any:
        """The plan of the way back."""
        return self._layout(self.step.derivative.program, self.step.backward_plan, ())

    def _layout(self, program: Program, plan: Any, outputs: Sequence[str]) -> Any:
        letters = program.width_letters
        return core().Layout(
            plan,
            [self.width[letter] for letter in letters],
            [letters.index(width) for _, width in program.states],
            [program.state_names.index(name) for name in outputs],
            self.sizes.input_size,
        )

    # ---- arrays over all rows

    @cached_property
    def kept_starts(self) -> list[int]:
        """For a run of one row: the first element of each kept array, and of what comes after the last."""
        return self._starts([self.program.types[self.step.slot_of(source)].width for source in self.step.kept])

    @cached_property
    def emitted_starts(self) -> list[int]:
        """The same for the arrays that the way back emits."""
        types = self.step.derivative.program.types
        return self._starts([types[slot].width for slot in self.step.emitted_slots])

    def _starts(self, letters: Sequence[str]) -> list[int]:
        panel = core().PANEL
        widths = [1 if letter == SCALAR else self.width[letter] for letter in letters]
        return [0, *accumulate(-(-width // panel) * panel for width in widths)]

    # ---- what is packed

    @cached_property
    def forward_recipe(self) -> Any:
        """What the forward pass packs."""
        program = self.program
        inputs = len(program.input_gates)
        return core().Recipe(
            [self._block("W", gate, self.hidden, self.sizes.input_size) for gate in range(inputs)],
            [self._bias("W_bias", gate) for gate in range(inputs)],
            [
                *(self._recurrent(gate) for gate in range(len(program.recurrent_gates))),
                *(self._declared(name) for name, _, _ in program.matrices),
            ],
            [self._bias("R_bias", gate) for gate in range(len(program.recurrent_bias_gates))],
            self._vectors,
        )

    @cached_property
    def backward_recipe(self) -> Any:
        """What the way back packs: W and what it multiplies with at each step, transposed."""
        program, back = self.program, self.step.derivative
        inputs = [program.input_gates.index(gate) for gate, _ in back.input_gradients]
        sizes = self.hidden, self.sizes.input_size
        return core().Recipe(
            [self._block("W", gate, *sizes, transposed=True) for gate in inputs],
            [(-1, 0, 1)] * len(inputs),
            [self._transposed(name) for name, _, _ in back.program.matrices],
            [],
            self._vectors,
        )

    def _transposed(self, name: str) -> tuple[Any, ...]:
        """Describe a matrix of the backward program: ``R{i}`` or ``M{i}``."""
        program, index = self.program, int(name[1:])
        if name[0] == "R":
            return self._recurrent(program.recurrent_gates.index(program.gates[index]), transposed=True)
        return self._declared(program.matrices[index].name, transposed=True)

    def _block(
        self, name: str, gate: int, units: int, columns: int, transposed: bool = False, heads: int = 1
    ) -> tuple[Any, ...]:
        """Describe the block of one gate, [units, columns / heads], in a stack of them."""
        stored = columns // heads
        sizes = (columns, units) if transposed else (units, columns)
        return (self.names.index(name), gate * units * stored, stored, *sizes, heads, transposed)

    def _recurrent(self, gate: int, transposed: bool = False) -> tuple[Any, ...]:
        width = self.width[self.program.recurrent_width]
        return self._block("R", gate, self.hidden, width, transposed, self.sizes.heads)

    def _declared(self, name: str, transposed: bool = False) -> tuple[Any, ...]:
        _, rows, columns = next(matrix for matrix in self.program.matrices if matrix.name == name)
        return self._block(f"M_{name}", 0, self.width[rows], self.width[columns], transposed)

    def _bias(self, name: str, gate: int) -> tuple[int, int, int]:
        return (*self._within(name, gate, 1), self.hidden)

    @cached_property
    def _vectors(self) -> list[tuple[int, int, int]]:
        return [(self.names.index(f"p_{name}"), 0, self.width[letter]) for name, letter in self.program.vectors]

    def _within(self, name: str, gate: int, columns: int) -> tuple[int, int]:
        """Return the place of a gate's rows in a stack of [H, columns] each."""
        return (self.names.index(name), gate * self.hidden * columns) if name in self.names else (-1, 0)

    # ---- what is taken over all rows after the way back

    @cached_property
    def gradient_recipe(self) -> Any:
        """The gradients of the input, of matrices and of biases, from what the way back emitted."""
        back, step = self.step.derivative, self.step
        # Products that share their operand share the work of bringing in its rows. One whose gradient lies where an
        # earlier one's does has to wait for it, in a later round.
        rounds: list[dict[tuple[int, ...], list[Target]]] = []
        seen: Counter[tuple[int, int]] = Counter()
        for shared, target in self._weight_gradients:
            place = target[1:3]
            if seen[place] == len(rounds):
                rounds.append({})
            rounds[seen[place]].setdefault(shared, []).append(target)
            seen[place] += 1
        return core().GradientRecipe(
            self.sizes.input_size,
            [step.panel_of_emitted(name) for _, name in back.input_gradients],
            -1 if back.raw_gradient is None else step.panel_of_emitted(back.raw_gradient),
            [[(*shared, targets) for shared, targets in groups.items()] for groups in rounds],
            self.written,
        )

    @cached_property
    def written(self) -> list[bool]:
        """For each weight: whether each element of its gradient is a product's over all rows, and of one alone."""
        shapes = self.program.weight_shapes(self.sizes.input_size, self.width, heads=self.sizes.heads)
        covered: dict[int, dict[int, int]] = {}
        twice = set()
        for (units, k_count, heads, *_), (_, weight, first, bias, first_bias) in self._weight_gradients:
            for number, at, size in ((weight, first, units * k_count // heads), (bias, first_bias, units)):
                places = covered.setdefault(number, {})
                if at in places:
                    twice.add(number)
                places[at] = size
        sums = {number: sum(places.values()) for number, places in covered.items() if number not in twice}
        return [sums.get(number) == math.prod(shapes[name]) for number, name in enumerate(self.names)]

    @cached_property
    def _weight_gradients(self) -> Sequence[tuple[tuple[int, ...], Target]]:
        """(units, k, heads and the operand; where the gradient comes from and goes) of every product."""
        back = self.step.derivative
        products = [((*self._sizes(p), *self._operand(p.operand)), self._target(p)) for p in back.products]
        of_input = (self.hidden, self.sizes.input_size, 1, X, 0, -1)
        return products + [(of_input, self._input_target(gate, name)) for gate, name in back.input_gradients]

    def _sizes(self, product: ProductGradient) -> tuple[int, int, int]:
        if product.kind == "recurrent":
            return self.hidden, self.width[self.program.recurrent_width], self.sizes.heads
        matrix = next(matrix for matrix in self.program.matrices if matrix.name == product.name)
        return self.width[matrix.rows], self.width[matrix.columns], 1

    def _operand(self, source: Source) -> tuple[int, int, int]:
        """Return (kind, number, state that precedes the first step or -1) of a product's operand."""
        if source.kind == "raw":
            return X, 0, -1
        if source.kind == "given":
            return STREAM, [name for name, _ in self.program.streams].index(source.name), -1
        if source.kind == "emitted":
            return PANEL, self.step.panel_of_emitted(source.name), -1
        if source.kind == "before":
            return PANEL_BEFORE, self.step.array_of(source), self.program.state_names.index(source.name)
        return PANEL, self.step.array_of(source), -1

    def _target(self, product: ProductGradient) -> Target:
        """Return (array of the gradient, place of the matrix, place of the bias)."""
        program, panel = self.program, self.step.panel_of_emitted(product.gradient)
        if product.kind == "matrix":
            return (panel, self.names.index(f"M_{product.name}"), 0, -1, 0)
        _, k_count, heads = self._sizes(product)
        matrix = self._within("R", program.recurrent_gates.index(product.name), k_count // heads)
        gates = program.recurrent_bias_gates
        bias = self._within("R_bias", gates.index(product.name), 1) if product.name in gates else (-1, 0)
        return (panel, *matrix, *bias)

    def _input_target(self, gate: str, emitted: str) -> Target:
        number = self.program.input_gates.index(gate)
        matrix, bias = self._within("W", number, self.sizes.input_size), self._within("W_bias", number, 1)
        return (self.step.panel_of_emitted(emitted), *matrix, *bias)

    # ---- the streams of the way back

    @cached_property
    def backward_streams(self) -> list[tuple[str, int, int]]:
        """For each stream of the backward program ("output", first column, width of y), ("given", number, width) or
        ("panel", 0, width).
        """
        program, back, columns = self.program, self.step.derivative, self._columns
        given = [name for name, _ in program.streams]
        described = []
        for name, letter in back.program.streams:
            source = back.streams[name]
            if source.kind == "output":
                described.append(("output", columns[source.name], self.output_width))
            elif source.kind == "given":
                described.append(("given", given.index(source.name), self.width[letter]))
            else:
                described.append(("panel", 0, 0))
        return described

    @property
    def _columns(self) -> dict[str, int]:
        """The first column of each output state in y."""
        widths = dict(self.program.states)
        ends = accumulate(self.width[widths[name]] for name in self.program.output)
        return dict(zip(self.program.output, [0, *ends], strict=False))

    @cached_property
    def carried(self) -> list[tuple[str, int]]:
        """For each state of the backward program ("state", number), ("sum", place in `vector_sums`) or ("", 0)."""
        program, back = self.program, self.step.derivative
        lies = {d: ("state", program.state_names.index(name)) for d, name in back.carried}
        lies |= {a: ("sum", place) for place, a in enumerate(dict(back.accumulated))}
        return [lies.get(name, ("", 0)) for name in back.program.state_names]

    @cached_property
    def vector_sums(self) -> list[list[int]]:
        """The vectors, by their numbers in `names`, whose gradients are added up together."""
        shared: dict[str, list[int]] = {}
        for a, name in self.step.derivative.accumulated:
            shared.setdefault(a, []).append(self.names.index(f"p_{name}"))
        return list(shared.values())

    @cached_property
    def initial_panels(self) -> list[tuple[int, int]]:
        """(array, state) for each kept array that is read at the row before."""
        recorded = self.step.derivative.recorded
        states = self.program.state_names
        return [(self.step.array_of(Source("new", name)), states.index(name)) for name in recorded]
