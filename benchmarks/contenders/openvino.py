"""OpenVINO, on the same ONNX model as ONNX Runtime."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import openvino

from ..problem import Array, Problem
from . import onnx_live, onnx_model
from .contender import Contender, Run
from .live import Push, live_run


class OpenVino(Contender):
    """A compiled model from NumPy to NumPy, without copies of either, in float32."""

    def prepare(self, problem: Problem) -> Run:
        core = openvino.Core()
        options = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        model = onnx_live.model(problem) if problem.point.is_live else onnx_model.model(problem)
        compiled = core.compile_model(core.read_model(model), "CPU", options)
        if problem.point.is_live:
            return _live(problem, compiled)
        request, feeds = compiled.create_infer_request(), onnx_model.feeds(problem)

        def call() -> Any:
            return request.infer(feeds, share_inputs=True, share_outputs=True)

        return Run(call, lambda: onnx_model.arrays([call()[output].copy() for output in compiled.outputs]))


def _live(problem: Problem, compiled: openvino.CompiledModel) -> Run:
    """Return the run of two requests in turns: what one puts out is read by the other where it lies."""
    names, count, writes = onnx_live.inputs(problem), len(problem.state), problem.point.group == "generation"

    def begin() -> Push:
        state: Any = onnx_live.first_states(problem)
        requests = cycle([compiled.create_infer_request(), compiled.create_infer_request()])

        def push(x: Array) -> Array:
            nonlocal state
            feeds = dict(zip(names, (x, *state), strict=True))
            outputs = next(requests).infer(feeds, share_inputs=True, share_outputs=True).to_tuple()
            state = outputs[-count:]
            # What is written is kept by the caller, while the request puts its next symbol into the same memory.
            return outputs[0].copy() if writes else outputs[0]

        return push

    return live_run(problem, begin, lambda x: x[None])
