"""What a classifier is fitted with: the classes, the encoder, the split, the sizes, and the linear part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import cells
from ..architecture import EmbeddingArchitecture
from ..cells import Cell
from ..data.classes import Classes, held_out, shares_of
from ..data.examples import SeriesExamples, TextExamples
from ..data.labelled import text_examples
from ..data.places import Places, joined_places
from ..data.sequences import Sequences, SpelledSequences, UnitSequences, shortened
from ..data.series_encoder import SeriesEncoder, arranged
from ..data.spellings import SpellingEncoder
from ..data.text_encoder import ENCODERS, TextEncoder
from ..data.units import Units
from ..data.vectors import Vectors
from ..data.words import WordEncoder
from ..errors import DataError, MissingExtraError, OptionError
from ..evaluate.logistic import LinearPart
from ..evaluate.series_baselines import SummaryLogistic
from ..evaluate.text_baselines import TextLogistic
from ..evaluate.windows import Rows
from ..label_architecture import LabelArchitecture, SpellingArchitecture
from .classifier_data import Examples
from .classifier_options import SHORT_TEXT, ClassifierOptions, UnitKind, text_layout
from .classifier_sizes import FEW_SERIES, Extent, held_out_share, sized, vocabulary_of
from .start_vectors import with_vectors

Array = NDArray[Any]
Numbers = NDArray[np.int64]
Encoder = TextEncoder | SeriesEncoder
READING = "classify, reading"
"""The stage that comes before, where there are texts without labels to read first."""
CHARACTERS_OF_SPELLING = 32, 32
"""The embedding of a character, and the units of a direction, of what reads the characters of a word."""


@dataclass(frozen=True)
class Material:
    """What a network learns from: encoded examples with their truth, those to learn from and to judge by, by number.

    shares: how frequent each class is [K], where all are to count alike, or None. digest: of it all. places: of the
    examples.
    """

    sequences: Sequences
    truth: Array
    train: Numbers
    valid: Numbers
    shares: Array | None
    digest: str
    places: Places


@dataclass(frozen=True)
class Prepared:
    """Examples, ready for a network to learn from.

    options: with every size set. examples: all of them. vectors: what embeddings start at, where a file says so.
    reading: texts without labels to read first, as units, where there are some.
    """

    options: ClassifierOptions
    extent: Extent
    classes: Classes
    encoder: Encoder
    architecture: LabelArchitecture
    examples: Examples
    material: Material
    vectors: Vectors | None = None
    reading: Units | None = None


def prepare(
    examples: Examples, valid: Examples | None, options: ClassifierOptions, cell: Cell | None, report: Any
) -> Prepared:
    """Find the classes, split the examples, fit the encoder, and choose sizes.

    valid: examples to judge by; None: a part of the others.

    Raises DataError where there is one class, nothing to judge by, or nothing to learn from.
    """
    assert examples.labels is not None
    classes = Classes.of(examples.labels)
    truth = classes.known(examples.labels, examples.places)
    if valid is None:
        train, judged = held_out(truth, held_out_share(options, len(truth)), options.seed)
    else:
        assert valid.labels is not None
        truth = np.concatenate([truth, classes.known(valid.labels, valid.places)])
        train, judged = np.arange(len(examples)), np.arange(len(examples), len(truth))
        examples = _joined(examples, valid)
    report.say(f"{len(train):,} examples to learn from, {len(judged):,} to judge by")
    unlabelled = _unlabelled(options)
    encoder = encoder_of(examples.select(train), options, unlabelled)
    whole = encoded(encoder, examples)
    sequences = shortened(whole, options.max_length)
    cut = int((whole.lengths != sequences.lengths).sum())
    if cut:
        report.say(f"texts of more than {options.max_length:,} units, of which the two ends are read: {cut:,}")
    lengths = sequences.lengths
    channels = len(encoder.channels) if isinstance(encoder, SeriesEncoder) else 0
    extent = Extent(
        len(train), int(lengths.max(initial=0)), int(lengths[train].sum()), len(classes), _units(encoder), channels
    )
    words, vectors = _words(encoder), None
    if isinstance(words, WordEncoder):
        options, vectors = with_vectors(options, words, report)
    options = sized(options, extent)
    architecture = architecture_of(cell or cells.find(options.cell or "gru"), options, encoder, len(classes))
    shares = shares_of(truth[train], len(classes)) if options.class_weights == "balanced" else None
    reading = None
    if unlabelled:
        assert not isinstance(encoder, (SeriesEncoder, SpellingEncoder))
        reading = encoder.encode(unlabelled)
        report.say(f"{len(unlabelled):,} texts to read first, {len(reading.ids):,} units")
    first = () if reading is None else (reading.ids, reading.starts)
    digest = _digest([encoder, classes], (sequences.content, sequences.lengths, truth, train, *first))
    material = Material(sequences, truth, train, judged, shares, digest, examples.places)
    return Prepared(options, extent, classes, encoder, architecture, examples, material, vectors, reading)


def _unlabelled(options: ClassifierOptions) -> list[str]:
    """Return the texts to read first."""
    if not options.pretrain:
        return []
    return text_examples([Path(file) for file in options.pretrain], text_layout(options), labelled=False).texts


def encoder_of(examples: Examples, options: ClassifierOptions, unlabelled: list[str]) -> Encoder:
    """Return an encoder fitted on training examples, and on texts without labels."""
    if isinstance(examples, SeriesExamples):
        if unlabelled or options.vectors is not None:
            raise OptionError("series of numbers have no words.", "leave out --pretrain and --vectors.")
        are_few = len(examples) < FEW_SERIES
        return SeriesEncoder.fit(examples, are_few if options.changes is None else options.changes)
    if options.noise or options.changes is not None:
        raise OptionError("texts have no values.", "leave out --noise and --changes.")
    mean = sum(map(len, examples.texts)) / max(1, len(examples))
    units: UnitKind = options.units or ("characters" if mean <= SHORT_TEXT and options.vectors is None else "words")
    stated = {} if options.lower is None else {"lower": options.lower}
    kind: Any = ENCODERS[units]
    encoder: Encoder = kind.fit([*examples.texts, *unlabelled], most=vocabulary_of(units, options), **stated)
    return encoder


def _words(encoder: Encoder) -> Any:
    """Return what numbers the units of a text, or the values of a series."""
    return encoder.words if isinstance(encoder, SpellingEncoder) else encoder


def as_learned(encoder: Encoder, examples: Examples) -> Examples:
    """Return examples with channels in the order that was learned. Raises DataError for another number of channels."""
    if isinstance(encoder, SeriesEncoder) and isinstance(examples, SeriesExamples):
        return arranged(examples, encoder.channels)
    return examples


def encoded(encoder: Encoder, examples: Examples) -> Sequences:
    """Return examples as the network reads them. Raises DataError for texts where series are read, or the reverse."""
    if isinstance(encoder, SeriesEncoder) != isinstance(examples, SeriesExamples):
        expected, came = ("series", "texts") if isinstance(encoder, SeriesEncoder) else ("texts", "series")
        raise DataError(f"the model reads {expected}, but {came} came.", "give data of the kind it was trained on.")
    if isinstance(examples, SeriesExamples):
        assert isinstance(encoder, SeriesEncoder)
        return encoder.encode(examples)
    assert not isinstance(encoder, SeriesEncoder)
    if isinstance(encoder, SpellingEncoder):
        return SpelledSequences(encoder.encode(examples.texts))
    return UnitSequences(encoder.encode(examples.texts))


def architecture_of(cell: Cell, options: ClassifierOptions, encoder: Encoder, classes: int) -> LabelArchitecture:
    """Return what suits the options. Raises ShapeError, and OptionError for layers that would not fit together."""
    if cell.program.reads_raw_input and options.bidirectional and (options.num_layers or 1) > 1:
        raise OptionError(
            f"a layer of {cell.name} is as wide as what it reads, so that none can read what goes both ways.",
            "use --no-bidirectional, or one layer.",
        )
    embedding, spelling, reads = None, None, 0
    if isinstance(encoder, SeriesEncoder):
        reads = encoder.size
    else:
        embedding = EmbeddingArchitecture(_words(encoder).size, options.embedding_size or 1)
    if isinstance(encoder, SpellingEncoder):
        spelling = SpellingArchitecture(encoder.characters.size, *CHARACTERS_OF_SPELLING)
    return LabelArchitecture(
        cell,
        options.hidden_size or 1,
        classes,
        options.num_layers or 1,
        bool(options.bidirectional),
        options.pooling,  # type: ignore[arg-type]
        reads,
        embedding,
        spelling,
    )


# ---- the linear part


def linear_of(examples: Examples, classes: Classes, class_weights: str) -> LinearPart[Any]:
    """Return a linear part to fit: on words and pairs, or characters where texts are short; on statistics of series."""
    weights = None if class_weights == "none" else class_weights
    if isinstance(examples, SeriesExamples):
        return SummaryLogistic(len(classes), class_weights=weights)
    mean = sum(map(len, examples.texts)) / max(1, len(examples))
    return TextLogistic(len(classes), "characters" if mean <= SHORT_TEXT else "words", class_weights=weights)


def linear_inputs(examples: Examples) -> Any:
    """Return examples as a linear part takes them."""
    return Rows(examples.values, examples.starts) if isinstance(examples, SeriesExamples) else examples.texts


def fitted_linear(prepared: Prepared, numbers: Numbers, report: Any) -> LinearPart[Any] | None:
    """Return the linear part, fitted on some examples; None where it is not wanted or cannot be had."""
    if prepared.options.linear == "never":
        return None
    examples = prepared.examples.select(numbers)
    part = linear_of(examples, prepared.classes, prepared.options.class_weights)
    try:
        return part.fit(linear_inputs(examples), prepared.material.truth[numbers])
    except MissingExtraError as error:
        report.say(f"no linear part: {error.message}")
        return None


# ---- parts


def _units(encoder: Encoder) -> UnitKind | None:
    kinds: Any = {kind: name for name, kind in ENCODERS.items()}
    found: UnitKind | None = kinds.get(type(encoder))
    return found


def _joined(first: Examples, second: Examples) -> Examples:
    places = joined_places([first.places, second.places])
    labels: Any = None if first.labels is None or second.labels is None else [*first.labels, *second.labels]
    if isinstance(first, TextExamples) and isinstance(second, TextExamples):
        return TextExamples([*first.texts, *second.texts], labels, places)
    if isinstance(first, SeriesExamples) and isinstance(second, SeriesExamples):
        starts = np.concatenate([first.starts, second.starts[1:] + first.starts[-1]])
        values = np.concatenate([first.values, arranged(second, first.channels).values])
        return SeriesExamples(values, starts, labels, first.channels, places)
    raise DataError(
        "the training examples are texts and those to judge by are series, or the reverse.", "give the same."
    )


def _digest(document: Any, arrays: Iterable[Array]) -> str:
    """Return a digest of all that is learned from."""
    digest = hashlib.sha256(msgspec.json.encode(document))
    for part in arrays:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
