"""Graphs as others write them, torch's exporter and Ostinato's own, read node by node."""

import numpy as np
import onnx
import pytest

from ostinato import Network, cells
from ostinato.architecture import (
    ActivationArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
)
from ostinato.exchange.from_onnx.reader import read_onnx
from tests.comparison import assert_close
from tests.exchange.graphs import numbers
from tests.exchange.onnx_reading import RAGGED, read


def exported():
    """Models of Ostinato's own, of cells that are operators of ONNX."""
    gru, lstm = cells.gru, cells.peephole_lstm
    last, back = LastArchitecture(5), LastArchitecture(5, reverse=True)
    return {
        "ragged": [RecurrentArchitecture(gru, 3, 5, 2, bidirectional=True), LinearArchitecture(10, 2)],
        "last": [RecurrentArchitecture(lstm, 3, 5), last, SoftmaxArchitecture(5)],
        "first": [RecurrentArchitecture(cells.elman, 3, 5, reverse=True), back],
        "residual": [RecurrentArchitecture(cells.gru_v1, 3, 3, 2, residual=True), ActivationArchitecture(3, "mish")],
        "beside": [
            ParallelArchitecture(
                [[RecurrentArchitecture(gru, 3, 5), last], [RecurrentArchitecture(lstm, 3, 5, reverse=True), back]]
            )
        ],
    }


@pytest.mark.parametrize("name", exported())
def test_what_ostinato_exported_is_read_by_its_nodes(name, tmp_path):
    architecture, random = ModelArchitecture(3, exported()[name]), np.random.default_rng(5)
    weights = {name: numbers(random, *shape) for name, shape in architecture.weight_shapes().items()}
    network = Network(architecture, weights)
    network.export_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    # Without what says which model it is of.
    del model.metadata_props[:]
    again, _ = read(model, tmp_path / "m.onnx")
    x = numbers(random, 5, 4, 3)
    y, state = network.run(x, RAGGED)
    found, after = again.run(x, RAGGED)
    assert_close(found, y, "y")
    assert_close([part for layer in after for part in layer], [part for layer in state for part in layer], "state")


def torch_modules():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Tagger(nn.Module):
        """Symbols in, and an answer at every step."""

        def __init__(self):
            super().__init__()
            self.embedding, self.norm, self.head = nn.Embedding(11, 6), nn.LayerNorm(10), nn.Linear(10, 4)
            self.recurrent = nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)

        def forward(self, x):
            y, _ = self.recurrent(self.embedding(x))
            return torch.log_softmax(self.head(nn.functional.silu(self.norm(y))), -1)

    class Classifier(nn.Module):
        """The states of both directions after the last step, and a head."""

        def __init__(self):
            super().__init__()
            self.recurrent, self.head = nn.GRU(3, 5, 2, batch_first=True, bidirectional=True), nn.Linear(10, 4)

        def forward(self, x):
            _, h = self.recurrent(x)
            return self.head(torch.cat([h[-2], h[-1]], 1))

    class Pooled(nn.Module):
        """A learned first state, and pooling over time."""

        def __init__(self):
            super().__init__()
            self.recurrent, self.head = nn.RNN(3, 5, batch_first=True), nn.Linear(10, 4)
            self.start = nn.Parameter(torch.randn(1, 1, 5))

        def forward(self, x):
            y, _ = self.recurrent(x, self.start.expand(-1, x.shape[0], -1).contiguous())
            return self.head(torch.cat([y.mean(1), y.amax(1)], -1))

    return {"tagger": Tagger, "classifier": Classifier, "pooled": Pooled}


@pytest.mark.parametrize("folding", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["tagger", "classifier", "pooled"])
@pytest.mark.filterwarnings("ignore")
def test_what_torch_exports_is_read(name, folding, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    module = torch_modules()[name]().eval()
    x = torch.randint(0, 11, (2, 6)) if name == "tagger" else torch.randn(2, 6, 3)
    path = tmp_path / "m.onnx"
    axes = {"x": {0: "batch", 1: "time"}}
    # The older of torch's two exporters, which needs no package beside torch.
    how = {"dynamo": False, "opset_version": 17, "do_constant_folding": folding}
    torch.onnx.export(module, (x,), path, input_names=["x"], dynamic_axes=axes, **how)
    found = read_onnx(path)
    y, _ = Network(found.architecture, found.weights).run(x.numpy().swapaxes(0, 1))
    assert_close(y.swapaxes(0, 1) if name == "tagger" else y, module(x).detach().numpy(), "y")
