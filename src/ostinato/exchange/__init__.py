"""In from other formats and out to them: ONNX, Keras, torch.

reading         the one way in: a file becomes a network, read in a guarded process
child           that process, and its limits
formats         which reader reads a file
imported        what every reader makes: a chain of parts, built layer by layer
operators       RNN, LSTM and GRU as ONNX defines them, as cells
layers          layers with weights that several tools have, as parts
functions       functions that several tools have, as parts
description     what a file of weights alone is made of, in words
weight_groups   the layers that a file of weights alone must be
from_onnx, from_keras, from_torch    the readers
to_onnx         the writer
"""
