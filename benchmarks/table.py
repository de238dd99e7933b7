"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .contenders import OURS
from .grid import GROUPS, IN_MICROSECONDS, OF_CHARACTERS
from .machine import Machine
from .report import Report, Row
from .summary import cost_of_cells, summarise
from .timing import Timing


def markdown(report: Report) -> str:
    """Return the whole report: machine, targets, a table for each group, and who was left out."""
    parts = [f"# Benchmarks, {report.date}", *_head(report), *_targets(report)]
    for group, title in GROUPS.items():
        if rows := report.of(group):
            parts += [f"## {title}", _table(rows)]
    parts += _left_out(report)
    return "\n\n".join(parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    settings = report.settings
    if settings.quick:
        yield "**A quick run, to see that everything works: these times say little.**"
    yield "\n".join(
        [
            *told(report.machine, settings.threads),
            f"* float32 unless a name says otherwise, {settings.threads} threads; medians of {settings.rounds} rounds "
            f"in turns, ± half the distance between the quartiles; a stretch of at least "
            f"{1e3 * settings.seconds:.0f} ms a round",
        ]
    )


def told(machine: Machine, threads: int) -> list[str]:
    """Return what a machine is, can do on so many threads, and has installed: a line each."""
    can = machine.abilities
    return [
        f"* {machine.processor}, {machine.cores} cores, {' '.join(machine.instruction_sets)}, "
        f"L2 {machine.l2_kib} KiB, {machine.memory_gib:g} GiB, {machine.system}; "
        f"load {machine.load:.2f} at the start",
        f"* multiply-add peak {can.peak_one:.0f} GFLOP/s on one thread, {can.peak_all:.0f} on {threads}; "
        f"L2 read bandwidth {can.l2_bandwidth:.0f} GB/s (by {can.measured_with})",
        f"* {', '.join(f'{name} {version}' for name, version in machine.versions.items())}",
    ]


def _targets(report: Report) -> Iterator[str]:
    # The points of a quick run are not those that the targets speak of.
    if not report.settings.quick and (lines := summarise(report)):
        yield "## Targets"
        yield grid(
            ["what", "target", "found", ""],
            [
                [line.what, f"{'≤' if line.is_most else '≥'} {line.target:.2f}", f"{line.found:.2f}", _met(line.is_met)]
                for line in lines
            ],
        )


def _met(is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def _table(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row.timings))
    has_peers = any(row.peers for row in rows)
    has_operations = any(row.operations for row in rows)
    group = rows[0].point.group
    is_short, is_text = group in IN_MICROSECONDS, group in OF_CHARACTERS
    stored = [name for name in names if any(name in row.stored for row in rows)]
    costs = cost_of_cells(rows) if group == "cells" else {}
    head = ["cell", "size", *(f"{name}, {'µs' if is_short else 'ms'}" for name in names)]
    head += ["GFLOP/s", "of peak"] * has_operations + ["× best peer"] * has_peers + ["× lstm"] * bool(costs)
    head += [f"{name.removeprefix(OURS)[1:]} ÷ float32" for name in stored]
    if is_text:
        head.append("characters/s")
    body = []
    for row in rows:
        cells = [row.point.cell, row.point.size.replace("-", " ")]
        cells += [_time(row.timings.get(name), 1e3 if is_short else 1.0) for name in names]
        if has_operations:
            cells += [_number(row.gflops(OURS), ".1f"), _number(row.share(OURS), ".0%")] if row.ours else ["–", "–"]
        if has_peers:
            cells.append(_number(row.ratio(), ".2f"))
        if costs:
            cells.append(_number(costs.get(row.point.cell), ".2f"))
        cells += [_number(row.stored.get(name), ".2f") for name in stored]
        if is_text:
            cells.append(_number(1e3 * row.rows / row.ours.median if row.ours else None, ",.0f"))
        body.append(cells)
    return grid(head, body)


def _time(timing: Timing | None, scale: float) -> str:
    if timing is None:
        return "–"
    return f"{_digits(scale * timing.median)} ±{_digits(scale * (timing.high - timing.low) / 2, 1)}"


def _digits(value: float, count: int = 3) -> str:
    """Write a number with at least some digits that count, and without an exponent."""
    return f"{value:.0f}" if value >= 10 ** (count - 1) else f"{value:.{count}g}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _left_out(report: Report) -> Iterator[str]:
    lines = [f"* {name}: not installed ({', '.join(libraries)})" for name, libraries in report.missing.items()]
    lines += [f"* {row.point.name}: {name}: {why}" for row in report.rows for name, why in row.left_out.items()]
    if lines:
        yield "## Not timed"
        yield "\n".join(lines)


def grid(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
