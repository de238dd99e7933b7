"""The files of forecasters, classifiers and taggers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

import ostinato
from ostinato import model_file
from ostinato.errors import OstinatoError

from .common import file_of


class Fitted(NamedTuple):
    """A model's document and tensors, and data that it can be asked about."""

    document: dict[str, object]
    tensors: dict[str, object]
    data: object


def fitted(model: ostinato.Forecaster | ostinato.Classifier | ostinato.Tagger, data: object) -> Fitted:
    """Return what a model's file holds, and data that it can be asked about."""
    with file_of(b"", ".safetensors") as path:
        model.save(path)
        return Fitted(*model_file.read(path), data)


def document_of(content: bytes, made: Sequence[Fitted], use: Callable[[Any, object], None]) -> None:
    """Take bytes for the document of a model, whose tensors and digest are in order; use what opens."""
    model = made[content[0] % len(made) if content else 0]
    try:
        document = msgspec.json.decode(content[1:], type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    for name in ("kind", "format"):
        document.pop(name, None)
    with file_of(b"", ".safetensors") as path:
        try:
            model_file.write(path, str(model.document["kind"]), document, model.tensors)
        except (UnicodeError, ValueError, TypeError):
            return
        with suppress(OstinatoError), np.errstate(all="ignore"):
            use(ostinato.load(path), model.data)


def documents_in(made: Sequence[Fitted]) -> list[bytes]:
    """The documents of models, each after its number."""
    return [bytes([index]) + msgspec.json.encode(model.document) for index, model in enumerate(made)]


MOST_WINDOW_SEGMENTS = 2**12
"""A forecaster with more steps of its recurrence is loaded, but not run: that takes long, though little memory."""


@cache
def forecasters() -> tuple[Fitted, ...]:
    """Small forecasters: of arrays with a linear part, step by step, of every role of columns, and of many series."""
    from tests.small_series import SIZES, load, shops

    values = np.sin(np.arange(60.0))
    columns = load(64)
    for name in ("load", "wind"):
        columns[name][60:] = np.nan
    table, many = pl.DataFrame(columns), pl.DataFrame(shops((20, 12)))
    roles = {"target": ("load", "wind"), "known": ("price",), "past": ("heat", "day"), "time_column": "when"}
    made: list[tuple[object, dict[str, object]]] = [
        (np.stack([values, values**2], axis=1), {"channels": "mixed", "quantiles": (0.5, 0.9)}),
        ([values, values[:30]], {"decoder": "stepwise", "cell": "elman", "likelihood": "student-t"}),
        (table.with_columns(pl.col("load", "wind").fill_nan(None)), roles),
        (many, {"static": ("town",), "horizon": 2, "lookback": 4}),
    ]
    return tuple(fitted(ostinato.Forecaster(**(SIZES | options)).fit(data, quiet=True), data) for data, options in made)


def forecaster(content: bytes) -> None:
    """Bytes that are taken for the document of a forecaster's file, whose tensors and digest are in order."""

    def use(model: ostinato.Forecaster, data: object) -> None:
        model.summary()
        sizes = model.architecture_
        if sizes.past_segments + sizes.future_segments <= MOST_WINDOW_SEGMENTS:
            model.predict(data)
            model.evaluate(data, windows=1)
            model.sample(data, paths=2)

    document_of(content, forecasters(), use)


@cache
def classifiers() -> tuple[Fitted, ...]:
    """Small classifiers: of words, of spelled words, of characters, of series, and of several classes at once."""
    from tests.small_labels import SIZES, names, reviews, topics, waves

    made: list[tuple[tuple[Any, Any], dict[str, object]]] = [
        (reviews(20), {"pooling": ("attention", "last")}),
        (reviews(20), {"units": "spellings", "linear": "never"}),
        (names(20), {"bidirectional": False, "pooling": ("max",)}),
        (waves(20), {"cell": "lru_block"}),
        (topics(30), {"vocabulary": 9}),
    ]
    return tuple(
        fitted(ostinato.Classifier(**(SIZES | {"steps": 1} | options)).fit(*data, quiet=True), data[0][:3])
        for data, options in made
    )


def classifier(content: bytes) -> None:
    """Bytes that are taken for the document of a classifier's file, whose tensors and digest are in order."""

    def use(model: ostinato.Classifier, data: object) -> None:
        model.summary()
        model.metadata()
        model.predict(data)
        model.evaluate(data, ["a", "b", "a"])

    document_of(content, classifiers(), use)


@cache
def taggers() -> tuple[Fitted, ...]:
    """Small taggers: of entities by paths, and of parts of speech word by word."""
    from tests.small_sentences import SIZES, entities, speech

    made: list[tuple[Any, dict[str, object]]] = [
        (entities(20), {}),
        (speech(20), {"paths": False, "features": False, "cell": "gru", "num_layers": 2}),
    ]
    return tuple(
        fitted(ostinato.Tagger(**(SIZES | {"steps": 1} | options)).fit(*data, quiet=True), [*data[0][:3], []])
        for data, options in made
    )


def tagger(content: bytes) -> None:
    """Bytes that are taken for the document of a tagger's file, whose tensors and digest are in order."""

    def use(model: ostinato.Tagger, data: Any) -> None:
        model.summary()
        model.predict_proba(data)
        model.evaluate(data, [["O"] * len(sentence) for sentence in data])

    document_of(content, taggers(), use)
