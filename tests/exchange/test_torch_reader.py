"""torch's state dicts: random stacks, saved by torch and run by it, beside what is read of the files."""

import contextlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import strategies as st
from torch import nn

import ostinato
from ostinato.errors import DataError, FileFormatError, OptionError
from ostinato.exchange.description import parse
from ostinato.exchange.from_torch.reader import read_torch
from tests.quick import examples

T, B, D, H, V = 6, 3, 4, 5, 11


def randomised(module, seed=0):
    torch.manual_seed(seed)
    module.eval()
    with torch.no_grad():
        for name, weight in [*module.named_parameters(), *module.named_buffers()]:
            if weight.is_floating_point():
                weight.normal_(std=0.5)
            if "var" in name:
                weight.abs_().add_(0.1)
    return module


def stack(**layers):
    """A module of named layers, of which each reads what the one before puts out."""
    return randomised(nn.ModuleDict(layers))


def saved(module, folder, suffix):
    """Save a state dict in one of the two formats."""
    path = folder / f"weights.{suffix}"
    state = module if isinstance(module, dict) else module.state_dict()
    if suffix == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


def numbers(seed=1):
    return np.random.default_rng(seed).normal(size=(T, B, D)).astype(np.float32)


def symbols():
    return np.random.default_rng(1).integers(0, V, (T, B))


def through(module, x):
    """What torch makes of x, layer after layer."""
    y = torch.from_numpy(x)
    with torch.no_grad():
        for layer in module.values():
            y = layer(y)
            y = y[0] if isinstance(y, tuple) else y
    return y


def network_of(path, layers=None):
    imported = read_torch(path, layers)
    return ostinato.Network(imported.architecture, imported.weights), imported.notes


def assert_near(found, expected):
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_difference_would_be_seen():
    with pytest.raises(AssertionError):
        assert_near(np.ones(3), np.full(3, 1.0001))


# ---- random stacks


@st.composite
def recurrent(draw):
    """The kind and the options of a recurrent layer, and the word for it."""
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU"]))
    options = {
        "hidden_size": draw(st.integers(2, 7)),
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
    }
    word = "rnn:tanh" if kind == "RNN" else kind.lower()
    if kind == "LSTM" and draw(st.booleans()):
        options["proj_size"] = draw(st.integers(1, options["hidden_size"] - 1))
    if kind == "RNN" and draw(st.booleans()):
        options["nonlinearity"] = "relu"
        word = "rnn:relu"
    return kind, options, word


@st.composite
def plans(draw):
    """What a stack is: its recurrent layers, whether it reads symbols, normalises, and answers once a sequence."""
    rows = draw(st.lists(recurrent(), min_size=1, max_size=2))
    return rows, draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from([None, "last", "final"]))


def built(plan):
    """Return the stack of a plan, its description, and what torch makes of x."""
    rows, embedded, normed, end = plan
    layers, words, size = {}, [], D
    if embedded:
        layers["emb"] = nn.Embedding(V, D)
        words.append("embedding=emb")
    for index, (kind, options, word) in enumerate(rows):
        layers[f"rnn{index}"] = getattr(nn, kind)(size, **options)
        name, _, option = word.partition(":")
        words.append(f"{name}=rnn{index}" + (f":{option}" if option else ""))
        size = (options.get("proj_size") or options["hidden_size"]) * (1 + options["bidirectional"])
    words += [end] if end else []
    if normed:
        layers["norm"] = nn.LayerNorm(size, eps=1e-3)
        words.append("norm:eps=1e-3")
    layers["head"] = nn.Linear(size, 3, bias=normed)
    return stack(**layers), " ".join([*words, "linear=head", "softmax"])


def torchs(module, plan, x):
    """Run a plan's stack in torch."""
    rows, embedded, _, end = plan
    with torch.no_grad():
        y = module["emb"](torch.from_numpy(x)) if embedded else torch.from_numpy(x)
        for index in range(len(rows)):
            y, state = module[f"rnn{index}"](y)
        if end == "last":
            y = y[-1]
        elif end == "final":
            h = state[0] if isinstance(state, tuple) else state
            y = torch.cat([h[-2], h[-1]], dim=-1) if rows[-1][1]["bidirectional"] else h[-1]
        y = module["norm"](y) if "norm" in module else y
        return torch.softmax(module["head"](y), dim=-1)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@examples(15, 200, plans(), st.sampled_from(["pt", "safetensors"]))
def test_stacks_are_torchs(plan, suffix):
    module, description = built(plan)
    with tempfile.TemporaryDirectory() as folder:
        network, notes = network_of(saved(module, Path(folder), suffix), description)
    x = symbols() if plan[1] else numbers()
    assert_near(network.run(x)[0], torchs(module, plan, x))
    assert not notes


# ---- without a description


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_that_fit_together_in_one_way_are_read(suffix, tmp_path):
    module = stack(
        zeta=nn.Embedding(V, D),
        lower=nn.LSTM(D, H, 2, bidirectional=True),
        norm=nn.LayerNorm(2 * H),
        a=nn.Linear(2 * H, 3),
    )
    network, notes = network_of(saved(module, tmp_path, suffix))
    assert_near(network.run(symbols())[0], through(module, symbols()))
    assert "the layers were taken to be: embedding=zeta lstm=lower norm=norm linear=a" in notes[0]
    assert notes[1] == "norm: ε = 1e-05 was assumed; else write norm:eps=…."


def test_the_nonlinearity_that_was_assumed_is_told(tmp_path):
    module = stack(rnn=nn.RNN(D, H), out=nn.Linear(H, 2))
    network, notes = network_of(saved(module, tmp_path, "pt"))
    assert_near(network.run(numbers())[0], through(module, numbers()))
    assert "rnn: tanh was assumed; for relu write rnn:relu." in notes


@pytest.mark.parametrize(
    ("layers", "suffix", "said", "hint"),
    [
        (
            {"b": nn.GRU(D, D), "a": nn.GRU(D, D), "c": nn.Linear(D, 2)},
            "safetensors",
            "fit together in more than one way.\n  a: gru 4 → 4\n  b: gru 4 → 4",
            "gru=a gru=b linear=c",
        ),
        (
            {"a": nn.GRU(D, H), "b": nn.Linear(H, H), "c": nn.Linear(H, 2)},
            "pt",
            "do not say which function lies between linear layers",
            "gru=a linear=b linear=c",
        ),
        ({"a": nn.GRU(D, H), "b": nn.Linear(H + 1, 2)}, "pt", "do not fit together as a chain", "gru=a linear=b"),
    ],
)
def test_weights_that_say_too_little_are_refused(layers, suffix, said, hint, tmp_path):
    with pytest.raises(DataError) as caught:
        read_torch(saved(stack(**layers), tmp_path, suffix))
    assert said in caught.value.message
    assert f'--layers "{hint}"' in caught.value.hint


def test_definition_order_decides_in_torchs_own_files(tmp_path):
    module = stack(b=nn.GRU(D, D), a=nn.GRU(D, D), c=nn.Linear(D, 2))
    for layers in (None, "gru gru linear"):
        network, _ = network_of(saved(module, tmp_path, "pt"), layers)
        assert_near(network.run(numbers())[0], through(module, numbers()))
    with pytest.raises(DataError, match="fit the description in more than one way, such as\n  gru=a gru=b linear=c\n"):
        read_torch(saved(module, tmp_path, "safetensors"), "gru gru linear")
    network, _ = network_of(saved(module, tmp_path, "safetensors"), "gru=b gru linear")
    assert_near(network.run(numbers())[0], through(module, numbers()))


def test_a_single_layer_is_a_whole_file(tmp_path):
    for module in (randomised(nn.LSTM(D, H)), randomised(nn.GRU(D, H, bidirectional=True))):
        network, _ = network_of(saved(module, tmp_path, "safetensors"))
        expected, _ = module(torch.from_numpy(numbers()))
        assert_near(network.run(numbers())[0], expected.detach())


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_cell_is_a_layer(kind, tmp_path):
    cell = randomised(kind(D, H))
    network, _ = network_of(saved(cell, tmp_path, "pt"))
    state, x = None, torch.from_numpy(numbers())
    for step in x:
        state = cell(step, state)
    h = state[0] if isinstance(state, tuple) else state
    assert_near(network.run(numbers())[0][-1], h.detach())


# ---- words

FUNCTIONS = {
    "relu": nn.ReLU(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "leaky_relu:0.2": nn.LeakyReLU(0.2),
    "elu": nn.ELU(),
    "elu:alpha=0.7": nn.ELU(0.7),
    "selu": nn.SELU(),
    "relu6": nn.ReLU6(),
    "hard_tanh": nn.Hardtanh(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "softplus": nn.Softplus(),
    "softsign": nn.Softsign(),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "softmax": nn.Softmax(dim=-1),
    "log_softmax": nn.LogSoftmax(dim=-1),
    "dropout": nn.Dropout(),
    "identity": nn.Identity(),
}


@pytest.mark.parametrize("word", FUNCTIONS)
def test_functions_are_torchs(word, tmp_path):
    linear = stack(a=nn.Linear(D, 16), b=nn.Linear(16, 3))
    network, _ = network_of(saved(linear, tmp_path, "safetensors"), f"dense {word} dense")
    hidden = FUNCTIONS[word].eval()(linear["a"](torch.from_numpy(5 * numbers())))
    assert_near(network.run(5 * numbers())[0], linear["b"](hidden).detach())


@pytest.mark.parametrize(("word", "take"), [("mean", lambda y: y.mean(0)), ("max", lambda y: y.amax(0))])
def test_pooling_over_time(word, take, tmp_path):
    module = stack(a=nn.GRU(D, H), b=nn.Linear(H, 2))
    network, _ = network_of(saved(module, tmp_path, "pt"), f"gru {word} linear")
    y, _ = module["a"](torch.from_numpy(numbers()))
    assert_near(network.run(numbers())[0], module["b"](take(y)).detach())


def test_batch_normalisation_is_what_it_is_after_training(tmp_path):
    module = stack(a=nn.Linear(D, H), n=nn.BatchNorm1d(H, eps=0.01), b=nn.GRU(H, 3), m=nn.BatchNorm1d(3, affine=False))
    network, notes = network_of(saved(module, tmp_path, "pt"), "linear batch_norm:eps=0.01 tanh gru batch_norm")
    y = module["n"](module["a"](torch.from_numpy(numbers())).flatten(0, 1)).unflatten(0, (T, B))
    y, _ = module["b"](torch.tanh(y))
    assert_near(network.run(numbers())[0], module["m"](y.flatten(0, 1)).unflatten(0, (T, B)).detach())
    assert notes == ("m: ε = 1e-05 was assumed; else write batch_norm:eps=….",)


def test_what_is_skipped_is_told(tmp_path):
    module = stack(a=nn.GRU(D, H), aux=nn.Conv1d(3, 4, 2), b=nn.Linear(H, 2))
    network, notes = network_of(saved(module, tmp_path, "pt"), "gru linear skip=aux")
    assert_near(network.run(numbers())[0], module["b"](module["a"](torch.from_numpy(numbers()))[0]).detach())
    assert notes == ("left out as you asked: aux.weight, aux.bias.",)


def test_wrappers_and_checkpoints_are_seen_through(tmp_path):
    module = stack(a=nn.GRU(D, H), b=nn.Linear(H, 2))
    state = {f"module._orig_mod.{name}": weight for name, weight in module.state_dict().items()}
    for key in ("state_dict", "model", "model_state_dict"):
        path = saved({"epoch": 3, "optimizer": {"lr": 0.1}, key: state}, tmp_path, "pt")
        network, notes = network_of(path, "gru linear")
        assert_near(network.run(numbers())[0], through(module, numbers()))
        assert notes[0] == f"the file is a checkpoint; its {key!r} was read; left out: epoch, optimizer."


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types_become_float32(kind, suffix, tmp_path):
    module = stack(a=nn.LSTM(D, H), b=nn.Linear(H, 2)).to(kind)
    network, notes = network_of(saved(module, tmp_path, suffix), "lstm linear")
    assert_near(network.run(numbers())[0], through(module.float(), numbers()))
    assert notes[0] == f"weights were converted to float32 from {str(kind).removeprefix('torch.')}."


def test_tied_weights_are_read(tmp_path):
    module = stack(emb=nn.Embedding(V, D), rnn=nn.GRU(D, D), out=nn.Linear(D, V))
    module["out"].weight = module["emb"].weight
    network, _ = network_of(saved(module, tmp_path, "pt"), "embedding gru linear")
    assert_near(network.run(symbols())[0], through(module, symbols()).detach())


# ---- descriptions that are none


@pytest.mark.parametrize(
    ("layers", "said", "hint"),
    [
        ("", "is empty", "for instance"),
        ("lstn linear", "no layer 'lstn'", "did you mean 'lstm'?"),
        ("lstm=x linear", "no layer 'x'", "a, b"),
        ("lstm=b linear", "b is no lstm", "it can be linear"),
        ("lstm relu=b linear", "relu has no weights", "write relu"),
        ("lstm:relu linear", "lstm has no option 'relu'", "write lstm alone"),
        ("rnn:sine linear", "rnn has no option 'sine'", "rnn:relu"),
        ("norm:eps=x", "is no number", "norm:eps=1e-5"),
        ("norm:eps=0", "above 0", "norm:eps"),
        ("lstm leaky_relu linear", "needs its slope", "leaky_relu:0.01"),
        ("leaky_relu:nan", "is no number", "leaky_relu:0.01"),
        ("skip", "what of the file", "skip=name"),
        ("lstm linear skip=z", "no such layer", "known here: a, b"),
        ("=a", "is no layer", "word=name"),
    ],
)
def test_a_wrong_description_is_told(layers, said, hint, tmp_path):
    path = saved(stack(a=nn.LSTM(D, H), b=nn.Linear(H, 2)), tmp_path, "pt")
    with pytest.raises(OptionError) as caught:
        read_torch(path, layers)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("lstm", "1 layers with weights are described, the file has 2"),
        ("gru linear", "does not fit the file's weights"),
        ("linear lstm", "does not fit the file's weights"),
        ("lstm linear linear", "3 layers with weights are described"),
        ("relu lstm linear", "relu: a layer that has weights comes first"),
        ("lstm linear final", "final: it stands right after a recurrent layer"),
        ("lstm last last linear", "only one step comes to it"),
    ],
)
def test_a_description_of_something_else_is_refused(layers, said, tmp_path):
    path = saved(stack(a=nn.LSTM(D, H), b=nn.Linear(H, 2)), tmp_path, "pt")
    with pytest.raises(DataError) as caught:
        read_torch(path, layers)
    assert said in caught.value.message


@examples(100, 3000, st.text(max_size=40))
def test_any_text_is_a_description_or_an_error(text):
    with contextlib.suppress(OptionError):
        assert parse(text)


# ---- what cannot be imported


def lstm_state():
    return dict(randomised(nn.LSTM(D, H)).state_dict())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("bias_hh_l0"), "not bias_hh, bias_ih, weight_hh, weight_ih"),
        (lambda state: state.pop("weight_hh_l0"), "no recurrent matrix"),
        (lambda state: state.update(weight_hh_l0=torch.zeros(7, 5)), "[7, 5] is that of no RNN, GRU or LSTM"),
        (lambda state: state.update(weight_hh_l2=torch.zeros(20, 5)), "of 3 layers in 1 directions"),
        (lambda state: state.update(weight_ih_l0=torch.zeros(19, 5)), "do not fit together: layers.0.0.W"),
        (lambda state: state.update(weight_ih_l0=torch.zeros(20)), "do not fit together"),
        (lambda state: state.update(bias_ih_l0=torch.zeros(19)), "two biases have shapes [19] and [20]"),
        (lambda state: state.update(bias_ih_l0=torch.zeros(20, dtype=torch.int8)), "whole numbers are no weights"),
        (lambda state: state.update(weight_hh_l0=torch.zeros(0, 0)), "nothing in it"),
        (lambda state: state.update(extra_l0=torch.zeros(2)), "a weight extra_l0, which no RNN"),
        (
            lambda state: state.update({"conv.weight": torch.zeros(2, 3, 4)}),
            "conv: weight [2, 3, 4]: no embedding, linear",
        ),
        (lambda state: state.update({"n.weight": torch.zeros(3)}), "n: weight [3]: no embedding, linear"),
        (lambda state: state.update({"l.weight": torch.zeros(2, 3), "l.bias": torch.zeros(3)}), "l: "),
        (lambda state: state.update({"att.in_proj_weight": torch.zeros(2, 3)}), "known here"),
        (lambda state: state.update(weight_hh_l0=torch.full((20, 5), torch.nan)), "not finite"),
    ],
)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_that_are_no_layers_are_named(change, said, suffix, tmp_path):
    state = lstm_state()
    change(state)
    with pytest.raises(DataError) as caught:
        read_torch(saved(state, tmp_path, suffix))
    assert said in caught.value.message


def test_layers_without_end_are_refused(tmp_path):
    many = {f"l{index}.weight": torch.zeros(2, 2) for index in range(1000)}
    for layers in (None, "linear linear", "linear " * 1000):
        with pytest.raises(DataError, match=r"more than the 256|2 layers with weights are described"):
            read_torch(saved(many, tmp_path, "safetensors"), layers)
    alike = {f"l{index}.weight": torch.zeros(2, 2) for index in range(30)}
    with pytest.raises(DataError, match=r"too many ways|more than one way"):
        read_torch(saved(alike, tmp_path, "safetensors"))


def test_an_embedding_that_could_be_a_linear_layer_is_not_guessed(tmp_path):
    path = saved(stack(a=nn.Linear(D, D, bias=False), b=nn.GRU(D, H)), tmp_path, "pt")
    with pytest.raises(DataError, match="in more than one way"):
        read_torch(path)
    assert network_of(path, "linear gru")[0].run(numbers())[0].shape == (T, B, H)


def test_nothing_is_no_model(tmp_path):
    for suffix in ("pt", "safetensors"):
        with pytest.raises(DataError, match="holds no layer"):
            read_torch(saved({}, tmp_path, suffix))


# ---- damaged files


def error_of(path):
    with pytest.raises((FileFormatError, DataError)) as caught:
        read_torch(path)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_file_that_ends_early_is_refused(suffix, tmp_path):
    content = saved(stack(a=nn.LSTM(D, H)), tmp_path, suffix).read_bytes()
    for size in [*range(0, 100, 9), *range(100, len(content), 331)]:
        (tmp_path / f"cut.{suffix}").write_bytes(content[:size])
        error_of(tmp_path / f"cut.{suffix}")


def test_objects_that_are_no_weights_are_refused(tmp_path):
    module = stack(a=nn.LSTM(D, H))
    torch.save(module, tmp_path / "module.pt")
    assert "would run code" in error_of(tmp_path / "module.pt")
    assert "torch.save(module.state_dict()" in error_of(tmp_path / "module.pt")
    for thing, said in [
        ([1, 2], "no state dict"),
        ({"a.weight": 3}, "'a.weight' is no tensor"),
        ({3: torch.zeros(2)}, "no state dict"),
        ({"a.weight": torch.zeros(2, 2).to_sparse()}, "sparse"),
        ({"a.weight": torch.zeros(2, 2, dtype=torch.complex64)}, "complex"),
        ({"a.weight": torch.zeros(1).expand(2**20, 2**12)}, "more than the file can account for"),
    ]:
        torch.save(thing, tmp_path / "thing.pt")
        assert said in error_of(tmp_path / "thing.pt")


def test_archives_that_are_not_what_they_seem_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(2**24))
    assert "its parts would come to 16,777,216 bytes" in error_of(tmp_path / "bomb.pt")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("a/constants.pkl", b"")
    assert "TorchScript" in error_of(tmp_path / "script.pt")


def test_headers_that_lie_are_refused(tmp_path):
    def with_header(header, data=b""):
        text = json.dumps(header).encode()
        path = tmp_path / "wrong.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return path

    for shape, end in [([2**40, 2], 2**43), ([2], 4), ([-1], 4), ([2**32, 2**32], 0)]:
        error_of(with_header({"a.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}, bytes(4)))
    odd = {"a.weight": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}
    assert "type F8_E4M3" in error_of(with_header(odd, bytes(4)))


def test_a_model_of_ostinatos_own_is_told(tmp_path):
    module = stack(a=nn.LSTM(D, H))
    ostinato.Network.from_torch(module["a"]).save(tmp_path / "own.safetensors")
    assert "already" in error_of(tmp_path / "own.safetensors")


def test_safetensors_need_no_torch(tmp_path):
    path = saved(stack(a=nn.LSTM(D, H), b=nn.Linear(H, 2)), tmp_path, "safetensors")
    script = """
import sys
from ostinato.exchange.from_torch.reader import read_torch
print(len(read_torch(sys.argv[1], "lstm last linear").weights))
assert "torch" not in sys.modules
"""
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert ran.stdout == "5\n"
