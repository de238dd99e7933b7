"""The run beside its targets: one line each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import geometric_mean
from typing import NamedTuple

from .contenders import OURS
from .grid import Group
from .report import Report, Row

LARGEST = "B64-T100-D256-H512"
"""The size at which the share of the machine's peak is asked for."""
ONNX = ("onnxruntime", "onnxruntime-1")
STEP_TARGETS = {32: 2.0, 128: 2.0, 512: 1 / 0.9}
"""How many times ONNX Runtime's speed an LSTM step of each width should have, and how many times that of the quickest
of `PUSH_PEERS` a push."""
PUSH_PEERS = (*ONNX, "torch-cell", "keras")
WIDEST = max(STEP_TARGETS)


class Line(NamedTuple):
    """A target: what is asked, at least or (`is_most`) at most how much, and what was found, each times 1."""

    what: str
    target: float
    found: float
    is_most: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        return self.found <= self.target if self.is_most else self.found >= self.target


def summarise(report: Report) -> list[Line]:
    """Return a line for each target of which the run says something."""
    lines = [*_layers(report), *_ragged(report), *_steps(report), *_live(report)]
    lines += [*_cells(report), *_linear(report)]
    lines.append(Line("text: characters a second, × torch.nn.LSTM", 1.25, _least(report.of("text"), "torch")))
    return [line for line in lines if not math.isnan(line.found)]


def _layers(report: Report) -> Iterator[Line]:
    training, forward = report.of("training"), report.of("forward")
    yield Line("training: × torch.nn, worst point", 1.0, _least(training, "torch"))
    yield Line("training: × torch.nn, geometric mean", 2.5, _mean(training, "torch"))
    yield Line("training: × JAX, geometric mean", 2.5, _mean(training, "jax"))
    shares = [row.share(OURS) for row in training if row.point.size == LARGEST and row.ours]
    yield Line(f"training at {LARGEST}: share of peak, worst kind", 0.85, _min(filter(None, shares)))
    yield Line("forward: × the best peer, worst point", 0.9, _least(forward))
    yield Line("forward: × the best peer, geometric mean", 1.2, _mean(forward))


def _ragged(report: Report) -> Iterator[Line]:
    rows = report.of("ragged-training")
    yield Line("ragged training: × torch packed, worst kind", 6.0, _least(rows, "torch-packed"))
    yield Line("ragged training: × torch padded, worst kind", 3.0, _least(rows, "torch-padded"))


def _steps(report: Report) -> Iterator[Line]:
    for width, target in STEP_TARGETS.items():
        yield Line(f"LSTM step, H={width}: × ONNX Runtime", target, _least(_lstm(report, "step", width), *ONNX))


def _live(report: Report) -> Iterator[Line]:
    for width, target in STEP_TARGETS.items():
        what = f"LSTM push, H={width}: × the quickest of ONNX Runtime, torch's cell and Keras"
        yield Line(what, target, _least(_lstm(report, "push", width), *PUSH_PEERS))
    shares = [row.stored["ostinato-int8"] for row in _lstm(report, "push", WIDEST) if "ostinato-int8" in row.stored]
    yield Line(f"LSTM push, H={WIDEST}: int8's time, × float32's", 0.4, max(shares, default=math.nan), True)
    yield _pool(report.of("pool"))
    yield Line("generation: characters a second, × torch.nn.LSTM", 5.0, _least(report.of("generation"), "torch"))


def _pool(rows: Sequence[Row]) -> Line:
    """Return the line of the target that is nearer to being met: either is enough."""
    shares = [share for row in rows if row.ours and (share := row.share(OURS))]
    lines = [
        Line("pool step: × ONNX Runtime (or 0.70 of peak)", 3.0, _least(rows, *ONNX)),
        Line("pool step: share of peak (or 3 × ONNX Runtime)", 0.7, _min(shares)),
    ]
    return max(lines, key=lambda line: 0.0 if math.isnan(line.found) else line.found / line.target)


def _lstm(report: Report, group: Group, width: int) -> list[Row]:
    return [row for row in report.of(group) if (row.point.cell, row.point.hidden) == ("lstm", width)]


def _cells(report: Report) -> Iterator[Line]:
    costs = cost_of_cells(report.of("cells"))
    yield Line("cells: time a multiply-add, × that of lstm, worst", 1.25, max(costs.values(), default=math.nan), True)


def cost_of_cells(rows: Iterable[Row]) -> dict[str, float]:
    """Return each cell's time a multiply-add as a multiple of the LSTM's, where it was measured."""
    return {row.point.cell: row.cost for row in rows if row.cost is not None}


def _linear(report: Report) -> Iterator[Line]:
    for cell in ("min_gru", "rg_lru"):
        alone, whole = ([row for row in report.of(group) if row.point.cell == cell] for group in ("alone", "whole"))
        yield Line(f"{cell}, the recurrence alone: × the best plain torch", 15.0, _least(alone))
        yield Line(f"{cell}, the whole layer: × the best plain torch", 4.0, _least(whole))


def ratios(rows: Iterable[Row], *peers: str) -> list[float]:
    """Return the ratios of speed to the quickest of some peers (none named: of all), where both were timed."""
    return [ratio for row in rows if (ratio := row.ratio(*peers)) is not None]


def _least(rows: Iterable[Row], *peers: str) -> float:
    return _min(ratios(rows, *peers))


def _min(values: Iterable[float]) -> float:
    return min(values, default=math.nan)


def _mean(rows: Iterable[Row], *peers: str) -> float:
    found = ratios(rows, *peers)
    return geometric_mean(found) if found else math.nan
