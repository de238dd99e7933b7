"""``ostinato info``: what a model file holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from . import flags
from .output import print_json, shown


@click.command()
@click.argument("model")
@flags.json_flag
def info(model: str, as_json: bool) -> None:
    """Tell what a model file holds: task, cell, sizes, vocabulary, data, figures, versions.

    \b
    Example:
      ostinato info book.safetensors
    """
    from .. import load

    told = load(model).summary()
    if as_json:
        print_json(told)
        return
    for title, value in told.items():
        if title == "cell":
            _print_block("cell", f"{value['name']}\n{value['doc']}\n\n{value['program']}")
        elif isinstance(value, Mapping):
            _print_mapping(title, value)
        else:
            click.echo(shown(f"{title}: {value}"))


def _print_block(title: str, text: str) -> None:
    click.echo(f"{title}:")
    for line in text.splitlines():
        click.echo(shown(f"  {line}".rstrip()))


def _print_mapping(title: str, values: Mapping[str, Any]) -> None:
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            value = "  ".join(f"{key} {_spell(each)}" for key, each in value.items())
        lines.append(f"{name}: {_spell(value)}")
    _print_block(title, "\n".join(lines))


def _spell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) and not value.is_integer() else str(value)
