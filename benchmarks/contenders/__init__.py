"""Who takes part, by name: a table of what each needs and where it competes."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from ..grid import GROUPS, LIVE, Group, Point
from ..parity import TOLERANCE
from .contender import Contender, Refused, Run

LAYERS: tuple[Group, ...] = ("training", "forward")
RAGGED: tuple[Group, ...] = ("ragged-training", "ragged-forward")
LINEAR: tuple[Group, ...] = ("whole", "alone")


class Entry(NamedTuple):
    """A contender's name, ``module:class`` in this folder, the libraries it needs, the groups it competes in, and
    how far it may be from float64. A name may stand for several classes, of different groups.
    """

    name: str
    source: str
    libraries: tuple[str, ...]
    groups: tuple[Group, ...]
    tolerance: float = TOLERANCE

    @property
    def missing(self) -> list[str]:
        """The libraries that are not installed."""
        return [library for library in self.libraries if find_spec(library) is None]

    def takes(self, point: Point) -> bool:
        """Whether it competes at a point."""
        return point.group in self.groups

    def load(self) -> type[Contender]:
        """Import its module, and with it its libraries."""
        module, name = self.source.split(":")
        contender: type[Contender] = getattr(import_module(module, __package__), name)
        return contender


OURS = "ostinato"
"""The contender that all others are compared with."""
STORED = {"ostinato-bfloat16": 1e-2, "ostinato-int8": 4e-2}
"""Ostinato with matrices in fewer bytes, and how far each may be from float64: weights that are rounded to 8 bits
cannot come nearer, and gates in another order are further off."""

CONTENDERS = (
    Entry(OURS, ".ostinato:Ostinato", ("torch",), (*LAYERS, *RAGGED, *LINEAR, "step", "cells", "text")),
    # What only runs models has no torch: a process of its own.
    Entry(OURS, ".ostinato_live:OstinatoLive", (), LIVE),
    Entry("ostinato-bfloat16", ".ostinato_live:Bfloat16", (), LIVE, STORED["ostinato-bfloat16"]),
    Entry("ostinato-int8", ".ostinato_live:Int8", (), LIVE, STORED["ostinato-int8"]),
    Entry("torch", ".torch_layer:TorchLayer", ("torch",), (*LAYERS, *LIVE, "step", "text")),
    Entry("torch-cell", ".torch_cell:TorchCell", ("torch",), (*LIVE, "step")),
    Entry("torch-packed", ".torch_packed:TorchPacked", ("torch",), RAGGED),
    Entry("torch-padded", ".torch_padded:TorchPadded", ("torch",), RAGGED),
    Entry("torch-loop", ".torch_linear:TorchLoop", ("torch",), LINEAR),
    Entry("torch-doubling", ".torch_linear:TorchDoubling", ("torch",), LINEAR),
    # Sums of logarithms lose digits in float32; it is let in nevertheless, as the form to beat.
    Entry("torch-log-scan", ".torch_linear:TorchLogScan", ("torch",), LINEAR, tolerance=1e-3),
    Entry("jax", ".jax_scan:JaxScan", ("jax",), (*LAYERS, *RAGGED)),
    Entry("keras", ".keras_cell:KerasCell", ("keras", "jax"), ("push",)),
    Entry(
        "onnxruntime",
        ".onnx_runtime:OnnxRuntime",
        ("onnx", "onnxruntime"),
        ("forward", "ragged-forward", "step", *LIVE),
    ),
    Entry("onnxruntime-1", ".onnx_runtime:OneThread", ("onnx", "onnxruntime"), ("step", "push", "generation")),
    Entry("openvino", ".openvino:OpenVino", ("onnx", "openvino"), ("forward", "ragged-forward", "step", *LIVE)),
)

REFERENCE = Entry("reference", ".reference:Reference", ("torch",), tuple(GROUPS))
"""Not a contender: gives the right answer, in float64."""


def is_ours(name: str) -> bool:
    """Whether a contender is Ostinato, in whatever form its matrices are stored."""
    return name == OURS or name in STORED


__all__ = ["CONTENDERS", "OURS", "REFERENCE", "STORED", "Contender", "Entry", "Refused", "Run", "is_ours"]
