"""The vectors of a file that the embeddings of words begin at, in any task that reads words."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ..data.vectors import Vectors, read_vectors
from ..data.words import WordEncoder
from ..errors import OptionError
from .label_options import LabelOptions

Options = TypeVar("Options", bound=LabelOptions)


def with_vectors(options: Options, words: WordEncoder, report: Any) -> tuple[Options, Vectors | None]:
    """Return the vectors of a file that the options name, if any, and the options with their width.

    words: the vocabulary. Raises OptionError where another width is asked for, DataError as `read_vectors` does.
    """
    if options.vectors is None:
        return options, None
    vectors = read_vectors(options.vectors, words.words, lower=words.lower)
    width = vectors.matrix.shape[1]
    if options.embedding_size not in (None, width):
        raise OptionError(
            f"embedding_size is {options.embedding_size}, but the vectors of {options.vectors} are {width} wide.",
            "leave it out.",
        )
    report.say(f"vectors: of {int(vectors.found.sum()):,} of the {len(words.words):,} words, {width} wide")
    return msgspec.structs.replace(options, embedding_size=width), vectors
