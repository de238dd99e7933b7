"""How the core runs a program: its instructions in an order of work, over arrays that the core keeps.

A step is cut into stages. Matrix products and sums over a row need whole rows; what lies between
them is elementwise, and runs tile by tile: a *section* is such a stretch, all of one width, and
within a tile a value that nothing outside needs stays in a register (a scrap of the L1 cache).

Lowering decides nothing that depends on what is recorded beside the results, so that a forward pass
that keeps values for a gradient gives the bits of one that does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..program import Instruction, Program
from ..program.declarations import SCALAR
from ..program.operations import ELEMENTWISE, PRODUCTS, REDUCTIONS

OPCODES = (*ELEMENTWISE, "copy", "multiply_add", "multiply_subtract", "subtract_multiply")
"""The core's elementwise operations, by number: those of the language, a·b+c, a·b-c and c-a·b.

`core/plan.h` lists them in the same order; `ostinato._core` refuses to load where it does not.
"""
ARRAYS = ("local", "old", "new", "vector", "panel", "before", "stream", "raw", "projection")
"""What an array of a plan is: scratch of one step; a state before and after the step; a learned vector;
an array over all rows, at this row or at the sequence's row before; values that come with each step;
the input itself; the input's product for a gate."""
ITEMS = ("section", "products", "sum", "barrier")
STARTS = ("zero", "bias", "array")
"""What a product is added to: nothing, the gate's recurrent bias, or another array."""


@dataclass(frozen=True)
class Recording:
    """What a run reads and writes for all rows beside its results.

    panels: the arrays over all rows that streams read, as stream → (array, whether at the row before).
    slots: the slots that are written, as slot → arrays. unkept: states whose new value goes nowhere else.
    """

    panels: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    slots: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    unkept: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """A program in the order of work.

    letters: the widths, by number. arrays: (kind, width, index) each; `width` is a number into letters,
    or -1 for one number a row. constants: the numbers of the program. sizes: for each constant a width
    whose size it stands for, or -1. items: the work, each a flat tuple of whole numbers that
    `core/plan.h` describes.
    """

    letters: tuple[str, ...]
    arrays: tuple[tuple[int, int, int], ...]
    constants: tuple[float, ...]
    sizes: tuple[int, ...]
    items: tuple[tuple[int, ...], ...]


def lower(program: Program, recording: Recording | None = None) -> Plan:
    """Return the plan of a step whose parameters are hoisted (`ostinato.program.hoist`)."""
    return _Lowering(program, recording or Recording()).plan()


class _Lowering:
    """Assigns to every slot its stage and its place, then lists the work."""

    def __init__(self, program: Program, recording: Recording) -> None:
        self.program = program
        self.recording = recording
        self.letters = program.width_letters
        self.arrays: list[tuple[int, int, int]] = []
        self.constants: list[tuple[float, int]] = []
        self.array_of: dict[int, int] = {}
        self.spread: dict[int, int] = {}  # vectors that products and sums read → scratch with a row for each sequence
        self.fused = _Fusions(program)
        self.results = {
            slot: state
            for state, slot in reversed(list(enumerate(program.results)))
            if program.state_names[state] not in recording.unkept
        }
        self.live = self._live_slots()
        self.stage = self._stages()

    # ---- what is needed, and when

    def _arguments(self, slot: int) -> tuple[int, ...]:
        return self.fused.arguments.get(slot, self.program.instructions[slot].arguments)

    def _live_slots(self) -> list[int]:
        """Return what results and records need, in order; what was fused into another slot is not among it."""
        needed = {*self.program.results, *self.recording.slots}
        for slot in reversed(range(len(self.program.instructions))):
            if slot in needed:
                needed.update(self._arguments(slot))
        return sorted(needed)

    @cached_property
    def _users(self) -> dict[int, list[int]]:
        users: dict[int, list[int]] = {slot: [] for slot in self.live}
        for slot in self.live:
            for argument in self._arguments(slot):
                users[argument].append(slot)
        return users

    def _is_heavy(self, slot: int) -> bool:
        """Whether a slot needs whole rows: stage k's products and sums come after its elementwise work."""
        return self._is_product(slot) or self.program.instructions[slot].operation in REDUCTIONS

    def _is_product(self, slot: int) -> bool:
        return self.program.instructions[slot].operation in PRODUCTS or slot in self.fused.products

    def _is_elementwise(self, slot: int) -> bool:
        return self.program.instructions[slot].operation in ELEMENTWISE and not self._is_heavy(slot)

    def _stages(self) -> dict[int, int]:
        """Return the stage of every live slot: elementwise work as late as its users let it be, all else as early."""
        stage: dict[int, int] = {}
        for slot in self.live:
            start = self.fused.start_of(slot)
            stage[slot] = max(
                (stage[a] + (self._is_heavy(a) and a != start) for a in self._arguments(slot)),
                default=0,
            )
        for slot in reversed(self.live):
            if self._is_elementwise(slot):
                stage[slot] = min((stage[user] for user in self._users[slot]), default=stage[slot])
        return stage

    # ---- where each value lies

    def _array(self, kind: str, width: str, index: int = 0) -> int:
        self.arrays.append((ARRAYS.index(kind), self._number(width), index))
        return len(self.arrays) - 1

    def _number(self, width: str) -> int:
        return -1 if width == SCALAR else self.letters.index(width)

    def _place_sources(self) -> None:
        program = self.program
        indices = {
            "input": program.input_gates,
            "state": program.state_names,
            "vector": tuple(name for name, _ in program.vectors),
            "stream": tuple(name for name, _ in program.streams),
        }
        kinds = {"input": "projection", "raw": "raw", "state": "old", "vector": "vector", "stream": "stream"}
        for slot in self.live:
            operation, _, name, _ = program.instructions[slot]
            width = program.types[slot].width
            if operation == "stream" and name in self.recording.panels:
                array, before = self.recording.panels[name]
                self.array_of[slot] = self._array("before" if before else "panel", width, array)
            elif operation in kinds:
                index = indices[operation].index(name) if name else 0
                self.array_of[slot] = self._array(kinds[operation], width, index)
            if operation == "vector" and any(self._is_heavy(user) for user in self._users[slot]):
                self.spread[slot] = self._array("local", width)

    def _place_values(self) -> None:
        self.new = [self._place_of_state(index) for index in range(len(self.program.states))]
        for slot in self.live:
            if self._is_heavy(slot):
                self.array_of[slot] = self._place_of_product(slot)
            elif self._is_elementwise(slot):
                # Products read scratch, which lies closer together than an array over all rows.
                if any(self._is_product(user) for user in self._users[slot]):
                    self.array_of[slot] = self._array("local", self._width(slot))
                elif slot in self.results:
                    self.array_of[slot] = self.new[self.results[slot]]
                elif slot in self.recording.slots:
                    self.array_of[slot] = self._array("panel", self._width(slot), self.recording.slots[slot][0])
                elif self._is_read_elsewhere(slot):
                    self.array_of[slot] = self._array("local", self._width(slot))

    def _place_of_state(self, index: int) -> int:
        """A new state takes the old one's place where nothing reads that afterwards; -1 for one that goes nowhere."""
        name, width = self.program.states[index]
        if name in self.recording.unkept:
            return -1
        old = [slot for slot in self.live if self.program.instructions[slot][::2] == ("state", name)]
        if old and self._may_be_overwritten(old, index):
            return self.array_of[old[0]]
        return self._array("new", width, index)

    def _may_be_overwritten(self, old: Sequence[int], index: int) -> bool:
        """Whether every value that reads the old state is computed, unit by unit, no later than the new one."""
        result = self.program.results[index]
        if result in old:
            return True
        if self.results.get(result) != index or any(s in self.results or s in self.recording.slots for s in old):
            return False
        written = (self.stage[result], result)
        users = (user for slot in old for user in self._users[slot])
        return all(self._is_elementwise(user) and (self.stage[user], user) <= written for user in users)

    def _place_of_product(self, slot: int) -> int:
        """A product lies where it starts from, if nothing else reads that."""
        start = self.fused.start_of(slot)
        if start is not None and len(self._users[start]) == 1:
            lies = self.array_of[start]
            is_scratch = ARRAYS[self.arrays[lies][0]] in ("local", "projection")
            if is_scratch and start not in self.results and start not in self.recording.slots:
                return lies
        return self._array("local", self._width(slot))

    def _is_read_elsewhere(self, slot: int) -> bool:
        """Whether work outside the slot's own section reads it."""
        place = self.stage[slot], self._width(slot)
        return any(self._is_heavy(user) or (self.stage[user], self._width(user)) != place for user in self._users[slot])

    def _width(self, slot: int) -> str:
        return self.program.types[slot].width

    # ---- the list of work

    def plan(self) -> Plan:
        self._place_sources()
        self._place_values()
        items: list[tuple[int, ...]] = []
        last = max((self.stage[slot] + self._is_heavy(slot) for slot in self.live), default=0)
        for stage in range(last + 1):
            for width in (SCALAR, *self.letters):
                items += self._section(stage, width, closing=stage == last)
            items += self._heavy(stage)
        if any(item[0] != ITEMS.index("section") for item in items):
            # What a product reads of others must not change before all have read it.
            items.append((ITEMS.index("barrier"),))
        return Plan(
            self.letters,
            tuple(self.arrays),
            tuple(value for value, _ in self.constants),
            tuple(size for _, size in self.constants),
            tuple(items),
        )

    def _heavy(self, stage: int) -> list[tuple[int, ...]]:
        slots = [slot for slot in self.live if self._is_heavy(slot) and self.stage[slot] == stage]
        if not slots:
            return []
        items: list[tuple[int, ...]] = [(ITEMS.index("barrier"),)]
        groups: list[tuple[int, list[int]]] = []
        for slot in slots:
            instruction = self.program.instructions[self.fused.products.get(slot, slot)]
            argument, *others = (self.spread.get(a, self.array_of[a]) for a in self._arguments(slot))
            if instruction.operation == "sum":
                items.append((ITEMS.index("sum"), argument, *(others or [-1]), self.array_of[slot]))
                continue
            # One that goes on from another product must come after it; the others join those of their argument.
            group = next((jobs for a, jobs in groups if a == argument), None)
            if group is None or self.fused.start_of(slot) in slots:
                group = []
                groups.append((argument, group))
            group.extend(self._product(slot, instruction))
        items += [(ITEMS.index("products"), argument, len(jobs) // 4, *jobs) for argument, jobs in groups]
        if any(item[0] == ITEMS.index("sum") for item in items):
            items.append((ITEMS.index("barrier"),))
        return items

    def _product(self, slot: int, instruction: Instruction) -> tuple[int, int, int, int]:
        """Return (matrix, result, start kind, start) of a product; recurrent gates' matrices come first."""
        program, start = self.program, self.fused.start_of(slot)
        if instruction.operation == "recurrent":
            index = program.recurrent_gates.index(instruction.name)
            biased = instruction.name in program.recurrent_bias_gates
            bias = program.recurrent_bias_gates.index(instruction.name) if biased else -1
        else:
            declared = [matrix.name for matrix in program.matrices].index(instruction.name)
            index, bias = len(program.recurrent_gates) + declared, -1
        kind, begin = ("bias", bias) if bias >= 0 else ("zero", 0)
        if start is not None:
            kind, begin = "array", self.array_of[start]
        return index, self.array_of[slot], STARTS.index(kind), begin

    def _section(self, stage: int, width: str, closing: bool) -> list[tuple[int, ...]]:
        section = _Section(self)
        for slot, array in self.spread.items():
            if stage == 0 and self._width(slot) == width:
                section.copy(slot, array)
        for slot in self.live:
            if self._is_elementwise(slot) and self.stage[slot] == stage and self._width(slot) == width:
                section.compute(slot)
        if closing:
            self._close(section, width)
        return [section.item(self._number(width))] if section.instructions else []

    def _close(self, section: _Section, width: str) -> None:
        """Copy results and records to where they belong, unless they were written there at once."""
        for index, slot in enumerate(self.program.results):
            if self.new[index] >= 0 and self._width(slot) == width and self.array_of[slot] != self.new[index]:
                section.copy(slot, self.new[index])
        for slot, panels in self.recording.slots.items():
            for panel in panels:
                if self._width(slot) == width and self.arrays[self.array_of[slot]] != self._panel(width, panel):
                    section.copy(slot, self._array("panel", width, panel))

    def _panel(self, width: str, index: int) -> tuple[int, int, int]:
        return ARRAYS.index("panel"), self._number(width), index


class _Fusions:
    """Pairs of instructions that the core runs as one, chosen by the program alone.

    products: slot of a sum of two → the product that is added to something else in it. multiplies: slot of a
    sum or difference of two → the multiplication in it. In both the latter has no other user. arguments: what a fused
    slot takes in the place of its own; a sum over a row takes the factors of a multiplication that has no other user.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.products: dict[int, int] = {}
        self.multiplies: dict[int, int] = {}
        self.arguments: dict[int, tuple[int, ...]] = {}
        for slot, instruction in enumerate(program.instructions):
            if instruction.operation == "add":
                self._fuse_product(slot, instruction.arguments)
            if instruction.operation in ("add", "subtract") and slot not in self.products:
                self._fuse_multiply(slot, instruction.arguments)
            if instruction.operation == "sum":
                self._fuse_factors(slot, *instruction.arguments)

    def start_of(self, slot: int) -> int | None:
        """Return what the product of a slot is added to."""
        if slot not in self.products:
            return None
        first, second = self.program.instructions[slot].arguments
        return second if first == self.products[slot] else first

    def _is_free(self, slot: int) -> bool:
        """Whether a slot has one user and is no result."""
        return len(self.program.users[slot]) == 1 and slot not in self.program.results

    def _fuse_product(self, slot: int, arguments: Sequence[int]) -> None:
        for product, start in (arguments[::-1], arguments):
            instruction = self.program.instructions[product]
            biased = instruction.operation == "recurrent" and instruction.name in self.program.recurrent_bias_gates
            wide = self.program.types[start] == self.program.types[slot]
            of_step = self.program.placements[start] != "parameters"
            if instruction.operation in PRODUCTS and not biased and wide and of_step and self._is_free(product):
                self.products[slot] = product
                self.arguments[slot] = (*instruction.arguments, start)
                return

    def _fuse_factors(self, slot: int, argument: int) -> None:
        operation, factors, _, _ = self.program.instructions[argument]
        same_width = all(self.program.types[factor] == self.program.types[argument] for factor in factors)
        if operation in ("multiply", "square") and same_width and self._is_free(argument):
            self.arguments[slot] = (factors[0], factors[-1])

    def _fuse_multiply(self, slot: int, arguments: Sequence[int]) -> None:
        for argument in arguments[::-1]:
            instruction = self.program.instructions[argument]
            same_width = self.program.types[argument] == self.program.types[slot]
            if instruction.operation == "multiply" and same_width and self._is_free(argument):
                self.multiplies[slot] = argument
                others = [other for other in arguments if other != argument]
                self.arguments[slot] = (*instruction.arguments, *others)
                return


class _Section:
    """One stretch of elementwise work: instructions over operands, with registers that are used again."""

    def __init__(self, owner: _Lowering) -> None:
        self.owner = owner
        self.instructions: list[tuple[int, int, int, int, int]] = []
        self.operands: list[tuple[str, int]] = []
        self._operand_of: dict[tuple[str, int], int] = {}
        self._register_of: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._free: list[int] = []
        self._count = 0

    def compute(self, slot: int) -> None:
        """Append the instruction of a slot."""
        owner = self.owner
        instruction, arguments = owner.program.instructions[slot], owner._arguments(slot)
        operation = instruction.operation
        if slot in owner.fused.multiplies:
            first_is_product = instruction.arguments[0] == owner.fused.multiplies[slot]
            added = "multiply_subtract" if first_is_product else "subtract_multiply"
            operation = "multiply_add" if operation == "add" else added
        given = [self._read(argument) for argument in arguments]
        for argument in arguments:
            self._release(argument)
        self._append(operation, self._write(slot), given)

    def copy(self, slot: int, array: int) -> None:
        """Append a copy of a slot into an array."""
        given = [self._read(slot)]
        self._append("copy", self._operand("array", array), given)

    def item(self, width: int) -> tuple[int, ...]:
        """Return the section as a plan holds it."""
        kinds = ("register", "constant", "array")
        flat = [number for kind, index in self.operands for number in (kinds.index(kind), index)]
        code = [number for instruction in self.instructions for number in instruction]
        head = (ITEMS.index("section"), width, self._count, len(self.operands), *flat)
        return (*head, len(self.instructions), *code)

    def _append(self, operation: str, result: int, given: Sequence[int]) -> None:
        a, b, c = (*given, -1, -1)[:3]
        self.instructions.append((OPCODES.index(operation), result, a, b, c))

    def _operand(self, kind: str, index: int) -> int:
        if (kind, index) not in self._operand_of:
            self._operand_of[kind, index] = len(self.operands)
            self.operands.append((kind, index))
        return self._operand_of[kind, index]

    def _read(self, slot: int) -> int:
        owner = self.owner
        if slot in owner.array_of:
            return self._operand("array", owner.array_of[slot])
        if slot in self._register_of:
            return self._operand("register", self._register_of[slot])
        return self._operand("constant", self._constant(slot))

    def _constant(self, slot: int) -> int:
        operation, _, name, value = self.owner.program.instructions[slot]
        entry = (value, -1) if operation == "constant" else (0.0, self.owner.letters.index(name))
        if entry not in self.owner.constants:
            self.owner.constants.append(entry)
        return self.owner.constants.index(entry)

    def _write(self, slot: int) -> int:
        owner = self.owner
        if slot in owner.array_of:
            return self._operand("array", owner.array_of[slot])
        register = self._free.pop() if self._free else self._count
        self._count = max(self._count, register + 1)
        self._register_of[slot] = register
        self._left[slot] = len(owner._users[slot])
        return self._operand("register", register)

    def _release(self, slot: int) -> None:
        if slot in self._register_of:
            self._left[slot] -= 1
            if self._left[slot] == 0:
                self._free.append(self._register_of[slot])
