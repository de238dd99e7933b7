"""What a tagger is fitted with: the tags, the split, the encoder, and the sizes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import cells
from ..architecture import EmbeddingArchitecture
from ..cells import Cell
from ..data.classes import Classes, held_out
from ..data.examples import TaggedSentences
from ..data.places import Places, joined_places
from ..data.spellings import SpellingEncoder
from ..data.tag_schemes import Scheme, find_scheme
from ..data.tag_sequences import SentenceEncoder, TagNumbers, WordSequences
from ..data.vectors import Vectors
from ..data.word_features import WordFeatures
from ..errors import DataError
from ..label_architecture import LabelArchitecture, SpellingArchitecture
from ..tag_architecture import TagArchitecture
from .start_vectors import with_vectors
from .tagger_options import Extent, TaggerOptions, buckets_of, sized

Numbers = NDArray[np.int64]
MOST_WORDS = 30_000
"""Words that have an embedding of their own, unless the options say so."""
CHARACTER_SIZE, CHARACTER_UNITS = 32, 50
"""The embedding of a character, and the units of each direction of what reads the characters of a word."""


@dataclass(frozen=True)
class Sentences:
    """What a network learns from: encoded sentences with their tags, those to learn from and to judge by, by number.

    digest: of it all. places: of the sentences.
    """

    words: WordSequences
    tags: TagNumbers
    train: Numbers
    valid: Numbers
    digest: str
    places: Places


@dataclass(frozen=True)
class Prepared:
    """Sentences, ready for a network to learn from.

    options: with every size set. examples: all of them. vectors: what the embeddings of words begin at, if from a file.
    """

    options: TaggerOptions
    tags: Classes
    scheme: Scheme
    encoder: SentenceEncoder
    architecture: TagArchitecture
    examples: TaggedSentences
    material: Sentences
    vectors: Vectors | None


def prepare(
    examples: TaggedSentences, valid: TaggedSentences | None, options: TaggerOptions, cell: Cell | None, report: Any
) -> Prepared:
    """Find the tags, split the sentences, fit the encoder, and choose sizes.

    valid: sentences to judge by; None: a part of the others.

    Raises DataError where there is one tag, nothing to judge by, or nothing to learn from.
    """
    count = len(examples)
    examples = examples if valid is None else _joined(examples, valid)
    tags = _tags_of(examples)
    if valid is None:
        train, judged = held_out(np.zeros(count, np.int64), options.valid_fraction or 0.1, options.seed)
    else:
        train, judged = np.arange(count), np.arange(count, len(examples))
    report.say(f"{len(train):,} sentences to learn from, {len(judged):,} to judge by")
    scheme = find_scheme(tags.names, examples.tags or [])
    learned = examples.select(train)
    lengths = np.array([len(words) for words in learned.words])
    extent = Extent(len(train), int(lengths.sum()), int(lengths.max(initial=0)), len(tags))
    encoder = encoder_of(learned, options, extent)
    options, vectors = with_vectors(options, encoder.spellings.words, report)
    options = sized(options, extent)
    architecture = architecture_of(cell or cells.find(options.cell or "lstm"), options, encoder, len(tags))
    for line in _told(scheme, architecture):
        report.say(line)
    words = encoder.encode(examples.words)
    if not words.lengths[judged].any():
        raise DataError("the sentences to judge by hold no word.", "give some, or a larger --valid-fraction.")
    numbers = numbers_of(tags, examples)
    digest = _digest(encoder, words, numbers, train, tags, vectors)
    sentences = Sentences(words, numbers, train, judged, digest, examples.places)
    return Prepared(options, tags, scheme, encoder, architecture, examples, sentences, vectors)


def encoder_of(examples: TaggedSentences, options: TaggerOptions, extent: Extent) -> SentenceEncoder:
    """Return an encoder fitted on training sentences. Raises DataError where they hold no word."""
    spellings = SpellingEncoder.fit(
        examples.words, most=options.vocabulary or MOST_WORDS, lower=options.lower is not False
    )
    buckets = buckets_of(options, extent)
    return SentenceEncoder(spellings, WordFeatures(buckets) if buckets else None)


def architecture_of(cell: Cell, options: TaggerOptions, encoder: SentenceEncoder, tags: int) -> TagArchitecture:
    """Return what suits the options. Raises ShapeError."""
    words, characters = encoder.spellings.words, encoder.spellings.characters
    network = LabelArchitecture(
        cell,
        options.hidden_size or 1,
        tags,
        options.num_layers or 1,
        bidirectional=True,
        embedding=EmbeddingArchitecture(words.size, options.embedding_size or 1),
        spelling=SpellingArchitecture(characters.size, CHARACTER_SIZE, CHARACTER_UNITS),
    )
    return TagArchitecture(network, 0 if encoder.features is None else encoder.features.buckets, bool(options.paths))


def numbers_of(tags: Classes, examples: TaggedSentences) -> TagNumbers:
    """Return the tags of all words as numbers; those that the model does not know have numbers from O on."""
    given = examples.tags or []
    starts = np.cumsum([0, *map(len, given)], dtype=np.int64)
    return TagNumbers(tags.numbers([tag for sentence in given for tag in sentence]).numbers, starts)


def _tags_of(examples: TaggedSentences) -> Classes:
    """Return the tags of sentences to learn from and to judge by; those that only the latter have are not learned."""
    every = [tag for sentence in examples.tags or [] for tag in sentence]
    if not every:
        raise DataError("the sentences hold no word to learn from.", "give sentences with words and tags.")
    if len(set(every)) == 1:
        raise DataError(f"every word is tagged {every[0]!r}.", "check the column of tags, and name it with --tag.")
    return Classes.of(every)


def _joined(first: TaggedSentences, second: TaggedSentences) -> TaggedSentences:
    return TaggedSentences(
        [*first.words, *second.words],
        [*(first.tags or []), *(second.tags or [])],
        joined_places([first.places, second.places]),
    )


def _told(scheme: Scheme, architecture: TagArchitecture) -> list[str]:
    """Return what was found of the tags, for a person."""
    if scheme.name is None:
        return []
    broken = f", which {scheme.broken:,} transitions break" if scheme.broken else ""
    held = "; other transitions are impossible" if architecture.crf else ""
    return [f"tags mark entities by the scheme {scheme.name}{broken}{held}"]


def _digest(
    encoder: SentenceEncoder,
    words: WordSequences,
    tags: TagNumbers,
    train: Numbers,
    names: Classes,
    vectors: Vectors | None,
) -> str:
    """Return a digest of all that is learned from."""
    digest = hashlib.sha256(msgspec.json.encode([*encoder, names]))
    features = np.empty(0) if words.features is None else words.features
    started = np.empty(0) if vectors is None else vectors.matrix
    for part in (words.words.content, words.lengths, features, tags.tags, train, started):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
