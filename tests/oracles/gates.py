"""What most gates share: the sum W x + b + R h or its parts, and the logistic function."""

import numpy as np


def sigmoid(v):
    return 1.0 / (1.0 + np.exp(-v))


def gate_sum(w, gate, x, h):
    """W x + b + R h for each row."""
    return x @ w[f"W_{gate}"].T + w[f"b_{gate}"] + h @ w[f"R_{gate}"].T


def gate_sum_backward(w, gate, d, x, h, gradients):
    """Add the weights' gradients, given that of the sum; return those of x and h."""
    gradients[f"W_{gate}"] += d.T @ x
    gradients[f"b_{gate}"] += d.sum(axis=0)
    gradients[f"R_{gate}"] += d.T @ h
    return d @ w[f"W_{gate}"], d @ w[f"R_{gate}"]


def input_sum(w, gate, x):
    """W x + b for each row."""
    return x @ w[f"W_{gate}"].T + w[f"b_{gate}"]


def input_sum_backward(w, gate, d, x, gradients):
    """Add the weights' gradients, given that of the sum; return that of x."""
    gradients[f"W_{gate}"] += d.T @ x
    gradients[f"b_{gate}"] += d.sum(axis=0)
    return d @ w[f"W_{gate}"]
