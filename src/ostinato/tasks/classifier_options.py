"""The options of a classifier, and the sizes that suit the examples when they are not given."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ..data.labelled_series import SeriesLayout
from ..data.text_tables import TextLayout
from ..errors import OptionError, closest
from ..label_architecture import Pooling
from .label_options import ClassWeighting, LabelOptions, Names
from .options import Count, NotNegative, Positive, says

Kind = Literal["text", "series"]
UnitKind = Literal["words", "characters", "spellings", "pieces"]
SHORT_TEXT = 40
"""Texts of up to so many characters on average are read character by character."""


class ClassifierOptions(LabelOptions, frozen=True, kw_only=True):
    """What is classified, and how the classifier is built and trained."""

    text: Annotated[str | None, says("the column of texts, by name or number from 1, by default text or the like")] = (
        None
    )
    label: Annotated[
        str | None, says("the column of labels, by name or number from 1, by default label or the like")
    ] = None
    header: Annotated[bool | None, says("whether the first row of a table names the columns, by default it does")] = (
        None
    )
    delimiter: Annotated[str | None, says("the character between cells, by default what the kind of file has")] = None
    quotes: Annotated[bool | None, says('whether " opens and closes a cell, by default in .csv files')] = None
    separator: Annotated[str | None, says("what stands between several labels in one cell")] = None
    part: Annotated[str | None, says("the part of a folder of parts, by default train")] = None
    kind: Annotated[Kind | None, says("what the examples are, by default what the data looks like")] = None
    series: Annotated[str | None, says("of a long table the column that names the series, by default series")] = None
    time_column: Annotated[str | None, says("of a long table the column of times, by default time")] = None
    values: Annotated[Names, says("of a long table the columns of values, by default all others of numbers")] = ()
    changes: Annotated[
        bool | None,
        says("whether the change of a value from the step before is an input, by default where few series are known"),
    ] = None
    noise: Annotated[
        NotNegative | None,
        says(
            "the deviation of the noise added in training to series, in deviations, by default 0.3 where few are known"
        ),
    ] = None
    class_weights: Annotated[
        ClassWeighting, says("how much an example counts: all alike, or so that all classes count alike")
    ] = "none"
    units: Annotated[
        UnitKind | None, says("what a text is cut into, by default words, and characters where texts are short")
    ] = None
    max_length: Annotated[
        Count, says("the units of a text that are read: of a longer one the beginning and the end")
    ] = 2000
    pretrain: Annotated[
        Names, says("files of text without labels that is read first: the classifier begins with what that teaches")
    ] = ()
    pretrain_epochs: Annotated[
        Positive | None, says("the passes over the text that is read first, by default from the time")
    ] = None
    bidirectional: Annotated[bool | None, says("whether sequences are read in both directions")] = None
    pooling: Annotated[
        Names, says("what the sequence comes to: last, mean, max, attention, or several, by default from the data")
    ] = ()
    linear: Annotated[
        Literal["auto", "never"],
        says("whether a logistic regression stands beside the network, as the held-out examples say"),
    ] = "auto"

    def check(self) -> None:
        """Raise OptionError where options contradict each other."""
        super().check()
        for name in self.pooling:
            if name not in get_args(Pooling):
                raise OptionError(f"there is no pooling {name!r}.", closest(name, get_args(Pooling)))
        if len(set(self.pooling)) < len(self.pooling):
            raise OptionError("a pooling is named twice.", "name each once: --pooling mean,max")
        if self.pretrain_epochs is not None and not self.pretrain:
            raise OptionError("--pretrain-epochs is for texts to read first.", "name them: --pretrain FILES")
        if self.pretrain and self.units == "spellings":
            raise OptionError(
                "words with their characters cannot be read first.", "use --units words, or no --pretrain."
            )
        if self.pretrain and self.vectors is not None:
            raise OptionError("--pretrain and --vectors both say what embeddings start at.", "give one of them.")
        if self.vectors is not None and self.units not in (None, "words", "spellings"):
            raise OptionError(f"vectors are of words, but units are {self.units}.", "leave out --vectors, or --units.")


def text_layout(options: ClassifierOptions) -> TextLayout:
    """Return what the options say about texts."""
    return TextLayout(
        text=options.text,
        label=options.label,
        header=options.header,
        delimiter=options.delimiter,
        quotes=options.quotes,
        separator=options.separator,
        encoding=options.encoding,
        part=options.part,
    )


def series_layout(options: ClassifierOptions) -> SeriesLayout:
    """Return what the options say about series."""
    return SeriesLayout(
        series=options.series,
        time=options.time_column,
        values=list(options.values) or None,
        label=options.label,
        separator=options.separator,
    )
