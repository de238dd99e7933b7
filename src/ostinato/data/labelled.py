"""From whatever holds labelled sequences to examples: files, folders, frames, lists or arrays."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ..errors import DataError, OptionError, ShapeError
from .conll import TagLayout, read_conll
from .decoded import STANDARD_INPUT, suffix_of, title_of
from .examples import SeriesExamples, TaggedSentences, TextExamples, series_of_arrays
from .folders import is_folder
from .labelled_series import SeriesLayout, read_long_table, series_of_frame, series_of_sheet
from .labels import Labels, label_text, labels_given
from .npz import read_npz
from .panel import starts_of
from .places import counted, joined_places
from .tables import bounded, sheet_of_text
from .text import opened
from .text_folders import read_text_folder
from .text_tables import TextLayout, check_layout, read_text_table, texts_of_frame
from .uea import parse_ts, read_ts

Examples = TypeVar("Examples", TextExamples, SeriesExamples, TaggedSentences)
Labelled = TypeVar("Labelled", TextExamples, SeriesExamples)


def text_examples(
    data: Any, layout: TextLayout | None = None, labels: Any = None, labelled: bool | None = None
) -> TextExamples:
    """Return texts, with their labels where they have some.

    data: a Path of a table (see `text_tables`) or of a folder (see `text_folders`), or several, read one after the
    other; a frame; a list of texts, or one text. labels: of texts that are no file's, one each (see `labels_given`);
    they count in place of those that a frame has.
    labelled: whether labels are needed (True), are no matter (False), or are read where there are some (None).

    Raises DataError for what cannot be used, OptionError for a layout that contradicts itself or labels beside files,
    ShapeError for labels of another number, MissingExtraError where a file or a frame needs the extra `tables`.
    """
    layout = layout or TextLayout()
    check_layout(layout)
    files = _paths(data, (os.PathLike,))
    if files is not None:
        _refuse_labels(labels)
        return _joined_texts(_each(files, lambda file: _texts_of_path(file, layout, labelled), labelled))
    if isinstance(data, str):
        data = [data]
    if _is_list(data):
        texts = _texts(data)
        examples = TextExamples(texts, None, counted("text", len(texts)))
    else:
        examples = texts_of_frame(data, layout, labelled if labels is None else False)
    return _labelled(examples, labels, layout.separator, labelled, "text")


def series_examples(
    data: Any, layout: SeriesLayout | None = None, labels: Any = None, labelled: bool | None = None
) -> SeriesExamples:
    """Return series of numbers, with their labels where they have some.

    data: a path of a `.ts` file (see `uea`), an `.npz` (see `npz`) or a long table (see `labelled_series`), or several,
    read one after the other; ``-``, standard input, which is a long table or as a `.ts` file; a frame, which is a long
    table; an array [S, T, D] or [S, T]; or a list of arrays [T, D] or [T].
    labels, labelled: as for `text_examples`, and so are the errors.
    """
    layout = layout or SeriesLayout()
    files = _paths(data, (str, os.PathLike))
    if files is not None:
        _refuse_labels(labels)
        return _joined_series(_each(files, lambda file: _series_of_path(file, layout, labelled), labelled))
    if isinstance(data, (list, tuple, np.ndarray)):
        examples = series_of_arrays(data)
    else:
        examples = series_of_frame(data, layout, labelled if labels is None else False)
    return _labelled(examples, labels, layout.separator, labelled, "series")


def tagged_sentences(
    data: Any, layout: TagLayout | None = None, tags: Any = None, labelled: bool | None = None
) -> TaggedSentences:
    """Return sentences, with a tag for each word where they have some.

    data: a Path of a file of words (see `conll`), or several, read one after the other; or a list of sentences, each a
    list of words. tags: of sentences that are no file's, a list for each. labelled: as for `text_examples`, and so are
    the errors.
    """
    files = _paths(data, (os.PathLike,))
    if files is not None:
        _refuse_labels(tags)
        return _joined_sentences(_each(files, lambda file: read_conll(file, layout or TagLayout(), labelled), labelled))
    words = _sentences(data)
    if labelled and tags is None:
        raise DataError("the sentences have no tags.", "give a list of tags for each.")
    found = None if tags is None or labelled is False else _tags(tags, words)
    return TaggedSentences(words, found, counted("sentence", len(words)))


# ---- paths


def _paths(data: Any, kinds: tuple[type, ...]) -> list[str] | None:
    """Return the paths that data are, None where they are none; in a list each is a path or none is."""
    items = list(data) if isinstance(data, (list, tuple)) else [data]
    are_paths = [isinstance(item, kinds) for item in items]
    if not any(are_paths):
        return None
    if not all(are_paths):
        odd, others = are_paths.index(False), "texts or paths" if str in kinds else "paths"
        raise OptionError(
            f"item {odd:,} (from 0) of the list is {type(items[odd]).__name__}, and others are {others}.",
            "give strings alone, or paths alone; a text that is missing is an empty string.",
        )
    return [os.fspath(item) for item in items]


def _refuse_labels(labels: Any) -> None:
    if labels is not None:
        raise OptionError("labels were given beside files.", "files bring their own; name the column that has them.")


def _each(files: Sequence[str], read: Callable[[str], Examples], labelled: bool | None) -> list[Examples]:
    """Read files; raise DataError where one has no labels and others have some, or labels are needed."""
    parts = [read(file) for file in files]
    has_labels = [_answers(part) is not None for part in parts]
    if not all(has_labels) and (labelled or any(has_labels)):
        without = title_of(files[has_labels.index(False)])
        others = ", and others do" if any(has_labels) else ""
        raise DataError(f"{without} has no labels{others}.", "give a file that has labels, and say where they are.")
    return parts


def _answers(part: TextExamples | SeriesExamples | TaggedSentences) -> object:
    return part.tags if isinstance(part, TaggedSentences) else part.labels


def _texts_of_path(file: str, layout: TextLayout, labelled: bool | None) -> TextExamples:
    if is_folder(file):
        return read_text_folder(file, layout, labelled)
    if layout.part is not None:
        raise OptionError(f"{title_of(file)} is no folder, and has no part {layout.part!r}.", "leave --part out.")
    return read_text_table(file, layout, labelled)


def _series_of_path(file: str, layout: SeriesLayout, labelled: bool | None) -> SeriesExamples:
    if file == STANDARD_INPUT:
        return _series_of_stream(layout, labelled)
    if suffix_of(file) == ".npz":
        return read_npz(file, labelled)
    if suffix_of(file) == ".ts":
        return read_ts(file, labelled)
    return read_long_table(file, layout, labelled)


def _series_of_stream(layout: SeriesLayout, labelled: bool | None) -> SeriesExamples:
    """Return the series of standard input: `.ts`, whose header is plain to see, or else a long table."""
    title = title_of(STANDARD_INPUT)
    with opened(STANDARD_INPUT) as stream:
        content = bounded(stream, title)
    if content.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"#", b"@")):
        return parse_ts(content, title, labelled)
    return series_of_sheet(sheet_of_text(content, title), layout, labelled)


# ---- several files as one


def _joined_texts(parts: Sequence[TextExamples]) -> TextExamples:
    texts = [text for part in parts for text in part.texts]
    return TextExamples(texts, _joined_labels(parts), joined_places(part.places for part in parts), _remarks(parts))


def _joined_series(parts: Sequence[SeriesExamples]) -> SeriesExamples:
    first = parts[0]
    for part in parts[1:]:
        if part.channels != first.channels:
            raise DataError(
                f"{part.places.titles[0]} has the channels {', '.join(part.channels)}, "
                f"and {first.places.titles[0]} has {', '.join(first.channels)}.",
                "give files of the same channels.",
            )
    ids = None if any(part.ids is None for part in parts) else [name for part in parts for name in part.ids or ()]
    return SeriesExamples(
        np.concatenate([part.values for part in parts]),
        starts_of(np.concatenate([part.lengths for part in parts])),
        _joined_labels(parts),
        first.channels,
        joined_places(part.places for part in parts),
        ids,
        _remarks(parts),
    )


def _joined_sentences(parts: Sequence[TaggedSentences]) -> TaggedSentences:
    named = any(part.ids is not None for part in parts)
    kinds = dict.fromkeys(kind for part in parts for kind in part.left_out)
    return TaggedSentences(
        [sentence for part in parts for sentence in part.words],
        None if parts[0].tags is None else [tags for part in parts for tags in part.tags or ()],
        joined_places(part.places for part in parts),
        [name for part in parts for name in part.ids or [""] * len(part)] if named else None,
        {kind: sum(part.left_out.get(kind, 0) for part in parts) for kind in kinds},
        _remarks(parts),
    )


def _joined_labels(parts: Sequence[TextExamples] | Sequence[SeriesExamples]) -> Labels | None:
    """Return the labels of all parts; where one part has several for an example, those of all are lists."""
    if parts[0].labels is None:
        return None
    joined = [label for part in parts for label in part.labels or ()]
    if any(isinstance(label, list) for label in joined):
        return [label if isinstance(label, list) else [label] for label in joined]
    return [label for label in joined if isinstance(label, str)]


def _remarks(parts: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(remark for part in parts for remark in part.remarks))


# ---- what is no file's


def _is_list(data: Any) -> bool:
    return isinstance(data, (list, tuple)) or (isinstance(data, np.ndarray) and data.dtype.kind in "UO")


def _texts(data: Sequence[Any]) -> list[str]:
    texts = [str(text) if isinstance(text, str) else text for text in data]
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {number:,} (from 0): {type(text).__name__} is no text.", "give a list of strings.")
    if not texts:
        raise DataError("there are no texts.", "give a list of strings with some in it.")
    return texts


def _labelled(examples: Labelled, labels: Any, separator: str | None, labelled: bool | None, what: str) -> Labelled:
    """Return the examples with the labels that were given for them."""
    if labels is not None and labelled is not False:
        examples = replace(examples, labels=labels_given(labels, examples.places, separator, what))
    if labelled and examples.labels is None:
        raise DataError("the examples have no labels.", "give a list with a label for each.")
    return examples


def _sentences(data: Any) -> list[list[str]]:
    if not isinstance(data, (list, tuple)) or any(isinstance(item, str) for item in data):
        got = "a list of texts" if isinstance(data, (list, tuple)) else type(data).__name__
        raise DataError(
            f"expected a list of sentences, each a list of words, got {got}.",
            "give a file as a Path, and one sentence as a list of one: [['the', 'dog']].",
        )
    if not data:
        raise DataError("there are no sentences.", "give a list of lists of words.")
    words = [list(item) if hasattr(item, "__iter__") else [item] for item in data]
    for number, sentence in enumerate(words):
        wrong = next((word for word in sentence if not isinstance(word, str)), None)
        if wrong is not None:
            fact = f"sentence {number:,} (from 0): {type(wrong).__name__} is no word."
            raise DataError(fact, "give lists of strings.")
    return [[str(word) for word in sentence] for sentence in words]


def _tags(tags: Any, words: list[list[str]]) -> list[list[str]]:
    if isinstance(tags, str) or not hasattr(tags, "__len__") or len(tags) != len(words):
        got = f"{len(tags):,}" if hasattr(tags, "__len__") else type(tags).__name__
        raise ShapeError(f"expected {len(words):,} lists of tags, one for each sentence, got {got}.")
    found = []
    for number, (given, sentence) in enumerate(zip(tags, words, strict=True)):
        texts = [] if isinstance(given, str) or not hasattr(given, "__iter__") else [label_text(tag) for tag in given]
        if len(texts) != len(sentence):
            raise ShapeError(
                f"sentence {number:,} (from 0) has {len(sentence):,} words and {len(texts):,} tags.",
                "give a list with a tag for each word.",
            )
        known = [tag for tag in texts if tag is not None]
        if len(known) < len(texts):
            raise DataError(f"sentence {number:,} (from 0): tag {texts.index(None):,} is missing.", "tag every word.")
        found.append(known)
    return found
