"""What a model is made of, apart from its weights: plain data, shared by training, the model file and the runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .cells import Cell
from .cells.activations import activation
from .errors import ProgramError, ShapeError
from .program import Program
from .program.rewrite import expected_zoneout

Size = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Layers = Annotated[int, Meta(ge=1, le=1024)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
MAX_DEPTH = 8
"""Of branches within branches: more than a model needs, less than a reader's stack."""


class RecurrentArchitecture(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True, tag="recurrent"):
    """A stack of L layers of one cell with H units over D features: what `ostinato.nn.Recurrent` is built from.

    further_widths: sizes for the cell's width letters beside H. zoneout: the probability that a unit keeps its old
    value, by state; what runs then is the expectation. reverse: each sequence is read from its last step to its first.
    The other fields mean what they mean to `ostinato.nn.Recurrent`.

    Raises ShapeError where sizes, heads or names do not fit the cell.
    """

    cell: Cell
    input_size: Size
    hidden_size: Size
    num_layers: Layers = 1
    bias: bool = True
    bidirectional: bool = False
    residual: bool = False
    heads: Size = 1
    learned_initial_state: bool = False
    further_widths: dict[str, Size] = {}
    zoneout: dict[str, Probability] = {}
    reverse: bool = False

    def __post_init__(self) -> None:
        if self.reverse and self.bidirectional:
            raise ShapeError("a bidirectional stack reads both ways; it has no other direction to reverse.")
        letters, states = self.cell.program.width_letters[1:], self.cell.program.state_names
        if set(self.further_widths) != set(letters):
            came = " ".join(self.further_widths) or "none"
            raise ShapeError(f"the widths beside H are {' '.join(letters) or 'none'}; sizes came for {came}.")
        if not set(self.zoneout) <= set(states):
            raise ShapeError(f"zoneout is for the states {' '.join(states)}, not for {' '.join(self.zoneout)}.")
        self.weight_shapes()

    @cached_property
    def program(self) -> Program:
        """The program that runs outside of training."""
        kept = {name: p for name, p in self.zoneout.items() if p}
        return expected_zoneout(self.cell.program, kept) if kept else self.cell.program

    @property
    def widths(self) -> dict[str, int]:
        """A size for each of the cell's width letters."""
        return {"H": self.hidden_size, **self.further_widths}

    @property
    def num_directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """O, the width of the stack's output."""
        return self.cell.program.output_width(self.widths) * self.num_directions

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by its name: ``layers.<layer>.<direction>.<name>``."""
        shapes: dict[str, tuple[int, ...]] = {}
        program, widths = self.cell.program, self.widths
        for layer in range(self.num_layers):
            size = self.input_size if layer == 0 else self.output_size
            own = program.weight_shapes(size, widths, self.bias, self.heads)
            starts = {f"initial_{name}": (widths[width],) for name, width in program.states}
            own |= starts if self.learned_initial_state else {}
            for direction in range(self.num_directions):
                shapes |= {_prefix(layer, direction) + name: shape for name, shape in own.items()}
        return shapes

    def layer_weights(self, weights: Mapping[str, Any], layer: int, direction: int = 0) -> dict[str, Any]:
        """Return the weights of one layer and direction, by the names of `Program.weight_shapes`."""
        own = below(_prefix(layer, direction)[:-1], weights)
        return {name: array for name, array in own.items() if not name.startswith("initial_")}

    def initial_state_names(self, layer: int, direction: int = 0) -> list[str]:
        """Return the names of the weights that hold a layer's learned initial state, one a state."""
        return [_prefix(layer, direction) + f"initial_{name}" for name in self.cell.program.state_names]


class LinearArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="linear"):
    """y = W x + b, O features from D."""

    input_size: Size
    output_size: Size
    bias: bool = True

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of ``weight`` [O, D] and ``bias`` [O]."""
        weight = {"weight": (self.output_size, self.input_size)}
        return {**weight, "bias": (self.output_size,)} if self.bias else {**weight}


class _SameSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What puts out as many features as it reads, and has no weights unless it says so."""

    input_size: Size

    @property
    def output_size(self) -> int:
        """D."""
        return self.input_size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by its name."""
        return {}


class NormArchitecture(_SameSize, frozen=True, tag="norm"):
    """Layer normalisation over the D features of a step (Ba et al. 2016), with a scale and a shift."""

    epsilon: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-5

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of ``scale`` and ``shift``, [D] each."""
        return {"scale": (self.input_size,), "shift": (self.input_size,)}


class ActivationArchitecture(_SameSize, frozen=True, tag="activation"):
    """A function of each of the D features by itself, as `ostinato.cells.activations` names it, α and β with it."""

    function: str
    alpha: float | None = None
    beta: float | None = None

    def __post_init__(self) -> None:
        activation(self.function, self.alpha, self.beta)


class SoftmaxArchitecture(_SameSize, frozen=True, tag="softmax"):
    """exp(x) / Σ exp(x) over the D features of a step: probabilities. log: their logarithms instead."""

    log: bool = False


class LastArchitecture(_SameSize, frozen=True, tag="last"):
    """Of each sequence its last step alone; in a stream, every step is the last so far.

    reverse: its first step, which is where a stack that reads from the end arrives.
    """

    reverse: bool = False


class ParallelArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="parallel"):
    """Chains of parts that read the same; what they put out is joined, or taken unit by unit together.

    merge: ``"concat"``, ``"sum"``, ``"mul"`` or ``"ave"``, Keras's words for it.

    Raises ShapeError where the branches do not fit together.
    """

    branches: Annotated[list[list[Part]], Meta(min_length=1, max_length=64)]
    merge: Literal["concat", "sum", "mul", "ave"] = "concat"

    def __post_init__(self) -> None:
        for branch in self.branches:
            check_chain(branch, self.input_size)
        if len({reduces(branch) for branch in self.branches}) > 1:
            raise ShapeError("either all branches put out a step for each that they read, or none does.")
        if self.merge != "concat" and len(set(self._sizes)) > 1:
            raise ShapeError(f"branches of {self._sizes} features cannot be taken together unit by unit.")

    @property
    def input_size(self) -> int:
        """D."""
        return self.branches[0][0].input_size if self.branches[0] else 0

    @property
    def _sizes(self) -> list[int]:
        return [branch[-1].output_size for branch in self.branches]

    @property
    def output_size(self) -> int:
        """O: the sum of the branches' sizes, or the size of each."""
        return sum(self._sizes) if self.merge == "concat" else self._sizes[0]

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by its name: ``branches.<index>.<index>.<name>``."""
        return {
            f"branches.{index}.{name}": shape
            for index, branch in enumerate(self.branches)
            for name, shape in chain_weight_shapes(branch).items()
        }


Part = (
    RecurrentArchitecture
    | LinearArchitecture
    | NormArchitecture
    | ActivationArchitecture
    | SoftmaxArchitecture
    | LastArchitecture
    | ParallelArchitecture
)


def check_chain(parts: Sequence[Part], input_size: int) -> None:
    """Raise ShapeError where a part reads another number of features than come to it, or steps that are gone."""
    if not 1 <= len(parts) <= 1024:
        raise ShapeError(f"a chain has 1 to 1024 parts, not {len(parts)}.")
    coming = [input_size, *(part.output_size for part in parts)]
    for index, (part, size) in enumerate(zip(parts, coming, strict=False)):
        if part.input_size != size:
            raise ShapeError(f"part {index} reads {part.input_size} features, but {size} come to it.")
        if reduces(parts[:index]) and (reduces([part]) or _remembers(part)):
            raise ShapeError(f"part {index} reads sequences, but of each only one step comes to it.")


def reduces(parts: Iterable[Part]) -> bool:
    """Whether a chain puts out one step a sequence."""
    return any(
        isinstance(part, LastArchitecture) or (isinstance(part, ParallelArchitecture) and reduces(part.branches[0]))
        for part in parts
    )


def _remembers(part: Part) -> bool:
    if isinstance(part, ParallelArchitecture):
        return any(_remembers(inner) for branch in part.branches for inner in branch)
    return isinstance(part, RecurrentArchitecture)


def chain_weight_shapes(parts: Iterable[Part]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of a chain by its name: ``<index>.<name>``."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, part in enumerate(parts):
        shapes |= {f"{index}.{name}": shape for name, shape in part.weight_shapes().items()}
    return shapes


class EmbeddingArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vector of E features for each of V symbols."""

    vocabulary_size: Size
    size: Size


class ModelArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of parts, each reading what the one before puts out.

    embedding: what reads symbols; None where x is D numbers a step. input_size: D, or E.

    Raises ShapeError where a part reads another number of features than come to it.
    """

    input_size: Size
    parts: list[Part]
    embedding: EmbeddingArchitecture | None = None

    def __post_init__(self) -> None:
        if self.embedding is not None and self.embedding.size != self.input_size:
            raise ShapeError(f"the embedding gives {self.embedding.size} features, where {self.input_size} are read.")
        check_chain(self.parts, self.input_size)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by its name: ``embedding.weight``, ``parts.<index>.<name>``."""
        shapes = {f"parts.{name}": shape for name, shape in chain_weight_shapes(self.parts).items()}
        if self.embedding is not None:
            shapes["embedding.weight"] = (self.embedding.vocabulary_size, self.embedding.size)
        return shapes

    def to_data(self) -> Any:
        """Return the architecture as plain data, for a model file."""
        return msgspec.to_builtins(self) | {"parts": [_to_data(part) for part in self.parts]}

    @classmethod
    def from_data(cls, data: Any) -> ModelArchitecture:
        """Build an architecture from what `to_data` returned. Raises ProgramError for anything else."""
        # A cell is read by its own rules; msgspec takes it as it is then.
        if isinstance(data, dict) and isinstance(data.get("parts"), list):
            data = data | {"parts": [_with_cells(part, depth=0) for part in data["parts"]]}
        try:
            return msgspec.convert(data, cls)
        except (msgspec.ValidationError, RecursionError) as error:
            raise ProgramError(f"this is no model's data: {error}") from None


@dataclass(frozen=True)
class SymbolArchitecture:
    """A model of symbol sequences: embedding [V, E], a stack of L layers of one cell with H units, a head [V, O]."""

    cell: Cell
    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int

    @property
    def stack(self) -> RecurrentArchitecture:
        """The recurrent part; H is the size of all of the cell's width letters."""
        further = dict.fromkeys(self.cell.program.width_letters[1:], self.hidden_size)
        return RecurrentArchitecture(
            self.cell, self.embedding_size, self.hidden_size, self.num_layers, further_widths=further
        )

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by the name that the torch network and the model file give it."""
        stack = self.stack
        return {
            "embedding.weight": (self.vocabulary_size, self.embedding_size),
            **{f"recurrent.{name}": shape for name, shape in stack.weight_shapes().items()},
            "head.weight": (self.vocabulary_size, stack.output_size),
            "head.bias": (self.vocabulary_size,),
        }

    def as_chain(self, weights: Mapping[str, Any]) -> tuple[ModelArchitecture, dict[str, Any]]:
        """Return the same model as a chain of parts, and its weights by the chain's names."""
        stack = self.stack
        head = LinearArchitecture(stack.output_size, self.vocabulary_size)
        embedding = EmbeddingArchitecture(self.vocabulary_size, self.embedding_size)
        renamed = {"embedding.weight": weights["embedding.weight"]}
        renamed |= {f"parts.0.{name}": weight for name, weight in below("recurrent", weights).items()}
        renamed |= {f"parts.1.{name}": weight for name, weight in below("head", weights).items()}
        return ModelArchitecture(self.embedding_size, [stack, head], embedding), renamed


def below(prefix: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights whose names begin with a prefix and a dot, without them."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in weights.items() if name.startswith(start)}


def _prefix(layer: int, direction: int) -> str:
    return f"layers.{layer}.{direction}."


def _to_data(part: Part) -> Any:
    data = msgspec.to_builtins(part)
    if isinstance(part, RecurrentArchitecture):
        data["cell"] = part.cell.to_data()
    elif isinstance(part, ParallelArchitecture):
        data["branches"] = [[_to_data(inner) for inner in branch] for branch in part.branches]
    return data


def _with_cells(part: Any, depth: int) -> Any:
    """Return a part's data with its cells read. Raises ProgramError where branches lie in branches without end."""
    if depth > MAX_DEPTH:
        raise ProgramError(f"a model's branches lie at most {MAX_DEPTH} deep.")
    if not isinstance(part, dict):
        return part
    if "cell" in part:
        return part | {"cell": Cell.from_data(part["cell"])}
    branches = part.get("branches")
    if isinstance(branches, list) and all(isinstance(branch, list) for branch in branches):
        read = [[_with_cells(inner, depth + 1) for inner in branch] for branch in branches]
        return part | {"branches": read}
    return part
