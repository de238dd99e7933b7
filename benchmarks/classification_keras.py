"""A classifier of reviews in Keras 3, as a good script has it; the backend is what KERAS_BACKEND says."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from .classification_script import Array, Encoded, Setting, by_length, drawn, padded

MULTIPLE = 50
"""Texts are padded to a multiple of so many words: what compiles a model does so anew for each shape."""


class KerasClassifier:
    """Trains a model and predicts with it.

    masked: whether the layer passes over what pads a text. Without, its second direction begins with that, which lets
    some backends use one operation for the whole layer, and is not quite the same model.
    """

    def __init__(self, setting: Setting, symbols: int, masked: bool = True) -> None:
        keras.utils.set_random_seed(setting.seed)
        self.setting = setting
        ids = keras.Input((None,), dtype="int32")
        started = keras.initializers.RandomNormal(stddev=setting.embedding_deviation)
        # One more symbol, since 0 is what pads.
        x = layers.Embedding(symbols + 1, setting.embedding_size, embeddings_initializer=started, mask_zero=masked)(ids)
        layer = {"lstm": layers.LSTM, "gru": layers.GRU}[setting.kind]
        y = layers.Bidirectional(layer(setting.hidden_size, return_sequences=True))(x)
        is_there = ops.expand_dims(ops.not_equal(ids, 0), -1)
        pooled = [_pooled(name, y, is_there) for name in setting.pooling]
        pooled = layers.Dropout(setting.dropout)(ops.concatenate(pooled, axis=-1))
        self.model = keras.Model(ids, layers.Dense(2)(pooled))

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return int(self.model.count_params())

    def fit(self, train: Encoded, valid: Encoded) -> None:
        """Train for as many epochs as are set, and go on with the weights of the least held-out loss."""
        setting = self.setting
        batches = Shuffled(train, setting)
        rate = keras.optimizers.schedules.PolynomialDecay(
            setting.learning_rate, setting.epochs * len(batches), end_learning_rate=0.0
        )
        optimiser = keras.optimizers.AdamW(
            rate,
            weight_decay=setting.decay,
            beta_1=setting.betas[0],
            beta_2=setting.betas[1],
            global_clipnorm=setting.clip_norm,
        )
        self.model.compile(optimiser, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        # What never waits to the end stops nothing, and puts the best weights back.
        best = keras.callbacks.EarlyStopping(patience=setting.epochs, restore_best_weights=True)
        held_out = Batches(valid, _widest_first(valid, by_length(valid.lengths, setting.judged_size)))
        self.model.fit(batches, validation_data=held_out, epochs=setting.epochs, callbacks=[best], verbose=0)

    def predict(self, rows: list[Array]) -> Array:
        """Return the likelier class of each text [S]."""
        texts = Encoded(rows, np.zeros(len(rows), np.int64))
        order = _widest_first(texts, by_length(texts.lengths, self.setting.judged_size))
        found = np.empty(len(rows), np.int64)
        found[np.concatenate(order)] = self.model.predict(Batches(texts, order), verbose=0).argmax(axis=1)
        return found


class Batches(keras.utils.PyDataset):
    """Texts in batches, each a list of numbers of texts."""

    def __init__(self, examples: Encoded, batches: list[Array]) -> None:
        super().__init__()
        self.examples, self.batches = examples, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, place: int) -> tuple[Array, Array]:
        numbers = self.batches[place]
        ids, _ = padded([self.examples.rows[number] for number in numbers], MULTIPLE, first=1)
        return ids, self.examples.labels[numbers]


class Shuffled(Batches):
    """Texts in batches to learn from, others in each epoch.

    A last batch with fewer texts would be compiled by itself: it is left out, and so a few texts are, each time others.
    """

    def __init__(self, examples: Encoded, setting: Setting) -> None:
        self.setting, self.random = setting, np.random.default_rng(setting.seed)
        super().__init__(examples, [])
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        size = min(self.setting.batch_size, len(self.examples.rows))
        batches = drawn(self.examples.lengths, size, self.random)
        self.batches = _widest_first(self.examples, [numbers for numbers in batches if len(numbers) == size])


def _pooled(name: str, y: Any, is_there: Any) -> Any:
    """Return the largest or the mean of [B, T, 2 H] over the words that are there."""
    if name == "max":
        return ops.max(ops.where(is_there, y, -1e9), axis=1)
    counts = ops.cast(is_there, "float32")
    return ops.sum(y * counts, axis=1) / ops.sum(counts, axis=1)


def _widest_first(examples: Encoded, batches: list[Array]) -> list[Array]:
    """Return batches with the longest text in the first and the shortest in the second.

    Keras on TensorFlow takes the shape of the first two batches for that of all, unless they differ.
    """
    lengths = examples.lengths
    widths = [lengths[numbers].max() for numbers in batches]
    widest = int(np.argmax(widths))
    others = sorted((place for place in range(len(batches)) if place != widest), key=lambda place: widths[place])
    # All but the narrowest stay in their order.
    return [batches[place] for place in (widest, *others[:1], *sorted(others[1:]))]
