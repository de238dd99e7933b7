"""Back-tests that learn anew as they go: windows in stretches, and a forecaster of what precedes each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..data.layout import Table
from ..data.splits import Parts
from ..data.windows import Origins
from ..errors import OptionError
from .forecast_options import ForecastOptions

if TYPE_CHECKING:
    from .forecast import Forecaster

Array = NDArray[Any]


class Stretch(NamedTuple):
    """Windows whose origins follow each other, and the row of each series [S] before which all may be learned from."""

    windows: Origins
    begins: Array


def stretches(windows: Origins, starts: Array, first: Array, count: int) -> list[Stretch]:
    """Return windows in so many stretches: of each series its own origins, in runs of nearly equal length.

    starts [S + 1]: of the series. first [S]: where a series without any window begins to be tested. A series with
    fewer windows than there are stretches has none in some; what may be learned from then ends at its next origin.

    Raises OptionError where no series has a window for each stretch.
    """
    series = np.searchsorted(starts, windows.rows, side="right") - 1
    lengths = np.bincount(series, minlength=len(first))
    if lengths.max(initial=0) < count:
        raise OptionError(
            f"{count:,} refits take as many origins of a series, and none has more than {lengths.max(initial=0):,}.",
            "take a smaller refit, a smaller stride or more windows.",
        )
    before = np.cumsum(lengths) - lengths
    number = (np.arange(len(windows)) - before[series]) * count // lengths[series]
    rows = np.append(windows.rows, 0)
    found = []
    for stretch in range(count):
        place = np.minimum(-(-stretch * lengths // count), lengths - 1)
        begins = np.where(lengths > 0, rows[before + place], first)
        found.append(Stretch(windows.take(number == stretch), begins))
    return found


def options_of_refits(options: ForecastOptions, steps: int) -> ForecastOptions:
    """Return the options of a model, every size set, with the steps that it took for its time or epochs, so that
    nothing depends on the clock; and with a device that is there.
    """
    device = "cpu" if options.device == "cpu" else "auto"
    return msgspec.structs.replace(options, time=None, epochs=None, steps=steps, device=device)


def refitted(
    fit: Callable[[Table, Parts, Any], Forecaster],
    table: Table,
    valid_rows: Array,
    walk: list[Stretch],
    quiet: bool,
) -> Iterator[tuple[Forecaster, Origins]]:
    """Yield, for each stretch in turn, a forecaster fitted on the rows before it, and the windows of the stretch.

    fit: learns from a table, with these parts and a report. valid_rows [S]: the rows of each series that validate, the
    last ones before a stretch; no row from its beginning on is so much as handed over. What is done is said on
    standard error unless `quiet`. Raises MissingExtraError without torch, and what `Forecaster.fit` raises.
    """
    from ..training.report import Report

    for number, stretch in enumerate(walk):
        before = table.panel.before(stretch.begins)
        ends = before.starts[1:]
        own = Parts(np.maximum(before.starts[:-1], ends - valid_rows), ends, ends)
        with Report(quiet) as report:
            report.say(
                f"refit {number + 1} of {len(walk)}: learns from {len(before.times):,} rows, "
                f"and is tested on {len(stretch.windows):,} windows after them"
            )
            learned = fit(Table(before, table.roles, []), own, report)
        yield learned, stretch.windows
