"""ONNX Runtime."""

from __future__ import annotations

import onnxruntime

from ..problem import Array, Problem
from . import onnx_live, onnx_model
from .contender import Contender, Run
from .live import Push, live_run


class OnnxRuntime(Contender):
    """A session from NumPy to NumPy, on as many threads as everybody."""

    def prepare(self, problem: Problem) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        model = onnx_live.model(problem) if problem.point.is_live else onnx_model.model(problem)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        if problem.point.is_live:
            return _live(problem, session)
        feeds = onnx_model.feeds(problem)
        return Run(lambda: session.run(None, feeds), lambda: onnx_model.arrays(session.run(None, feeds)))


class OneThread(OnnxRuntime):
    """The same on one thread, which is quicker where a step is small."""

    def __init__(self, threads: int) -> None:
        super().__init__(1)


def _live(problem: Problem, session: onnxruntime.InferenceSession) -> Run:
    """Return the run of a session whose states are given back to it."""
    names, count = onnx_live.inputs(problem), len(problem.state)

    def begin() -> Push:
        state = onnx_live.first_states(problem)

        def push(x: Array) -> Array:
            nonlocal state
            outputs = session.run(None, dict(zip(names, (x, *state), strict=True)))
            state = outputs[-count:]
            return outputs[0]

        return push

    return live_run(problem, begin, lambda x: x[None])
