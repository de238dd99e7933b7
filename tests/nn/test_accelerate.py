"""`ostinato.accelerate` puts the engine under a torch model, keeps all else, and says what it did."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import ostinato
from ostinato.errors import OptionError

from ..comparison import assert_close
from .running import normal

T, B, V, E, H = 7, 3, 11, 4, 6


class Model(nn.Module):
    """Layers of every kind, one of them used twice, and a cell in a loop."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.encoder = nn.LSTM(E, H, num_layers=2, bidirectional=True, batch_first=True)
        self.middle = nn.ModuleDict({"gru": nn.GRU(2 * H, H), "rnn": nn.RNN(H, H, nonlinearity="relu")})
        self.again = self.middle["rnn"]
        self.cells = nn.ModuleList([nn.LSTMCell(H, H), nn.GRUCell(H, H), nn.RNNCell(H, H)])
        self.head = nn.Linear(H, V)

    def forward(self, ids):
        x, _ = self.encoder(self.embedding(ids))
        x, _ = self.middle["gru"](x.transpose(0, 1))
        x, h = self.middle["rnn"](x)
        x, _ = self.again(x, h)
        lstm, gru, rnn = self.cells
        h, c = lstm(x.sum(0))
        return self.head(rnn(x[0], gru(x[1], h + c)))


def model_of(build=Model, *arguments, **options):
    torch.manual_seed(0)
    return build(*arguments, **options)


def ids_of(seed=0):
    return torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))


def train(model, optimizer, steps, accelerate_at=None):
    losses = []
    for step in range(steps):
        if step == accelerate_at:
            ostinato.accelerate(model)
        loss = nn.functional.cross_entropy(model(ids_of(step)), torch.arange(B))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


def test_every_kind_is_replaced_and_gives_the_same():
    model = model_of()
    before = model(ids_of())
    report = ostinato.accelerate(model)
    assert report.model is model
    assert report.replaced == {
        "encoder": "LSTM(4, 6, num_layers=2, batch_first=True, bidirectional=True)",
        "middle.gru": "GRU(12, 6)",
        "middle.rnn": "RNN(6, 6)",
        "cells.0": "LSTMCell(6, 6)",
        "cells.1": "GRUCell(6, 6)",
        "cells.2": "RNNCell(6, 6)",
    }
    assert report.left == {}
    for name in report.replaced:
        module = model.get_submodule(name)
        assert type(module) is getattr(ostinato.nn, type(module).__name__)
    assert model.again is model.middle["rnn"]
    assert_close(model(ids_of()), before)


def test_the_report_prints():
    model = nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 3), parametrizations.weight_norm(nn.LSTM(3, 3), "weight_hh_l0"))
    assert str(ostinato.accelerate(model)) == (
        "1 replaced, 1 left as they are\n"
        "  replaced  0  GRU(2, 3)\n"
        "  left      2  has a parametrization; accelerate before it is registered"
    )
    assert str(ostinato.accelerate(nn.Linear(2, 2))) == "0 replaced, 0 left as they are"


def test_a_model_that_is_a_layer_itself_changes_in_place():
    layer = model_of(nn.LSTM, E, H)
    report = ostinato.accelerate(layer)
    assert report.model is layer
    assert type(layer) is ostinato.nn.LSTM
    assert report.replaced == {"": "LSTM(4, 6)"}
    assert repr(report).endswith("  replaced  (the model)  LSTM(4, 6)")


def test_a_second_time_changes_nothing():
    model = model_of()
    first = ostinato.accelerate(model)
    second = ostinato.accelerate(model)
    assert second.replaced == {}
    assert second.left == dict.fromkeys(first.replaced, "runs on this engine already")


def test_parameters_ties_hooks_and_flags_stay():
    model, calls = model_of(), []
    model.cells[0].weight_hh = model.encoder.weight_hh_l0
    model.middle["gru"].weight_ih_l0.requires_grad_(False)
    model.encoder.eval()
    model.encoder.register_forward_hook(lambda *_: calls.append("forward"))
    model.middle["gru"].register_full_backward_hook(lambda *_: calls.append("backward"))
    model.encoder.note = "kept"
    before, buffers = dict(model.named_parameters(remove_duplicate=False)), model.state_dict()
    ostinato.accelerate(model)
    after = dict(model.named_parameters(remove_duplicate=False))
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert list(model.state_dict()) == list(buffers)
    assert model.cells[0].weight_hh is model.encoder.weight_hh_l0
    assert [model.encoder.training, model.middle["gru"].training] == [False, True]
    assert model.encoder.note == "kept"
    model(ids_of()).sum().backward()
    assert calls == ["forward", "backward"]
    assert model.middle["gru"].weight_ih_l0.grad is None
    assert model.middle["gru"].weight_hh_l0.grad is not None


@pytest.mark.parametrize("accelerate_at", [0, 3])
def test_training_goes_on_with_the_same_optimizer(accelerate_at):
    losses = []
    for at in (None, accelerate_at):
        model = model_of()
        losses.append(train(model, torch.optim.Adam(model.parameters(), 0.01), 6, at))
    assert_close(losses[1], losses[0])


# ---- what is left


class Overridden(nn.GRU):
    def forward(self, input, hx=None):
        return super().forward(2 * input, hx)


class LSTM(nn.Module):
    """Only named like torch's."""


def assert_left(model, reason):
    kind, report = type(model), ostinato.accelerate(model)
    assert report.replaced == {}
    assert list(report.left) == [""]
    assert report.left[""].startswith(reason)
    assert type(model) is kind


def test_other_classes_are_left():
    assert_left(Overridden(2, 3), "is of a class of its own, tests.nn.test_accelerate.Overridden; derive it from ostin")
    assert_left(LSTM(), "is of a class of its own, tests.nn.test_accelerate.LSTM")


def test_a_forward_set_on_the_object_is_left():
    layer = nn.LSTM(2, 3)
    layer.forward = lambda input: input
    assert_left(layer, "has a forward of its own, set on the object")


@pytest.mark.parametrize("layer", [nn.LSTM(2, 3), nn.GRU(2, 3)])
def test_computed_weights_are_left(layer):
    assert_left(prune.l1_unstructured(layer, "weight_hh_l0", amount=0.5), "computes its weights anew for each call")
    cell = prune.identity(nn.GRUCell(2, 3), "bias_hh")
    assert_left(cell, "computes its weights anew for each call")


def test_parametrizations_are_left_and_come_back():
    layer = parametrizations.spectral_norm(nn.LSTM(2, 3), "weight_hh_l0")
    assert_left(layer, "has a parametrization")
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert ostinato.accelerate(layer).left == {}


def test_other_devices_and_types_are_left():
    assert_left(nn.LSTM(2, 3, device="meta"), "has weights on meta; this engine is for the CPU")
    assert_left(nn.GRUCell(2, 3, device="meta"), "has weights on meta")
    assert_left(nn.GRU(2, 3).half(), "has weights of torch.float16; this engine takes float32 and float64")
    assert_left(nn.RNN(2, 3).bfloat16(), "has weights of torch.bfloat16")
    assert ostinato.accelerate(nn.RNN(2, 3).double()).left == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_modules_compiled_by_jit_are_left():
    model = torch.jit.script(nn.Sequential(nn.LSTM(2, 3)))
    assert ostinato.accelerate(model).left == {"0": "is compiled by torch.jit"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_modules_are_left():
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.LSTM(2, 3)), {nn.LSTM})
    left = ostinato.accelerate(model).left
    assert left == {"0": "is quantized (torch.ao.nn.quantized.dynamic.modules.rnn.LSTM)"}


def test_neighbours_of_what_is_left_are_replaced():
    model = nn.ModuleList([Overridden(2, 3), nn.GRU(2, 3)])
    report = ostinato.accelerate(model)
    assert (list(report.replaced), list(report.left)) == (["1"], ["0"])
    x = normal(T, B, 2, dtype=torch.float32)
    assert_close(model[0](x)[0], nn.GRU.forward(model[0], 2 * x)[0])


# ---- the name


def test_what_is_no_module_is_refused():
    with pytest.raises(OptionError, match="accelerate expected a torch module, not a dict"):
        ostinato.accelerate({})


def test_the_name_needs_torch_only_when_it_is_used():
    code = (
        "import sys, ostinato; assert 'accelerate' in dir(ostinato); assert 'torch' not in sys.modules; "
        "sys.modules['torch'] = None; ostinato.accelerate"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "needs torch, which is not installed." in ran.stderr
