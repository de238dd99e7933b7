"""``ostinato demo``: the whole way once, from a text that every Python carries to a model that writes."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..errors import DataError
from . import flags
from .output import print_figures, print_json, say
from .target import check_folder

SECONDS = 45.0


@click.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default="ostinato-demo.safetensors",
    show_default=True,
    help="The model file.",
)
@flags.quiet_flag
@flags.json_flag
def demo(output: Path, quiet: bool, as_json: bool) -> None:
    """Train a small model on Python's own documentation, in under a minute, and let it write.

    \b
    Example:
      ostinato demo
    """
    from ..data.text import Text
    from ..tasks.language import LanguageModel

    text = Text(documentation())
    check_folder(output)
    if output.exists() and not _learned_from(text.digest, output):
        raise DataError(
            f"{output} exists and was not made by the demo, so it is not overwritten.", "choose another --output."
        )
    if not quiet:
        say(f"Learning to write from the texts of Python's help(): {len(text.content):,} characters of English.\n")
    model = LanguageModel(time=SECONDS).fit(text, quiet=quiet)
    model.save(output)
    sample = model.generate("The ", 400, temperature=0.7, seed=1, stop=None)
    if as_json:
        print_json(
            {
                "task": "language",
                "model": str(output),
                "metrics": model.metrics_,
                "baselines": model.baselines_,
                "sample": sample,
            }
        )
        return
    if not quiet:
        say("")
    click.echo("On the last tenth of the text, which it never saw:\n")
    print_figures("the model", model.metrics_, model.baselines_)
    click.echo("(These texts repeat whole passages word for word, which is what xz and Markov models live on.)")
    click.echo(f"\nIt writes:\n\n{_indented('The ' + sample)}\n")
    name = shlex.quote(str(output))
    click.echo("Try next:\n")
    click.echo(f"  ostinato generate {name} --prompt 'A class is' --temperature 0.5")
    click.echo(f"  ostinato info {name}")
    click.echo("  ostinato fit language YOUR_TEXT.txt --time 5m")


def documentation() -> str:
    """Return the texts of Python's help(), joined: English prose and code, a few hundred thousand characters."""
    from pydoc_data import topics

    return "\n".join(topics.topics[name] for name in sorted(topics.topics))


def _learned_from(digest: str, path: Path) -> bool:
    """Whether a file is a model of the text with this digest, as the demo's own is."""
    from .. import load
    from ..errors import OstinatoError

    try:
        return bool(load(path).data_.digest == digest)
    except (OstinatoError, AttributeError):
        return False


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
