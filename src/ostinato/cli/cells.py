"""``ostinato cells``: the recurrences that come with Ostinato, with their equations."""

from __future__ import annotations

import textwrap

import click

from . import flags
from .cell_argument import find_cell
from .output import print_json


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@flags.json_flag
def cells(names: tuple[str, ...], as_json: bool) -> None:
    """List the cells with their equations; with NAME, or FILE.py:NAME, print a cell's program too.

    \b
    Example:
      ostinato cells gru
    """
    from ..cells import CELLS

    found = [find_cell(name) for name in names] or list(CELLS.values())
    if as_json:
        print_json({"cells": [cell.to_data() for cell in found]})
        return
    for index, cell in enumerate(found):
        if index:
            click.echo()
        click.echo(str(cell) if names else f"{cell.name}\n{textwrap.indent(cell.doc, '  ')}")
