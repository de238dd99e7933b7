"""Back-propagation through time in the core: the loop of the derivative, then products over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .bound import Array, Bound, Inputs, Kept, Panels
from .compiled import core


@dataclass(frozen=True)
class Gradients:
    """Gradients of x, of each state, and of each weight by name."""

    x: Array
    state: list[Array]
    weights: dict[str, Array]


def backward(bound: Bound, inputs: Inputs, kept: Kept, d_y: Array, d_final: Sequence[Array | None]) -> Gradients:
    """Return the gradients of everything that a run was given, a segment at a time from the last to the first.

    kept: what `Bound.forward` kept. d_y [T·B, O]; d_final [B, width] each, None for zero.
    """
    back = _Backward(bound, inputs, d_y, d_final)
    for segment, start in zip(reversed(kept.segments), reversed(kept.starts), strict=True):
        back.segment(segment, start, kept.panels or bound.run_again(inputs, segment, start))
    return back.gradients()


class _Backward:
    """Gradients of one call while they are gathered."""

    def __init__(self, bound: Bound, inputs: Inputs, d_y: Array, d_final: Sequence[Array | None]) -> None:
        self.bound, self.inputs = bound, inputs
        self.sized, self.arrays = bound.sized, bound.arrays
        address, zeros = self.arrays.address, self.arrays.zeros
        self.x = address(inputs.x)
        self.packed = bound.pack(self.sized.backward_recipe)
        self.d_x = (zeros if inputs.ragged else self.arrays.empty)((inputs.positions, self.sized.sizes.input_size))
        self.d_weights = [
            (self.arrays.empty if written else zeros)(weight.shape)
            for weight, written in zip(bound.weights.values(), self.sized.written, strict=True)
        ]
        self.onwards = False
        self.d_state = [zeros((inputs.batch, width)) for width in self.sized.state_widths]
        for part, given in zip(self.d_state, d_final, strict=True):
            if given is not None:
                part[:] = given
        # Vectors' gradients are added up for each sequence, and over sequences at the end.
        self.sums = [zeros((inputs.batch, self.d_weights[first].shape[0])) for first, *_ in self.sized.vector_sums]
        lies = {"state": self.d_state, "sum": self.sums}
        self.carried = [address(lies[kind][number]) if kind else 0 for kind, number in self.sized.carried]
        self.given = [address(stream) for stream in inputs.streams]
        first, size = address(d_y), self.arrays.itemsize
        self.streams = [
            first + number * size if kind == "output" else self.given[number] if kind == "given" else 0
            for kind, number, _ in self.sized.backward_streams
        ]

    def segment(self, segment: tuple[int, int], start: Sequence[Array], kept: Panels) -> None:
        """Go back through some steps; `start` is the state before the first of them."""
        address, inputs, threads = self.arrays.address, self.inputs, self.bound.threads
        rows = inputs.rows.start(segment[1]) - inputs.rows.start(segment[0])
        emitted = Panels(self.arrays, self.sized.emitted_starts, rows)
        panels = kept.addresses + emitted.addresses
        before = [address(part) for part in start]
        initial = [0] * len(panels)
        for array, state in self.sized.initial_panels:
            initial[array] = before[state]
        core().run(
            self.sized.backward_layout,
            self.packed,
            inputs.rows,
            *segment,
            True,
            self.x,
            self.streams,
            [width for _, _, width in self.sized.backward_streams],
            panels,
            initial,
            self.carried,
            self.carried,
            0,
            threads,
        )
        core().gradients(
            self.sized.gradient_recipe,
            self.packed,
            inputs.rows,
            *segment,
            self.x,
            self.given,
            panels,
            before,
            address(self.d_x),
            [address(gradient) for gradient in self.d_weights],
            self.onwards,
            threads,
        )
        self.onwards = True

    def gradients(self) -> Gradients:
        """Return everything, once all segments are done."""
        for vectors, rows in zip(self.sized.vector_sums, self.sums, strict=True):
            # Over sequences, in their order: the sum does not depend on who ran which.
            total = rows.sum(0)
            for number in vectors:
                self.d_weights[number][:] = total
        return Gradients(self.d_x, self.d_state, dict(zip(self.sized.names, self.d_weights, strict=True)))
