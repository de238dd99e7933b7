"""``ostinato evaluate``: a model's figures on a file, beside the baselines'."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ..errors import DataError
from . import flags
from .evaluate_forecast import evaluate_forecaster, print_evaluation
from .evaluate_labels import evaluate_classifier, tell_same, training_data
from .evaluate_tags import evaluate_tagger
from .opening import as_language_model, open_language_model, refuse_flags_of_others
from .output import TITLES, print_figures, print_json, progress, say, this_command
from .sources import read_sources

if TYPE_CHECKING:
    from ..tasks.language import Evaluation, LanguageModel


@click.command()
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--train", multiple=True, metavar="FILE", help="The training data, which baselines learn from.")
@click.option("--against", metavar="MODEL", help="Another model, such as the one that was exported in fewer bytes.")
@click.option("--windows", type=click.IntRange(min=1), help="Of a forecaster: so many origins at each series' end.")
@click.option("--standardised", is_flag=True, help="Of a forecaster: figures in deviations of the training part.")
@click.option("--season", type=click.IntRange(min=1), help="Of a forecaster: the rows of a season, for MASE.")
@click.option("--stride", type=click.IntRange(min=1), default=1, help="Of a forecaster: rows from origin to origin.")
@click.option("--by-step", is_flag=True, help="Of a forecaster: figures for each step ahead, too.")
@click.option("--refit", type=click.IntRange(min=1), help="Of a forecaster: learn anew so many times on the way.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Draw forecasts over the truth, or what is taken for what."
)
@flags.reading_flags
@flags.unknown_flag
@flags.quiet_flag
@flags.json_flag
def evaluate(
    model: str,
    files: tuple[str, ...],
    train: tuple[str, ...],
    against: str | None,
    windows: int | None,
    standardised: bool,
    season: int | None,
    stride: int,
    by_step: bool,
    refit: int | None,
    plot: Path | None,
    unknown: str,
    quiet: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Tell how well a model predicts a file, beside baselines on the same data.

    Of a text that a language model was trained on only the part that was held out counts; a classifier or a tagger is
    judged by all of FILE, which should be examples that it has not seen. A forecaster is tested on the
    test part of its split, each horizon forecast from what precedes it; with --refit by models that have learned
    anew up to there, while the file stays as it is. With --against, another model's figures stand there, too, and what
    the one loses and gains: accuracy, bytes, speed.

    \b
    Example:
      ostinato evaluate book.safetensors book.txt
      ostinato evaluate small.safetensors book.txt --against book.safetensors
      ostinato evaluate load.safetensors load.csv --refit 4 --plot test.png
      ostinato evaluate reviews.safetensors test.csv --train reviews.csv
    """
    from .. import load

    kind = load(model)
    refuse_flags_of_others(kind.task, FLAGS)
    if kind.task == "classify":
        part = reading["part"]
        learned = training_data(flags.read_as(kind, {**reading, "part": None}), train, part)
        tell_same(files, train, part, quiet)
        evaluate_classifier(model, flags.read_as(kind, reading), files, learned, plot, quiet, as_json)
        return
    if kind.task == "tag":
        tell_same(files, train, None, quiet)
        evaluate_tagger(model, flags.read_as(kind, reading), files, train, quiet, as_json)
        return
    if kind.task == "forecast":
        figures = {"windows": windows, "standardised": standardised, "season": season, "stride": stride}
        evaluation = evaluate_forecaster(kind, list(files), plot, quiet, refit=refit, **figures)
        print_json(evaluation) if as_json else print_evaluation(model, evaluation, by_step)
        return
    opened = as_language_model(model, kind)
    other = None if against is None else open_language_model(against)
    tokens, encoding = opened.options.tokens, reading["encoding"] or "utf-8"
    if other is not None and other.options.tokens != tokens:
        raise DataError(f"{model} reads {tokens}, but {against} reads {other.options.tokens}.")
    text = read_sources(files, tokens, encoding)
    learned = read_sources(train, tokens, encoding) if train else None
    with progress("evaluating", quiet) as move:
        found = opened.evaluate(text, learned, unknown=unknown, progress=move)  # type: ignore[arg-type]
    comparison = None
    if other is not None and against is not None:
        with progress("evaluating the other", quiet) as move:
            beside = other.evaluate(text, learned, unknown=unknown, progress=move)  # type: ignore[arg-type]
        comparison = _compare((model, opened, found), (against, other, beside))
    if as_json:
        print_json(found if comparison is None else msgspec.to_builtins(found) | {"against": comparison})
        return
    print_figures(model, found.metrics, found.baselines)
    if comparison is not None:
        _print_comparison(comparison)
    if found.missing and not quiet:
        names = ", ".join(TITLES[name] for name in found.missing)
        say(f"\nmissing: {names}, which learn from the training text; with them:\n  {this_command('--train', 'FILE')}")


FLAGS = {
    "forecast": ("windows", "standardised", "season", "stride", "by_step", "refit", "plot"),
    "language": ("train", "against", "encoding", "unknown"),
    "classify": ("train", "plot", *flags.READING),
    "tag": ("train", *flags.TAG_READING),
}
"""Flags that are for one kind of model, by its task."""


def _compare(*models: tuple[str, LanguageModel, Evaluation]) -> dict[str, Any]:
    """Return what two models gain and lose: of each its file and figures, the first one's before the other's."""
    from ..evaluate.speed import step_seconds
    from ..stored import kind_of

    paths, opened, found = zip(*models, strict=True)
    seconds = step_seconds([each.runtime for each in opened])
    return {
        "models": paths,
        "matrices": [kind_of(each.weights_) for each in opened],
        "bits_per_character": [each.metrics["bits_per_character"] for each in found],
        "bytes": [Path(path).stat().st_size for path in paths],
        "microseconds_per_step": [1e6 * each for each in seconds],
    }


def _print_comparison(comparison: dict[str, Any]) -> None:
    (model, other), (kind, other_kind) = comparison["models"], comparison["matrices"]
    bits, other_bits = comparison["bits_per_character"]
    size, other_size = comparison["bytes"]
    time, other_time = comparison["microseconds_per_step"]
    click.echo(f"\n{model} ({kind}) beside {other} ({other_kind}):")
    click.echo(f"  bits/character  {bits:.4f} instead of {other_bits:.4f}: {bits - other_bits:+.4f}")
    click.echo(f"  bytes           {size:,} instead of {other_size:,}: {100 * size / other_size:.0f} %")
    click.echo(f"  one step        {time:.0f} µs instead of {other_time:.0f} µs: {100 * time / other_time:.0f} %")
