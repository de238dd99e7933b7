"""What of Keras cannot be imported is named, with the reason."""

import pytest

from tests.exchange.keras_models import KERAS, D, H, T, V, functional, keras, layers, refused, sequential

pytestmark = KERAS


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: [layers.Conv1D(3, 2, name="a"), layers.LSTM(2)], "a (Conv1D): a Conv1D has no counterpart here."),
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
        (lambda: [layers.TimeDistributed(layers.PReLU(name="a"))], "(TimeDistributed): the layer within it, a"),
        (lambda: [layers.ConvLSTM1D(2, 1)], "has no counterpart"),
    ],
)
def test_a_layer_that_cannot_be_imported_is_named(made, said, tmp_path):
    given = made()
    shape = (T, D, 1) if isinstance(given[0], layers.ConvLSTM1D) else (T, D)
    assert said in refused(sequential(*given, shape=shape), tmp_path)


def test_all_layers_that_cannot_be_imported_are_named_at_once(tmp_path):
    model = sequential(layers.Conv1D(3, 2), layers.LSTM(2, return_sequences=True), layers.PReLU())
    said = refused(model, tmp_path)
    assert said.startswith("2 layers cannot be imported.")
    assert "Conv1D" in said
    assert "PReLU" in said


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda x: layers.Add()([x, layers.Dense(D)(x)]), "it reads 2 tensors"),
        (lambda x: [layers.Dense(2, name="a")(x), layers.Dense(3, name="b")(x)], "it has several outputs: a, b"),
        (lambda x: layers.Dense(2)(layers.LSTM(H, return_state=True, name="a")(x)[1]), "it reads a state of a"),
        (lambda x: layers.Dense(2)(x[:, -1]), "(GetItem): it is an operation on tensors"),
        (lambda x: layers.Dense(2)(x * 2.0), "(Multiply): it is an operation on tensors"),
        (lambda x: layers.GRU(H)(x, initial_state=layers.LSTM(H)(x)), "it reads 2 tensors"),
        (lambda x: (lambda d: d(d(x)))(layers.Dense(D)), "it is used more than once"),
        (lambda x: layers.Bidirectional(layers.GRU(2), merge_mode=None)(x)[0], "merge_mode=None"),
    ],
)
def test_what_is_no_chain_is_told(build, said, tmp_path):
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
