"""``ostinato generate``: write text with a model."""

from __future__ import annotations

import click

from . import flags
from .opening import open_language_model
from .output import print_json


@click.command()
@click.argument("model")
@click.option("--prompt", "-p", default="", help="The text to go on from. [default: a line's beginning]")
@click.option("--length", "-n", type=int, default=500, show_default=True, help="How many symbols to write.")
@click.option(
    "--temperature",
    "-t",
    type=float,
    default=0.8,
    show_default=True,
    help="Below 1 sharper, above 1 flatter, 0 likeliest.",
)
@click.option("--top-k", type=int, help="Draw among the K likeliest only.")
@click.option("--top-p", type=float, help="Draw among the fewest that have probability P together.")
@click.option("--seed", type=int, help="Makes the text reproducible; sample k has SEED + k.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="How many texts to write.")
@click.option("--stop", help="End where this string appears.")
@flags.unknown_flag
@flags.json_flag
def generate(
    model: str,
    prompt: str,
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int | None,
    samples: int,
    stop: str | None,
    unknown: str,
    as_json: bool,
) -> None:
    """Write text with a model, as it is made.

    \b
    Example:
      ostinato generate book.safetensors --prompt "It was" --length 300 --seed 1
    """
    opened = open_language_model(model)
    how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "stop": stop, "unknown": unknown}
    if as_json:
        print_json(
            {
                "task": "language",
                "prompt": prompt,
                "samples": opened.generate(prompt, length, samples=samples, seed=seed, **how),
            }
        )
        return
    for index in range(samples):
        if index:
            click.echo(f"\n--- sample {index + 1} ---")
        each = None if seed is None else seed + index
        pieces = opened.write(prompt, length, seed=each, **how)  # type: ignore[arg-type]
        click.echo(prompt, nl=False)
        for piece in pieces:
            click.echo(piece, nl=False)
        click.echo()
