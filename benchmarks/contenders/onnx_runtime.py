"""ONNX Runtime."""

from __future__ import annotations

import onnxruntime

from ..problem import Problem
from . import onnx_model
from .contender import Contender, Run


class OnnxRuntime(Contender):
    """A session from NumPy to NumPy, on as many threads as everybody."""

    def prepare(self, problem: Problem) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(onnx_model.model(problem), options, providers=["CPUExecutionProvider"])
        feeds = onnx_model.feeds(problem)
        return Run(lambda: session.run(None, feeds), lambda: onnx_model.arrays(session.run(None, feeds)))


class OneThread(OnnxRuntime):
    """The same on one thread, which is quicker where a step is small."""

    def __init__(self, threads: int) -> None:
        super().__init__(1)
