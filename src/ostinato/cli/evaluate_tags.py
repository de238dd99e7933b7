"""The figures of a tagger, printed beside those of the most frequent tag of a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .evaluate_labels import TITLES, print_table, print_unseen, tell_missing, tell_remarks
from .output import print_json, progress, shown

if TYPE_CHECKING:
    from ..tasks.tagger import Tagger
    from ..tasks.tagger_evaluation import Found


def evaluate_tagger(
    model: str, tagger: Tagger, files: Sequence[str], train: Sequence[str], quiet: bool, as_json: bool
) -> None:
    """Print a tagger's figures on files, and what was found of each tag or of the entities of each type."""
    with progress("evaluating", quiet) as move:
        learned = [Path(file) for file in train] or None
        found = tagger.evaluate([Path(file) for file in files], train=learned, progress=move)
    tell_remarks(found.remarks, quiet)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found.sentences:,} sentences, {found.words:,} words")
    print_table(model, found.metrics, found.baselines, found.measure)
    if found.winner is not None:
        click.echo(f"\nThe baseline {found.winner} beats the model here, by its {TITLES[found.measure]}.")
    print_unseen(found.unseen, found.words, "tag")
    _print_found(found.by_type or found.by_tag, "entities of type" if found.by_type else "tag")
    tell_missing(found.missing, quiet)


def _print_found(each: Mapping[str, Found], title: str) -> None:
    """Print what was found of each tag or type."""
    names = {name: shown(name)[:24] for name in each}
    width = max([len(title), *map(len, names.values())]) + 2
    columns = ("true", "chosen", "found", "precision", "recall", "F1")
    click.echo(f"\n{title:{width}}" + "".join(f"{column:>11}" for column in columns))
    for name, one in each.items():
        counts = "".join(f"{count:11,}" for count in (one.true, one.chosen, one.found))
        click.echo(f"{names[name]:{width}}{counts}{one.precision:11.3f}{one.recall:11.3f}{one.f1:11.3f}")
