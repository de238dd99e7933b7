"""The options that classifiers and taggers share: of the network, and of what it is judged by while it learns."""

from __future__ import annotations

from typing import Annotated, Literal

from .options import Count, Part, Share, says
from .training_options import TrainingOptions

Names = tuple[str, ...]


class LabelOptions(TrainingOptions, frozen=True, kw_only=True):
    """How a network that labels is built. None: chosen from the data and the stated time."""

    cell: Annotated[str | None, says("the recurrence: a name listed by `ostinato cells`, or FILE.py:NAME")] = None
    hidden_size: Annotated[
        Count | None, says("the number of hidden units of a direction, by default from the data", short="--hidden")
    ] = None
    num_layers: Annotated[
        Count | None, says("the number of recurrent layers, by default from the data", short="--layers")
    ] = None
    embedding_size: Annotated[Count | None, says("the width of a unit's embedding, by default from the data")] = None
    vocabulary: Annotated[
        Count | None,
        says("the number of different units that have an embedding of their own, by default by their kind"),
    ] = None
    lower: Annotated[bool | None, says("whether text is lower-cased, by default where units are words")] = None
    vectors: Annotated[
        str | None, says("a text file of vectors, as of GloVe or word2vec, that embeddings start at")
    ] = None
    word_dropout: Annotated[
        Share | None, says("the share of units whose embedding is dropped in training, by default from the data")
    ] = None
    input_dropout: Annotated[
        Share | None,
        says("the share of the features that the network reads dropped in training, the same at all steps"),
    ] = None
    dropout: Annotated[
        Share | None, says("the share of what the last layer reads dropped in training, by default from the data")
    ] = None
    recurrent_dropout: Annotated[Share, says("the share of what enters recurrent matrices dropped in training")] = 0.0
    label_smoothing: Annotated[Share, says("the share of the truth that is spread over all classes in training")] = 0.0
    batch_size: Annotated[Count | None, says("the number of examples in a training step, by default from the data")] = (
        None
    )
    valid_fraction: Annotated[
        Part | None,
        says("the share of the examples that is held out without --valid, by default a tenth, or a fifth of few"),
    ] = None
    encoding: Annotated[str | None, says("the text's encoding, by default UTF-8, or what the file says")] = None


ClassWeighting = Literal["none", "balanced"]
