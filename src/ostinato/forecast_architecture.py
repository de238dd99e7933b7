"""What a recurrent forecaster is made of, apart from its weights: for training, the model file and the runtime."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import Meta

from .architecture import Layers, RecurrentArchitecture, Size
from .cells import Cell
from .distributions import PARAMETRIC, Likelihood
from .errors import ShapeError

Natural = Annotated[int, Meta(ge=0, le=2**31 - 1)]
MOST_NUMBERS = 2**25
"""Numbers that the forecast of one window takes at most: of float32, 128 MB. Not every size shows in the weights."""
MOST_SEGMENTS = 2**20
"""Segments of one window, past and ahead, at most."""


class ForecastArchitecture(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """A recurrence over segments of the past that then goes on over segments of the future.

    C targets, L steps back, h steps ahead, segments of w steps; D units; Q numbers for each step that is forecast: its
    quantiles, or the parameters of the distribution that `likelihood` names (`distributions`). The one at place
    `middle` is the forecast itself, or says where the distribution lies.

        x_s = relu(W_in · segment_s + b_in)                    s = 1 … n = L / w
        state = stack(x_1 … x_n)
        direct:    y_m = W_out · step(state, place_m + channel_c + W_future · future_m) + b_out,   m = 1 … ⌈h / w⌉
        stepwise:  y_m = W_out · output + b_out, and the forecast in y_m is read as the next segment

    Directly, each segment ahead is one step from the same state, so that none waits for another and errors do not add
    up; stepwise is the usual decoder (teacher forcing in training is not used: the network reads its own forecasts).
    With w = 1 this is a recurrence over single steps. After SegRNN (Lin et al. 2023), which is direct, with a GRU.

    Targets are independent sequences with the same weights, told apart by channel_c, unless `mixed`: then a segment
    holds all of them. A segment is, in this order: the targets' w steps; with `masked` a 1 for each of these that is
    known and a 0 for each that is missing; w steps of `past_size` further inputs.

    Raises ShapeError where the sizes do not fit each other, or ask for more memory than a forecast should take.
    """

    cell: Cell
    hidden_size: Size
    num_layers: Layers
    channels: Size
    lookback: Size
    horizon: Size
    segment: Size
    outputs: Size
    past_size: Natural = 0
    future_size: Natural = 0
    mixed: bool = False
    masked: bool = False
    stepwise: bool = False
    middle: Natural = 0
    likelihood: Likelihood = "quantiles"

    def __post_init__(self) -> None:
        if self.lookback % self.segment:
            raise ShapeError(f"a lookback of {self.lookback} steps is not made of segments of {self.segment}.")
        if self.middle >= self.outputs:
            raise ShapeError(f"place {self.middle} is not one of {self.outputs} numbers.")
        distribution = PARAMETRIC.get(self.likelihood)
        if distribution and (self.outputs, self.middle) != (distribution.outputs, distribution.middle):
            raise ShapeError(f"the likelihood {self.likelihood} does not have {self.outputs} numbers.")
        if self.stepwise and (self.past_size != self.future_size):
            raise ShapeError("stepwise decoding reads ahead what it read before: its further inputs are all known.")
        segments = self.past_segments + self.future_segments
        if segments > MOST_SEGMENTS or self.numbers_per_window > MOST_NUMBERS:
            raise ShapeError(
                f"a forecast of {self.horizon:,} steps from {self.lookback:,} takes {self.numbers_per_window:,} numbers"
                f" in {segments:,} segments; at most {MOST_NUMBERS:,} in {MOST_SEGMENTS:,} are allowed.",
                "use a smaller --lookback or --horizon, or fewer targets.",
            )

    @property
    def past_segments(self) -> int:
        """n, the segments of the past."""
        return self.lookback // self.segment

    @property
    def future_segments(self) -> int:
        """The segments ahead; of the last one only what the horizon needs is used."""
        return -(-self.horizon // self.segment)

    @property
    def joint(self) -> int:
        """The targets that one sequence holds: all C if `mixed`, else 1."""
        return self.channels if self.mixed else 1

    @property
    def input_size(self) -> int:
        """The numbers of one segment of the past."""
        return self.segment * (self.joint * (1 + self.masked) + self.past_size)

    @property
    def output_size(self) -> int:
        """The numbers of one segment ahead."""
        return self.segment * self.joint * self.outputs

    @property
    def numbers_per_window(self) -> int:
        """About how many numbers the forecast of one window takes: what is read, what is known ahead, what is said,
        and the units of each step, for all of its sequences.
        """
        ahead = self.future_segments * self.segment
        read = self.past_segments * self.input_size + ahead * self.future_size
        units = (self.past_segments + self.future_segments) * self.hidden_size
        said = self.future_segments * self.output_size
        return self.channels // self.joint * (read + units + said)

    @cached_property
    def stack(self) -> RecurrentArchitecture:
        """The recurrent part; D is the size of all of the cell's width letters."""
        further = dict.fromkeys(self.cell.program.width_letters[1:], self.hidden_size)
        return RecurrentArchitecture(
            self.cell, self.hidden_size, self.hidden_size, self.num_layers, further_widths=further
        )

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by the name that the torch network and the model file give it."""
        units = self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"input.weight": (units, self.input_size), "input.bias": (units,)}
        shapes |= {f"recurrent.{name}": shape for name, shape in self.stack.weight_shapes().items()}
        if not self.stepwise:
            shapes["place"] = (self.future_segments, units)
            if self.channels > self.joint:
                shapes["channel"] = (self.channels, units)
            if self.future_size:
                shapes["future.weight"] = (units, self.segment * self.future_size)
        shapes["output.weight"] = (self.output_size, self.stack.output_size)
        shapes["output.bias"] = (self.output_size,)
        return shapes
