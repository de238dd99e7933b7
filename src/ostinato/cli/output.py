"""Results on standard output, messages on standard error."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
import msgspec

TITLES = {"uniform": "uniform", "unigram": "unigram", "markov5": "order-5 Markov", "xz": "xz, primed"}


def print_json(result: Any) -> None:
    """Print one JSON object."""
    click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())


def print_figures(model: str, metrics: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> None:
    """Print a model's figures beside its baselines', best first, and say so if a baseline wins."""
    rows = [(model, metrics)] + [(TITLES.get(name, name), figures) for name, figures in baselines.items()]
    rows.sort(key=lambda row: row[1]["nats_per_character"])
    width = max(len(name) for name, _ in rows) + 2
    click.echo(f"{'':{width}}{'nats/character':>15}{'bits/character':>15}{'perplexity':>12}")
    for name, figures in rows:
        click.echo(
            f"{name:{width}}{figures['nats_per_character']:15.4f}{figures['bits_per_character']:15.4f}{figures['perplexity']:12.3f}"
        )
    if rows[0][0] != model:
        click.echo(f"\nThe baseline {rows[0][0]} beats the model on this text.")


def say(text: str) -> None:
    """Print a message."""
    click.echo(shown(text), err=True)


def shown(text: str) -> str:
    """Return text of which a terminal shows each character: a name in a file may hold some that command it."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def this_command(*more: str) -> str:
    """Return the command that is running, with further arguments where it lacks them, to be typed again."""
    given = sys.argv[1:]
    return shlex.join(["ostinato", *given, *(() if more[0] in given else more)])


@contextmanager
def progress(label: str, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show a bar while something runs; give what moves it to a share between 0 and 1. Nothing when piped."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda done: bar.update(task, completed=done)
