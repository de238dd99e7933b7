"""OpenVINO, on the same ONNX model as ONNX Runtime."""

from __future__ import annotations

from typing import Any

import openvino

from ..problem import Problem
from . import onnx_model
from .contender import Contender, Run


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
        compiled = core.compile_model(core.read_model(onnx_model.model(problem)), "CPU", options)
        request, feeds = compiled.create_infer_request(), onnx_model.feeds(problem)

        def call() -> Any:
            return request.infer(feeds, share_inputs=True, share_outputs=True)

        return Run(call, lambda: onnx_model.arrays([call()[output].copy() for output in compiled.outputs]))
