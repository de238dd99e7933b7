"""Keras 3's files: random models, saved by Keras and run by it, beside what is read of the files."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

import ostinato
from ostinato.errors import DataError, FileFormatError, OptionError
from ostinato.exchange.from_keras.reader import read_keras
from tests.quick import examples

os.environ.setdefault("KERAS_BACKEND", "torch")
h5py = pytest.importorskip("h5py")
keras = pytest.importorskip("keras")
layers = keras.layers
# Keras's own way to NumPy, under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

T, B, D, H, V = 6, 3, 4, 5, 9


def randomised(model, seed=0, scale=0.5):
    """Give each weight of a model a random value; variances stay positive."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if "seed" not in variable.path:
            values = random.normal(size=variable.shape, scale=scale)
            variable.assign(np.abs(values) + 0.1 if "variance" in variable.path else values)
    return model


def sequential(*given, shape=(T, D), dtype="float32"):
    return randomised(keras.Sequential([keras.Input(shape, dtype=dtype), *given]))


def numbers(seed=1, shape=(B, T, D)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def read(model, folder):
    """Save a model and read its file."""
    model.save(folder / "m.keras")
    imported = read_keras(folder / "m.keras")
    return ostinato.Network(imported.architecture, imported.weights), imported.notes


def run(network, x, lengths=None):
    """Run a network over a batch as Keras has it, [B, T, …]."""
    y, _ = network.run(np.swapaxes(x, 0, 1), lengths)
    return np.swapaxes(y, 0, 1) if y.ndim == 3 else y


def keras_output(model, x):
    y = model(x, training=False)
    return (y[0] if isinstance(y, (list, tuple)) else y).detach().cpu().float().numpy()


def assert_near(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def assert_equals_keras(model, folder, x=None):
    x = numbers() if x is None else x
    network, notes = read(model, folder)
    assert_near(run(network, x), keras_output(model, x))
    return network, notes


def test_a_difference_would_be_seen():
    with pytest.raises(AssertionError):
        assert_near(np.ones(3), np.full(3, 1.0001))


# ---- recurrent layers

CELL_FUNCTIONS = ["tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "silu", "softplus", "selu"]


@st.composite
def cells(draw):
    """The kind and the options of a cell."""
    kind = draw(st.sampled_from(["SimpleRNN", "LSTM", "GRU"]))
    options = {
        "units": draw(st.integers(1, 7)),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(CELL_FUNCTIONS)),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid", "tanh", "relu6"]))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    return kind, options


class Form(NamedTuple):
    """A layer that reads sequences: its cells, and how it runs them. backward: the cell of a direction of its own."""

    cells: list
    go_backwards: bool
    merge: str | None
    backward: tuple | None

    def layer(self, sequences):
        how = {"return_sequences": sequences, "go_backwards": self.go_backwards}
        if len(self.cells) > 1:
            made = layers.RNN([getattr(layers, f"{kind}Cell")(**options) for kind, options in self.cells], **how)
        else:
            ((kind, options),) = self.cells
            made = getattr(layers, kind)(**options, **how)
        if self.merge is None:
            return made
        backward = None
        if self.backward is not None:
            kind, options = self.backward
            options = options | {"units": self.cells[-1][1]["units"]}
            backward = getattr(layers, kind)(**options, return_sequences=sequences, go_backwards=True)
        return layers.Bidirectional(made, merge_mode=self.merge, backward_layer=backward)


@st.composite
def forms(draw):
    stacked = draw(st.sampled_from([1, 1, 1, 2, 3]))
    merge = draw(st.sampled_from([None, None, "concat", "sum", "mul", "ave"]))
    return Form(
        draw(st.lists(cells(), min_size=stacked, max_size=stacked)),
        merge is None and draw(st.booleans()),
        merge,
        draw(st.none() | cells()) if merge else None,
    )


@examples(12, 120, st.lists(forms(), min_size=1, max_size=3), st.sampled_from(["softmax", "linear"]))
def test_recurrent_layers_are_kerass(forms, activation):
    *inner, top = forms
    made = [*(form.layer(True) for form in inner), top.layer(False), layers.Dense(3, activation)]
    with tempfile.TemporaryDirectory() as folder:
        # Small weights: what has no bounds grows from step to step, and with it every difference of rounding.
        assert_equals_keras(randomised(sequential(*made), scale=0.25), Path(folder))


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.LSTM(H, return_sequences=True)],
        lambda: [layers.Bidirectional(layers.GRU(H, return_sequences=True))],
        lambda: [layers.Bidirectional(layers.LSTM(H, return_sequences=True, activation="relu"), merge_mode="sum")],
        lambda: [
            layers.GRU(H, return_sequences=True, go_backwards=True),
            layers.LSTM(3, go_backwards=True, return_sequences=True),
        ],
        lambda: [layers.LSTM(H, return_sequences=True, go_backwards=True), layers.GlobalAveragePooling1D()],
        lambda: [layers.LSTM(H, return_sequences=True, unroll=True)],
    ],
)
def test_sequences_are_kerass(made, tmp_path):
    assert_equals_keras(sequential(*made()), tmp_path)


def test_dropout_within_layers_is_told(tmp_path):
    made = [
        layers.Bidirectional(layers.LSTM(H, return_sequences=True, dropout=0.2), name="a"),
        layers.RNN([layers.GRUCell(3), layers.GRUCell(4, recurrent_dropout=0.1)], return_sequences=True, name="b"),
        layers.GRU(H, name="c"),
    ]
    _, notes = assert_equals_keras(sequential(*made), tmp_path)
    assert notes == ("left out, since it acts in training alone: the dropout of a, the dropout of b.",)


def test_two_directions_that_are_alike_are_one_stack(tmp_path):
    network, _ = read(sequential(layers.Bidirectional(layers.LSTM(H, return_sequences=True))), tmp_path)
    assert repr(network) == "Network(lstm, 1 × 5 units, in both directions)"


def test_a_stream_ends_where_the_sequence_does(tmp_path):
    model = sequential(layers.GRU(H, return_sequences=True), layers.LSTM(H), layers.Dense(2, "softmax"))
    network, _ = assert_equals_keras(model, tmp_path)
    stream = network.stream()
    for step in numbers()[0]:
        y = stream.push(step)
    assert_near(y, keras_output(model, numbers())[0])


# ---- padding


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.LSTM(H), layers.Dense(3)],
        lambda: [layers.GRU(H, return_sequences=True), layers.LSTM(H, return_sequences=True), layers.Dense(3, "tanh")],
        lambda: [layers.Bidirectional(layers.LSTM(H, return_sequences=True)), layers.Bidirectional(layers.GRU(H))],
        lambda: [layers.Bidirectional(layers.SimpleRNN(H, return_sequences=True), merge_mode="mul")],
        lambda: [layers.LSTM(H, return_sequences=True), layers.GlobalAveragePooling1D()],
        lambda: [layers.LSTM(H, go_backwards=True)],
    ],
)
@pytest.mark.parametrize("symbols", [False, True])
@pytest.mark.filterwarnings("ignore:Layer .* was passed a mask:UserWarning")
def test_lengths_are_what_masks_are(made, symbols, tmp_path):
    lengths = [T, 1, 4]
    live = np.arange(T) < np.array(lengths)[:, None]
    if symbols:
        model = sequential(layers.Embedding(V, D, mask_zero=True), *made(), shape=(T,), dtype="int32")
        x = np.where(live, np.random.default_rng(0).integers(1, V, (B, T)), 0)
    else:
        model = sequential(layers.Masking(), *made())
        x = numbers() * live[:, :, None]
    network, notes = read(model, tmp_path)
    found, expected = run(network, x, lengths), keras_output(model, x)
    if found.ndim == 3:
        assert not found[~live].any()
        found, expected = found[live], expected[live]
    assert_near(found, expected)
    assert "`lengths` says where padding begins" in notes[0]


def test_a_functional_model_of_symbols_with_a_mask(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    y = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(layers.Embedding(V, D, mask_zero=True)(ids))
    model = randomised(keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(y))))
    network, _ = read(model, tmp_path)
    x = np.array([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0]])
    assert_near(run(network, x, [5, 2]), keras_output(model, x))


def test_a_functional_model_with_a_mask(tmp_path):
    x = keras.Input((None, D))
    y = layers.LSTM(H, return_sequences=True)(layers.Masking(0.5)(x))
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(y)
    y = layers.TimeDistributed(layers.Dense(4, "relu"))(layers.Dropout(0.3)(y))
    model = randomised(keras.Model(x, layers.Dense(2, name="head")(layers.SimpleRNN(3)(y))))
    network, notes = assert_equals_keras(model, tmp_path)
    assert "whose features are all 0.5" in notes[0]
    assert "acts in training alone: dropout" in notes[1]
    given = numbers()
    given[1, 2:] = 0.5
    assert_near(run(network, given, [T, 2, T]), keras_output(model, given))


# ---- layers without memory

FUNCTIONS = [
    *(
        "linear",
        "relu",
        "sigmoid",
        "tanh",
        "softmax",
        "log_softmax",
        "leaky_relu",
        "relu6",
        "hard_sigmoid",
        "hard_tanh",
    ),
    *("elu", "celu", "selu", "softplus", "softsign", "exponential", "silu", "swish", "mish"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activations_are_kerass(function, tmp_path):
    assert_equals_keras(sequential(layers.Dense(11, activation=function)), tmp_path, 3 * numbers())
    assert_equals_keras(sequential(layers.Dense(7), layers.Activation(function)), tmp_path)


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.ReLU(max_value=1.5), layers.Dense(3)],
        lambda: [layers.ReLU(negative_slope=0.3)],
        lambda: [layers.ReLU(threshold=0.4)],
        lambda: [layers.LeakyReLU(negative_slope=0.1), layers.ELU(alpha=0.6), layers.Softmax()],
        lambda: [layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.7))],
        lambda: [layers.Rescaling(0.3, offset=-1.0), layers.Dense(2, use_bias=False)],
        lambda: [layers.LayerNormalization(epsilon=1e-4)],
        lambda: [layers.LayerNormalization(axis=2, center=False), layers.LayerNormalization(scale=False)],
        lambda: [layers.BatchNormalization(), layers.Dense(6), layers.BatchNormalization(scale=False)],
        lambda: [layers.Dense(3, use_bias=False), layers.BatchNormalization(center=False, epsilon=0.02), layers.ReLU()],
        lambda: [layers.GlobalMaxPooling1D(), layers.Flatten(), layers.Reshape((D,)), layers.Dense(3)],
        lambda: [layers.GlobalAveragePooling1D(), layers.BatchNormalization(), layers.Dense(3)],
        lambda: [layers.GaussianNoise(0.1), layers.SpatialDropout1D(0.2), layers.Dense(3), layers.Reshape((T, 3))],
        lambda: [layers.TimeDistributed(layers.LayerNormalization()), layers.TimeDistributed(layers.Activation("elu"))],
        lambda: [
            layers.TimeDistributed(keras.Sequential([layers.Dense(4, "relu"), layers.Dropout(0.1), layers.Dense(2)]))
        ],
        lambda: [
            keras.Sequential([layers.Dense(4), layers.Dense(3)]),
            layers.Dense(2),
            keras.Sequential([layers.LSTM(3)]),
        ],
    ],
)
def test_layers_without_memory_are_kerass(made, tmp_path):
    assert_equals_keras(sequential(*made()), tmp_path)


def test_symbols_are_read(tmp_path):
    ids = np.random.default_rng(0).integers(0, V, (B, T))
    model = randomised(keras.Sequential([layers.Embedding(V, D), layers.GlobalAveragePooling1D(), layers.Dense(2)]))
    model(ids)
    network, notes = assert_equals_keras(randomised(model), tmp_path, ids)
    assert not notes
    assert network.summary()["reads"] == "9 symbols"


def test_many_layers_of_a_class_keep_their_weights(tmp_path):
    assert_equals_keras(sequential(*[layers.Dense(3 + index % 2, "tanh") for index in range(12)]), tmp_path)


def test_models_within_models(tmp_path):
    inner = keras.Sequential([keras.Input((None, D)), layers.Dense(3, "relu"), layers.LSTM(H, return_sequences=True)])
    x = keras.Input((T, D))
    middle = keras.Model(x, layers.Dense(4, "tanh")(inner(x)))
    outer = keras.Input((T, D))
    assert_equals_keras(randomised(keras.Model(outer, layers.Dense(2)(layers.GRU(3)(middle(outer))))), tmp_path)


def test_states_beside_the_output_are_what_run_returns(tmp_path):
    x = keras.Input((T, D))
    y, h, c = layers.LSTM(H, return_sequences=True, return_state=True)(x)
    model = randomised(keras.Model(x, [y, h, c]))
    network, _ = assert_equals_keras(model, tmp_path)
    _, (state,) = network.run(np.swapaxes(numbers(), 0, 1))
    _, *expected = model(numbers())
    for found, wanted in zip(state, expected, strict=True):
        assert_near(found, wanted.detach().numpy())


def test_a_stateful_model_begins_anew(tmp_path):
    model = randomised(keras.Sequential([keras.Input((T, D), batch_size=B), layers.GRU(H, stateful=True)]))
    model(numbers(5))
    network, notes = read(model, tmp_path)
    assert "stateful" in notes[0]
    model.layers[0].reset_state()
    first, second = keras_output(model, numbers()), keras_output(model, numbers(2))
    y, state = network.run(np.swapaxes(numbers(), 0, 1))
    again, _ = network.run(np.swapaxes(numbers(2), 0, 1), state=state)
    assert_near(y, first)
    assert_near(again, second)


@pytest.mark.parametrize(
    ("kind", "bound"), [("float64", 1e-5), ("mixed_float16", 1e-2), ("bfloat16", 5e-2), ("float16", 1e-2)]
)
def test_other_types_become_float32(kind, bound, tmp_path):
    # An orthogonal start is not to be had in half precision.
    lstm = layers.LSTM(H, dtype=kind, recurrent_initializer="glorot_uniform")
    model = sequential(lstm, layers.Dense(3, dtype=kind))
    network, notes = read(model, tmp_path)
    expected = keras_output(model, numbers())
    assert np.abs(run(network, numbers()) - expected.astype(float)).max() <= bound * np.abs(expected).max()
    assert any("half precision" in note for note in notes) == ("float16" in kind)
    assert any(f"from {kind}" in note for note in notes) == (not kind.startswith("mixed"))


def test_a_model_of_vectors_is_told(tmp_path):
    model = sequential(layers.Dense(3, "relu"), layers.Flatten(), layers.Dense(2), shape=(D,))
    network, notes = read(model, tmp_path)
    assert_near(run(network, numbers())[:, 0], keras_output(model, numbers()[:, 0]))
    assert "single vectors" in notes[0]


def test_a_compiled_model_is_read_without_its_optimizer(tmp_path):
    model = sequential(layers.LSTM(H), layers.Dense(1))
    model.compile("adam", "mse")
    model.fit(numbers(), np.zeros((B, 1)), verbose=0)
    assert_equals_keras(model, tmp_path)


# ---- what cannot be imported


def refused(model, folder):
    model.save(folder / "m.keras")
    with pytest.raises(DataError) as caught:
        read_keras(folder / "m.keras")
    return caught.value.message


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: [layers.Conv1D(3, 2), layers.LSTM(2)], "conv1d (Conv1D): a Conv1D has no counterpart here."),
        (
            lambda: [layers.LSTM(2, activation="gelu")],
            "(LSTM): the activation 'gelu' cannot be imported: gelu is the exact",
        ),
        (lambda: [layers.GRU(2, recurrent_activation="softmax")], "(GRU): softmax within a recurrence"),
        (lambda: [layers.LSTM(2, return_sequences=True, go_backwards=True)], "in reverse order of time"),
        (lambda: [layers.Flatten(), layers.Dense(2)], "(Flatten): it makes one vector of a sequence"),
        (lambda: [layers.Embedding(V, D)], "(Embedding): it reads several symbols a step"),
        (lambda: [layers.Reshape((D, T))], "(Reshape): it gives each sequence another shape"),
        (lambda: [layers.LSTM(2), layers.RepeatVector(3)], "(RepeatVector): a RepeatVector has no counterpart"),
        (lambda: [layers.PReLU()], "(PReLU): a PReLU has no counterpart"),
        (lambda: [layers.Softmax(axis=1)], "(Softmax): a softmax is over the features"),
        (lambda: [layers.LayerNormalization(axis=1)], "(LayerNormalization): it normalises over axis"),
        (lambda: [layers.BatchNormalization(axis=1)], "(BatchNormalization): it normalises over axis 1"),
        (lambda: [layers.ReLU(1.0, 0.2, 0.3)], "(ReLU): of a largest value"),
        (lambda: [layers.GlobalMaxPooling1D(keepdims=True)], "(GlobalMaxPooling1D): it pools with"),
        (lambda: [layers.TimeDistributed(layers.PReLU())], "(TimeDistributed): the layer within it, p_re_lu"),
        (lambda: [layers.ConvLSTM1D(2, 1)], "has no counterpart"),
    ],
)
def test_a_layer_that_cannot_be_imported_is_named(made, said, tmp_path):
    given = made()
    shape = (T, D, 1) if isinstance(given[0], layers.ConvLSTM1D) else (T, D)
    assert said in refused(sequential(*given, shape=shape), tmp_path)


def test_a_sequence_of_symbols_is_not_one_vector(tmp_path):
    model = sequential(layers.Embedding(V, D), layers.Flatten(), layers.Dense(2), shape=(T,), dtype="int32")
    assert "(Flatten): it makes one vector of a sequence" in refused(model, tmp_path)
    model = sequential(layers.Embedding(V, D), layers.Reshape((T, D)), layers.LSTM(2), shape=(T,), dtype="int32")
    assert_equals_keras(model, tmp_path, np.random.default_rng(0).integers(0, V, (B, T)))


def test_a_mask_that_keras_loses_is_told(tmp_path):
    back = layers.LSTM(H, return_sequences=True, go_backwards=True)
    _, notes = assert_equals_keras(sequential(layers.Masking(), back, layers.GRU(3)), tmp_path)
    assert "Keras leaves its mask as it was" in notes[1]


def test_all_layers_that_cannot_be_imported_are_named_at_once(tmp_path):
    model = sequential(layers.Conv1D(3, 2), layers.LSTM(2, return_sequences=True), layers.PReLU())
    said = refused(model, tmp_path)
    assert said.startswith("2 layers cannot be imported.")
    assert "Conv1D" in said
    assert "PReLU" in said


def functional(build):
    x = keras.Input((T, D))
    return randomised(keras.Model(x, build(x)))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda x: layers.Add()([x, layers.Dense(D)(x)]), "it reads 2 tensors"),
        (lambda x: [layers.Dense(2)(x), layers.Dense(3)(x)], "it has several outputs: dense, dense_1"),
        (lambda x: layers.Dense(2)(layers.LSTM(H, return_state=True)(x)[1]), "it reads a state of lstm"),
        (lambda x: layers.Dense(2)(x[:, -1]), "(GetItem): it is an operation on tensors"),
        (lambda x: layers.Dense(2)(x * 2.0), "(Multiply): it is an operation on tensors"),
        (lambda x: layers.GRU(H)(x, initial_state=layers.LSTM(H)(x)), "it reads 2 tensors"),
        (lambda x: (lambda d: d(d(x)))(layers.Dense(D)), "it is used more than once"),
        (lambda x: layers.Bidirectional(layers.GRU(2), merge_mode=None)(x)[0], "merge_mode=None"),
    ],
)
def test_what_is_no_chain_is_told(build, said, tmp_path):
    keras.utils.clear_session()
    assert said in refused(functional(build), tmp_path)


@keras.saving.register_keras_serializable(package="mine")
class Doubled(layers.LSTM):
    """A layer of one's own, which no file holds the code of."""


@keras.saving.register_keras_serializable(package="mine")
def twice(x):
    return 2 * x


def test_classes_and_functions_of_ones_own_are_refused(tmp_path):
    said = refused(sequential(Doubled(3), layers.Dense(2, activation=twice)), tmp_path)
    assert "(Doubled): its class is not one of Keras's own" in said
    assert "(Dense): the activation" in said


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`:UserWarning")
def test_a_quantised_layer_is_refused(tmp_path):
    model = sequential(layers.Dense(8), layers.LSTM(3))
    model.quantize("int8")
    assert "(Dense): it is quantised" in refused(model, tmp_path)


# ---- weights alone


def saved_weights(model, folder):
    model.save_weights(folder / "m.weights.h5")
    return folder / "m.weights.h5"


def assert_weights_equal_keras(model, folder, description, x=None):
    imported = read_keras(saved_weights(model, folder), description)
    x = numbers() if x is None else x
    expected = keras_output(model, x)
    found = run(ostinato.Network(imported.architecture, imported.weights), x)
    assert_near(found if found.ndim == expected.ndim else found[:, -1], expected)
    return imported


@pytest.mark.parametrize(
    ("made", "description"),
    [
        (lambda: [layers.LSTM(H, return_sequences=True), layers.GRU(H), layers.Dense(3)], None),
        (lambda: [layers.GRU(H, reset_after=False), layers.Dense(3, "softmax")], "gru last dense softmax"),
        (lambda: [layers.Bidirectional(layers.LSTM(H)), layers.Dense(3)], "lstm final linear"),
        (lambda: [layers.Dense(H, "relu"), layers.Dense(H), layers.Dense(H, "tanh")], "dense relu dense dense tanh"),
        (
            lambda: [layers.SimpleRNN(H, "relu"), layers.LayerNormalization(), layers.Dense(2)],
            "rnn:relu last norm linear",
        ),
        (lambda: [layers.Dense(H), layers.BatchNormalization(epsilon=0.1)], "linear batch_norm:0.1"),
        (lambda: [layers.TimeDistributed(layers.Dense(H)), layers.GlobalMaxPooling1D()], "linear=time_distributed max"),
        (lambda: [layers.LSTM(H, use_bias=False), layers.Dense(3)], "lstm last linear=dense"),
    ],
)
def test_weights_alone_are_read(made, description, tmp_path):
    imported = assert_weights_equal_keras(sequential(*made()), tmp_path, description)
    assert (description is None) == any("no description was given" in note for note in imported.notes)


def test_weights_alone_that_say_too_little_are_refused(tmp_path):
    for made, said in [
        ([layers.Dense(D), layers.Dense(D)], "which function lies between"),
        ([layers.GRU(H, use_bias=False)], "does not say its reset_after"),
        ([layers.Conv1D(3, 2)], "conv1d: [2, 4, 3], [3]"),
        ([layers.LSTM(D), layers.LayerNormalization(), layers.Dense(D)], "in more than one way"),
    ]:
        path = saved_weights(sequential(*made), tmp_path)
        with pytest.raises(DataError) as caught:
            read_keras(path)
        assert said in caught.value.message


def test_a_description_is_for_weights_alone(tmp_path):
    sequential(layers.Dense(2)).save(tmp_path / "m.keras")
    with pytest.raises(OptionError, match="says itself"):
        read_keras(tmp_path / "m.keras", "linear")
    with pytest.raises(OptionError, match="no layer 'liner'"):
        read_keras(saved_weights(sequential(layers.Dense(2)), tmp_path), "liner")


# ---- damaged files


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a `.keras` file, its config, and its weights' file."""
    path = tmp_path_factory.mktemp("whole") / "m.keras"
    sequential(layers.LSTM(H), layers.Dense(2)).save(path)
    with zipfile.ZipFile(path) as archive:
        return path.read_bytes(), json.loads(archive.read("config.json")), archive.read("model.weights.h5")


def packed(path, config, weights, compression=zipfile.ZIP_STORED, metadata="{}"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        archive.writestr("model.weights.h5", weights)
        archive.writestr("metadata.json", metadata)
    return path


def error_of(path):
    with pytest.raises((FileFormatError, DataError)) as caught:
        read_keras(path)
    return caught.value.message


def test_a_file_that_ends_early_is_refused(whole, tmp_path):
    content, config, weights = whole
    for size in [*range(0, 60, 7), *range(60, len(content), 997)]:
        (tmp_path / "cut.keras").write_bytes(content[:size])
        error_of(tmp_path / "cut.keras")
    for size in range(2000, len(weights), 997):
        error_of(packed(tmp_path / "cut.keras", config, weights[:size]))


def changed(config, *place, value):
    config = json.loads(json.dumps(config))
    here = config
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    return config


def test_a_config_that_is_none_is_refused(whole, tmp_path):
    _, config, weights = whole
    lstm = ("config", "layers", 1, "config")
    for wrong in [
        b"{",
        b"[" * 100_000,
        [],
        {},
        changed(config, "class_name", value="Mine"),
        changed(config, "class_name", value=3),
        changed(config, "config", "layers", value=None),
        changed(config, "config", "layers", value=[3]),
        changed(config, "config", "layers", value=[]),
        changed(config, *lstm, "units", value=6),
        changed(config, *lstm, "units", value=-1),
        changed(config, *lstm, "units", value=2**62),
        changed(config, *lstm, "units", value="5"),
        changed(config, *lstm, "activation", value={"class_name": []}),
        changed(config, *lstm, "activation", value=7),
        changed(config, *lstm, "use_bias", value=False),
        changed(config, "config", "layers", 2, "config", "units", value=3),
        changed(config, "config", "layers", 2, "class_name", value="Embedding"),
        changed(config, "config", "layers", 2, "name", value="other"),
        changed(config, "config", "layers", value=config["config"]["layers"] * 2),
        changed(config, "config", "layers", value=config["config"]["layers"][:2]),
    ]:
        error_of(packed(tmp_path / "wrong.keras", wrong, weights))
    deep = []
    for _ in range(900):
        deep = [deep]
    error_of(packed(tmp_path / "wrong.keras", changed(config, *lstm, "cells", value=deep), weights))
    nested = config
    for _ in range(60):
        nested = changed(config, "config", "layers", value=[nested])
    assert "at most 8 deep" in error_of(packed(tmp_path / "wrong.keras", nested, weights))


def test_a_functional_config_that_is_none_is_refused(tmp_path):
    functional(lambda x: layers.Dense(2)(layers.LSTM(H)(x))).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config, weights = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
    history = ("config", "layers", 1, "inbound_nodes", 0, "args", 0, "config", "keras_history")
    own = config["config"]["layers"][1]["name"]
    for wrong in [
        changed(config, "config", "output_layers", value=[]),
        changed(config, "config", "output_layers", value="dense"),
        changed(config, "config", "output_layers", value=["nobody", 0, 0]),
        changed(config, *history, value=["nobody", 0, 0]),
        changed(config, *history, value=[own, 0, 0]),
        changed(config, *history, value=3),
        changed(config, "config", "layers", 1, "inbound_nodes", value=[[["lstm", 0, 0, {}]]]),
    ]:
        error_of(packed(tmp_path / "wrong.keras", wrong, weights))


def edited(weights, edit):
    """Return an HDF5 file's bytes after a function has changed the open file."""
    memory = io.BytesIO(weights)
    with h5py.File(memory, "a") as file:
        edit(file)
    return memory.getvalue()


KERNEL = "layers/lstm/cell/vars/0"


def replace(file, **how):
    del file[KERNEL]
    file.create_dataset(KERNEL, **how)


def link(file, to):
    del file[KERNEL]
    file[KERNEL] = to


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda file: file.pop("layers"), "has 0 variables, where 3 were expected"),
        (lambda file: file.pop(KERNEL), "has 2 variables, where 3 were expected"),
        (lambda file: file.create_dataset("layers/lstm/cell/vars/3", data=[1.0]), "has 4 variables"),
        (
            lambda file: file.create_dataset("layers/gru/cell/vars/0", data=[1.0]),
            "variables that no layer of its config",
        ),
        (lambda file: replace(file, data=np.zeros((D, 19), "f")), "should have shape [any, 20], but has [4, 19]"),
        (lambda file: replace(file, data=np.zeros(3, "f")), "should have shape"),
        (lambda file: replace(file, data=np.zeros((0, 20), "f")), "nothing in it"),
        (lambda file: replace(file, data=np.zeros((D, 20), int)), "no floating-point numbers"),
        (lambda file: replace(file, data=[["a"] * 20] * D), "no floating-point numbers"),
        (lambda file: replace(file, data=np.full((D, 20), np.nan, "f")), "not finite"),
        (lambda file: replace(file, shape=(2**40, 20), dtype="f4", chunks=(1, 20)), "larger than the file can account"),
        (lambda file: link(file, h5py.ExternalLink("/etc/passwd", "/x")), "no array of this file"),
        (lambda file: link(file, h5py.SoftLink("/layers/lstm/cell/vars/1")), "no array of this file"),
        (lambda file: link(file, file["layers"]), "no array of this file"),
        (lambda file: file["layers/lstm/vars"].attrs.modify("name", "other"), "are those of other"),
    ],
)
def test_variables_that_are_not_those_of_the_config_are_refused(whole, tmp_path, edit, said):
    _, config, weights = whole
    assert said in error_of(packed(tmp_path / "wrong.keras", config, edited(weights, edit)))


def test_what_would_come_to_too_much_is_refused(whole, tmp_path):
    _, config, weights = whole
    zeros = bytes(2**24)
    assert "would come to" in error_of(packed(tmp_path / "bomb.keras", config, weights + zeros, zipfile.ZIP_DEFLATED))

    def huge(file):
        del file["layers"]
        file.create_dataset("layers/dense/vars/0", shape=(2**20, 2**20), dtype="f4", chunks=(64, 64))

    (tmp_path / "huge.weights.h5").write_bytes(edited(weights, huge))
    assert "larger than the file can account for" in error_of(tmp_path / "huge.weights.h5")


def test_files_of_other_versions_are_told(whole, tmp_path):
    _, config, weights = whole
    for version, said in [
        ("2.15.0", "written by Keras 2.15.0"),
        ("10.1", "by Keras 10.1"),
        (3, "not what Keras writes"),
    ]:
        path = packed(tmp_path / "m.keras", config, weights, metadata=json.dumps({"keras_version": version}))
        assert said in error_of(path)


def test_files_of_other_kinds_are_told(tmp_path):
    model = sequential(layers.Dense(2))
    model.save(tmp_path / "old.h5")
    with pytest.raises(FileFormatError, match="older HDF5 format") as caught:
        read_keras(tmp_path / "old.h5")
    assert "model.keras" in caught.value.hint
    (tmp_path / "text.keras").write_text("no archive")
    assert "its archive cannot be read" in error_of(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("other.txt", "x")
    assert "holds no config.json" in error_of(tmp_path / "other.keras")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_keras(tmp_path / "missing.keras")


def test_keras_is_not_imported(whole, tmp_path):
    (tmp_path / "m.keras").write_bytes(whole[0])
    script = """
import sys
from ostinato.exchange.from_keras.reader import read_keras
print(len(read_keras(sys.argv[1]).weights))
assert not {"keras", "torch", "tensorflow"} & set(sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "m.keras"], capture_output=True, text=True, check=True
    )
    assert found.stdout == "5\n"
