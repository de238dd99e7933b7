"""``ostinato import``: the model of another tool becomes a model file."""

from __future__ import annotations

from pathlib import Path

import click

from . import flags
from .output import print_json, say, shown
from .target import check_target, default_output


@click.command("import")
@click.argument("file")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The model file. [default: FILE.safetensors, here]"
)
@click.option(
    "--layers", metavar="TEXT", help='What a file of weights alone is made of, as in "embedding lstm linear".'
)
@flags.quiet_flag
@flags.json_flag
def import_(file: str, output: Path | None, layers: str | None, quiet: bool, as_json: bool) -> None:
    """Make a model file of an ONNX file, a Keras model, or a torch state dict.

    FILE ends in .onnx, .keras, .h5, .safetensors, .pt or .pth. It is read in a process of its own, with limits of
    memory and time, and no code in it is run. A layer that Ostinato does not have is named, and nothing is written.

    \b
    Example:
      ostinato import tagger.onnx -o tagger.safetensors
    """
    from ..exchange.reading import read_foreign

    target = output or default_output(file)
    check_target(target)
    network, notes = read_foreign(file, layers)
    network.save(target)
    if as_json:
        print_json({"model": str(target), "notes": list(notes), **network.summary()})
    elif not quiet:
        click.echo(shown(f"{target}: {network!r}"))
        for note in notes:
            say(f"note: {note}")
