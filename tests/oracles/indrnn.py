"""Independently recurrent network (Li et al. 2018): h' = max(W x + b + u h, 0), u a vector."""

import numpy as np

from .gates import input_sum, input_sum_backward
from .sequence import Oracle


def step(w, x, s):
    total = input_sum(w, "h", x) + w["p_u"] * s["h"]
    return {"h": np.where(total > 0, total, 0.0)}, total > 0


def step_backward(w, x, s, active, d_new, gradients):
    d = np.where(active, d_new["h"], 0.0)
    gradients["p_u"] += (d * s["h"]).sum(axis=0)
    return input_sum_backward(w, "h", d, x, gradients), {"h": d * w["p_u"]}


indrnn = Oracle(("h",), ("h",), step, step_backward, vectors=("p_u",), recurrent=())
