"""The options of a forecaster, and the sizes that suit the series when they are not given."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..distributions import Likelihood, is_of_counts
from ..errors import OptionError
from .options import Count, Share, says
from .training_options import TrainingOptions, timed

MAX_EPOCHS = 30
"""Epochs after which more time does not help: a plan made from ``--time`` stops there."""
LONGEST_SEGMENT = 48
"""Steps that one step of the recurrence reads at most by default."""
SEGMENTS = 15
"""Segments that are looked back by default, where the series are long enough: 720 steps, where each has 48."""
SHORT = 24
"""A horizon of fewer steps is short."""
BATCH_WINDOWS, BATCH_SEQUENCES = 256, 2048
"""Windows in a training step by default, and sequences, where a window is one of each target."""
Names = tuple[str, ...]


class ForecastOptions(TrainingOptions, frozen=True, kw_only=True):
    """What is forecast, and how the forecaster is built and trained. None: chosen from frequency, length and time."""

    horizon: Annotated[Count | None, says("the number of steps to forecast, by default one season")] = None
    lookback: Annotated[
        Count | None, says("the number of steps that a forecast is made from, by default 15 segments")
    ] = None
    target: Annotated[Names, says("the columns to forecast, or all; by default y, or every column of numbers")] = ()
    time_column: Annotated[str | None, says("the column of timestamps, by default the one that reads as such")] = None
    series: Annotated[str | None, says("the column that names the series, by default unique_id")] = None
    known: Annotated[Names, says("columns whose future is known, such as a price or a holiday")] = ()
    past: Annotated[Names, says("columns known only up to now, by default all others")] = ()
    static: Annotated[Names, says("columns that do not change within a series")] = ()
    rows_are_series: Annotated[bool, says("one series a row, as in the files of M4")] = False
    irregular: Annotated[bool, says("take timestamps as they are; the time between them is an input")] = False
    split: Annotated[
        Names, says("training, validation and test part: rows, fractions, or the dates on which each ends")
    ] = ()
    season: Annotated[
        Count | None, says("the rows of a season, by default that of the frequency: 24 for hours, 12 for months, …")
    ] = None
    quantiles: Annotated[tuple[Annotated[float, msgspec.Meta(gt=0, lt=1)], ...], says("the quantiles to forecast")] = (
        0.1,
        0.5,
        0.9,
    )
    likelihood: Annotated[
        Likelihood,
        says("what is learned of each step: the quantiles themselves, or a distribution that has them"),
    ] = "quantiles"
    cell: Annotated[str, says("the recurrence: a name listed by `ostinato cells`, or FILE.py:NAME")] = "gru"
    hidden_size: Annotated[
        Count | None, says("the number of hidden units, by default from the number of windows", short="--hidden")
    ] = None
    num_layers: Annotated[Count, says("the number of recurrent layers", short="--layers")] = 1
    segment: Annotated[Count | None, says("the steps that one step of the recurrence reads, by default up to 48")] = (
        None
    )
    channels: Annotated[Literal["shared", "mixed"], says("whether targets share the weights, or are read together")] = (
        "shared"
    )
    decoder: Annotated[
        Literal["direct", "stepwise"], says("whether all of the horizon is forecast at once, or segment by segment")
    ] = "direct"
    scaling: Annotated[
        Literal["level", "window"] | None,
        says(
            "what is taken off each window: its last value, or its size as well; by default the latter for many series"
        ),
    ] = None
    linear: Annotated[
        Literal["auto", "never"],
        says("whether the recurrent forecast is averaged with a linear one, as the validation part says"),
    ] = "auto"
    calendar: Annotated[
        bool | None,
        says("whether time of day, week and year are inputs, by default those that tell what a linear model misses"),
    ] = None
    dropout: Annotated[
        Share | None, says("the share of the last layer dropped in training, by default 0.5 for one series, 0 for many")
    ] = None
    batch_size: Annotated[Count | None, says("the number of windows in a training step, by default up to 256")] = None

    def check(self) -> None:
        """Raise OptionError where options contradict each other."""
        super().check()
        levels = self.quantiles
        if not levels or list(levels) != sorted(set(levels)) or 0.5 not in levels:
            raise OptionError(
                f"quantiles are {', '.join(map(str, levels)) or 'none'}, but should rise and hold 0.5.",
                "0.5 is the forecast itself, the others its bands: --quantiles 0.1,0.5,0.9",
            )
        if is_of_counts(self.likelihood) and self.scaling == "level":
            raise OptionError(
                f"the {self.likelihood} likelihood scales each window.", "leave out --scaling, or use --scaling window."
            )
        if self.lookback and self.segment and self.lookback % self.segment:
            raise OptionError(
                f"a lookback of {self.lookback} steps is not made of segments of {self.segment}.",
                "give a lookback that is a multiple of the segment, or leave one of them out.",
            )
        if len(self.split) not in (0, 2, 3):
            raise OptionError(f"a split has two or three parts, not {len(self.split)}.", "such as --split 0.7,0.1,0.2")


def sized(
    options: ForecastOptions, longest: int, windows: int, num_series: int, targets: int, season: int
) -> ForecastOptions:
    """Return the options with every size set.

    longest: rows to train on of the longest series. windows: about how many windows there are to train on. season: the
    usual season of the frequency.

    The lookback is `SEGMENTS` segments or, in short series, half of the series; a segment is the longest up to
    `LONGEST_SEGMENT` steps, and up to a twelfth of the series, that the horizon is made of whole or, where it is given,
    the lookback. Units grow with the number of windows. Many series keep a network from learning one by heart: dropout
    then only blurs what tells them apart, and steps may be larger (M4 Hourly after 4,000 steps: OWA 0.49 with a rate
    of 0.001, 0.47 with 0.003; after 1,500 with a dropout of 0.1, 0.55). Nothing depends on measured speed.
    """
    horizon = options.horizon or max(1, min(season, longest // 4))
    segment = options.segment or _segment(horizon, longest, options.lookback)
    lookback = options.lookback or segment * max(1, min(SEGMENTS, longest // 2 // segment))
    together = targets if options.channels == "shared" else 1
    many = num_series > 1
    chosen = {
        "time": timed(options),
        "horizon": horizon,
        "segment": segment,
        "lookback": lookback,
        "hidden_size": options.hidden_size or (256 if windows >= 4000 else 128 if windows >= 1000 else 64),
        "batch_size": options.batch_size or max(8, min(BATCH_WINDOWS, BATCH_SEQUENCES // together, windows // 8)),
        "learning_rate": options.learning_rate or (0.003 if many else 0.001),
        "dropout": (0.0 if many else 0.5) if options.dropout is None else options.dropout,
        "scaling": options.scaling or ("window" if many or is_of_counts(options.likelihood) else "level"),
    }
    return msgspec.structs.replace(options, **chosen)


def _segment(horizon: int, longest: int, lookback: int | None) -> int:
    """Return the longest segment that divides the lookback or, where that is free, the horizon.

    A short horizon, which has little to divide, has segments of up to `SHORT` steps.
    """
    most = max(1, min(LONGEST_SEGMENT, longest // 12, max(SHORT, horizon)))
    whole = lookback or (most if horizon < SHORT else horizon)
    return max(width for width in range(1, min(most, whole) + 1) if whole % width == 0)
