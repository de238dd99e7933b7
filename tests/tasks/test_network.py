"""`Network`: layers that torch trained, beside torch itself; and the file that they become."""

import copy
import json
import subprocess
import sys

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from ostinato import cells, model_file
from ostinato.errors import FileFormatError, OptionError, ShapeError
from ostinato.nn import Recurrent
from ostinato.tasks.network import Network
from tests.cli.running import fail, process, succeed
from tests.comparison import assert_close

T, B, D, H, V = 7, 3, 5, 8, 11
LENGTHS = [7, 0, 4]


def randomised(*modules, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for module in modules:
            module.eval()
            for weight in module.parameters():
                weight.normal_(std=0.4)
    return list(modules)


def through(modules, x):
    """What torch makes of x [T, B, D], or symbols."""
    with torch.no_grad():
        for module in modules:
            x = module(x)
            x = x[0] if isinstance(x, tuple) else x
    return x.numpy()


def numbers(seed=0):
    return np.random.default_rng(seed).normal(size=(T, B, D)).astype(np.float32)


def assert_equals_torch(modules, x):
    network = Network.from_torch(modules)
    found, expected = network.run(x)[0], through(modules, torch.from_numpy(x))
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    return network


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU, ostinato.nn.LSTM, ostinato.nn.GRU])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2},
        {"bidirectional": True, "num_layers": 2},
        {"bias": False},
        {"num_layers": 2, "dropout": 0.5},
    ],
    ids=str,
)
def test_recurrent_layers_are_torchs(kind, options):
    assert_equals_torch(randomised(kind(D, H, **options)), numbers())


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("options", [{"proj_size": 3}, {"proj_size": 3, "bidirectional": True, "num_layers": 2}])
def test_projections_are_torchs(options):
    assert_equals_torch(randomised(nn.LSTM(D, H, **options)), numbers())


def test_a_relu_network_is_torchs():
    assert_equals_torch(randomised(nn.RNN(D, H, nonlinearity="relu")), numbers())


@pytest.mark.parametrize(
    "options",
    [
        {"zoneout": {"c": 0.3}, "initial_state": "learned"},
        {"heads": 2, "residual": True, "num_layers": 3},
        {"bidirectional": True, "dropout": 0.3},
    ],
    ids=str,
)
def test_layers_of_any_cell_are_read_with_their_options(options):
    assert_equals_torch(randomised(Recurrent("lstm", D, H, **options)), numbers())
    assert_equals_torch(randomised(Recurrent("projected_lstm", D, H, widths={"P": 3})), numbers())


def test_a_chain_of_many_kinds_is_torchs():
    modules = randomised(
        nn.Embedding(V, D),
        nn.Dropout(0.5),
        nn.GRU(D, H, bidirectional=True),
        nn.Sequential(nn.LayerNorm(2 * H, eps=1e-3), nn.Linear(2 * H, H), nn.Sequential(nn.Tanh(), nn.Identity())),
        nn.LSTM(H, H),
        nn.ReLU(),
        nn.LayerNorm(H, elementwise_affine=False),
        nn.Linear(H, 4, bias=False),
        nn.Sigmoid(),
    )
    ids = np.random.default_rng(0).integers(0, V, (T, B))
    network = assert_equals_torch(modules, ids)
    assert repr(network).startswith("Network(gru, 1 × 8 units, in both directions → norm → linear → tanh → lstm")
    y, _ = network.run(ids, LENGTHS)
    for b, length in enumerate(LENGTHS):
        assert not y[length:, b].any()
        if length:
            alone = through(modules, torch.from_numpy(ids[:length, b : b + 1]))
            assert_close(y[:length, b], alone[:, 0], "a live sequence")


@pytest.mark.parametrize(
    "function",
    [
        nn.LeakyReLU(0.3),
        nn.ELU(0.7),
        nn.CELU(),
        nn.SELU(),
        nn.ReLU6(),
        nn.Hardtanh(-0.4, 0.9),
        nn.Hardsigmoid(),
        nn.Softplus(),
        nn.Softsign(),
        nn.SiLU(),
        nn.Mish(),
        nn.GELU(approximate="tanh"),
        nn.Threshold(0.3, 0.0),
        nn.Softmax(dim=-1),
        nn.LogSoftmax(dim=2),
    ],
    ids=str,
)
def test_functions_are_torchs(function):
    # Wide enough that both ends of each function are reached.
    assert_equals_torch([*randomised(nn.Linear(D, 3 * H)), function], 8 * numbers())


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (nn.GELU(), "made of the error function"),
        (nn.CELU(0.5), "it is no elu"),
        (nn.Softplus(beta=2.0), "beta must be 1"),
        (nn.Softplus(threshold=3.0), "threshold at least 20"),
        (nn.Threshold(0.3, 1.0), "only 0 can be read"),
        (nn.Softmax(dim=0), "not over the features"),
        (nn.LogSoftmax(dim=1), "not over the features"),
        (nn.Hardswish(), "known: "),
        (nn.PReLU(), "known: "),
        (nn.Hardtanh(-float("inf"), 1.0), "must be finite"),
        (type("Mine", (nn.ReLU,), {})(), "known: "),
    ],
    ids=str,
)
def test_functions_that_are_not_exactly_ours_are_refused(function, reason):
    with pytest.raises(OptionError, match=reason):
        Network.from_torch([nn.Linear(D, H), function])


def test_what_was_read_stays_when_training_goes_on():
    modules = randomised(nn.LSTM(D, H), nn.Linear(H, 2))
    network = Network.from_torch(modules)
    before = {name: array.copy() for name, array in network.weights_.items()}
    randomised(*modules, seed=1)
    for name, array in network.weights_.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("modules", "error", "message"),
    [
        ([nn.LSTM(D, H), nn.Conv1d(H, H, 3)], OptionError, "module 1 is a Conv1d, which cannot be read"),
        (nn.Sequential(nn.Linear(D, H), nn.Sequential(nn.Softmax())), OptionError, r"module 0\.1\.0 is a Softmax"),
        ([nn.LSTM(D, H), nn.Embedding(V, D)], OptionError, "module 1 is a Embedding"),
        (
            [nn.LSTM(D, H), nn.LayerNorm((2, H))],
            OptionError,
            "module 1 is a LayerNorm, which cannot be read: it normalises over 2 axes",
        ),
        ([nn.LSTM(D, H), nn.Linear(D, 2)], ShapeError, "part 1 reads 5 features, but 8 come to it"),
        ([nn.Embedding(V, H), nn.LSTM(D, H)], ShapeError, "part 0 reads 5 features, but 8 come to it"),
        (
            [nn.Tanh(), nn.LSTM(D, H)],
            OptionError,
            "module 0 is a Tanh, which cannot be read: it does not say how many features",
        ),
        ([nn.Dropout()], OptionError, "there is nothing to read"),
        ([], OptionError, "there is nothing to read"),
    ],
)
def test_what_cannot_be_read_is_named(modules, error, message):
    with pytest.raises(error, match=message):
        Network.from_torch(modules)


# ---- the file


@pytest.fixture
def saved(tmp_path):
    """A network of numbers, and its file."""
    recurrent = Recurrent(cells.layer_norm_gru, D, H, zoneout={"h": 0.2}, initial_state="learned")
    network = Network.from_torch(randomised(recurrent, nn.Tanh(), nn.Linear(H, 3)))
    network.save(tmp_path / "network.safetensors")
    return network, tmp_path / "network.safetensors"


def test_a_saved_network_gives_equal_bits_where_there_is_no_torch(saved, tmp_path):
    network, path = saved
    script = """
import sys, numpy as np, ostinato
found = ostinato.load(sys.argv[1])
assert "torch" not in sys.modules
sys.stdout.buffer.write(found.run(np.load(sys.argv[2]))[0].tobytes())
"""
    np.save(tmp_path / "x.npy", numbers())
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "x.npy")]
    found = subprocess.run(command, capture_output=True, check=True).stdout
    assert found == network.run(numbers())[0].tobytes()
    loaded = ostinato.load(path)
    assert loaded.architecture_ == network.architecture_
    assert loaded.runtime.digest == network.runtime.digest


def wrong_documents(data):
    """Architectures that are none, or not that of the tensors."""
    recurrent, activation, linear = (["architecture", "parts", index] for index in range(3))
    for place, value in [
        (["architecture"], None),
        (["architecture", "parts"], []),
        (["architecture", "parts"], data["architecture"]["parts"] * 400),
        (["architecture", "input_size"], 6),
        (["architecture", "more"], 1),
        (["architecture", "embedding"], {"vocabulary_size": 2**31 - 1, "size": D}),
        ([*recurrent, "type"], "convolution"),
        ([*recurrent, "hidden_size"], 2**31 - 1),
        ([*recurrent, "hidden_size"], 2**40),
        ([*recurrent, "hidden_size"], 0),
        ([*recurrent, "num_layers"], 1024),
        ([*recurrent, "num_layers"], 1025),
        ([*recurrent, "heads"], 3),
        ([*recurrent, "bidirectional"], True),
        ([*recurrent, "zoneout"], {"c": 0.5}),
        ([*recurrent, "zoneout"], {"h": 2.0}),
        ([*recurrent, "further_widths"], {"P": 3}),
        ([*recurrent, "learned_initial_state"], False),
        ([*recurrent, "cell", "program"], {}),
        ([*recurrent, "cell"], 3),
        ([*activation, "input_size"], 7),
        ([*activation, "function"], "sine"),
        ([*linear, "output_size"], 4),
        ([*linear, "input_size"], 7),
    ]:
        changed = copy.deepcopy(data)
        at = changed
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
        yield place, changed


def test_every_wrong_document_is_refused(saved, tmp_path):
    network, path = saved
    plain, tensors = model_file.read(path)
    data = {key: value for key, value in plain.items() if key not in ("format", "kind")}
    for place, changed in wrong_documents(json.loads(msgspec.json.encode(data))):
        model_file.write(tmp_path / "wrong.safetensors", "network", changed, tensors)
        try:
            ostinato.load(tmp_path / "wrong.safetensors")
        except FileFormatError:
            continue
        pytest.fail(f"{place} was taken")
    assert network.runtime.output_size == 3


# ---- on the command line


def test_info_tells_of_each_part(saved, capsys):
    _, path = saved
    said = succeed(capsys, "info", path).out
    assert "layer_norm_gru, 1 × 8 units  5 → 8 features" in said
    assert "linear  8 → 3 features" in said
    assert json.loads(succeed(capsys, "info", path, "--json").out)["task"] == "network"


def test_commands_about_text_refuse_a_network(saved, capsys, tmp_path):
    _, path = saved
    (tmp_path / "text.txt").write_text("some text")
    for command in (["generate", path], ["evaluate", path, tmp_path / "text.txt"]):
        message, hint = fail(capsys, *command)
        assert message == f"{path} is a network, not a model of text."
        assert hint == f"see: ostinato info {path}"


def test_lines_of_numbers_are_steps(saved, tmp_path):
    network, path = saved
    x = numbers()[:, 0]
    given = "\n".join((", " if t % 2 else " ").join(f"{value:.9g}" for value in step) for t, step in enumerate(x))
    ran = process("stream", path, "--snapshot", tmp_path / "kept", input=given, without_torch=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = np.array([[float(value) for value in line.split(",")] for line in ran.stdout.splitlines()])
    expected, _ = network.run(x[:, None])
    assert_close(found, expected[:, 0], "y")
    stream = network.stream()
    stream.extend(x)
    assert (tmp_path / "kept").read_bytes() == stream.snapshot()
    as_json = process("stream", path, "--json", input=given)
    assert json.loads(as_json.stdout.splitlines()[0])["y"] == [float(value) for value in expected[0, 0]]


def test_wrong_lines_are_told(saved, tmp_path):
    _, path = saved
    for line, said in [("1,2,x,4,5", "'x' is no number"), ("1,2", "5 numbers expected, 2 came"), ("\xff", "not UTF-8")]:
        ran = process("stream", path, input=b"1 2 3 4 5\n" + line.encode("latin-1") + b"\n", text=False)
        assert ran.returncode == 1
        assert f"line 2: {said}".encode() in ran.stderr.replace(b"this is ", b"")
    symbols = Network.from_torch(randomised(nn.Embedding(V, D), nn.GRU(D, H)))
    symbols.save(tmp_path / "symbols.safetensors")
    assert len(process("stream", tmp_path / "symbols.safetensors", input="3\n4\n").stdout.splitlines()) == 2
    for line, said in [
        ("1 2", "1 symbol expected, 2 came"),
        ("1.5", "'1.5' is no symbol"),
        ("11", "from 0 to 10"),
    ]:
        ran = process("stream", tmp_path / "symbols.safetensors", input=line)
        assert ran.returncode == 1
        assert said in ran.stderr
