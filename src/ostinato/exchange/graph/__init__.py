"""What the nodes of an ONNX graph mean: the pieces of `ostinato.exchange.onnx_reader`, one thing a file.

axes        what each axis of a tensor is: time, batch, directions, features
paths       the parts that lie between the graph's input and a tensor
values      what a name in the graph can stand for
tensors     the arrays that a file holds, checked before memory is taken
folding     arithmetic on constants
layout      nodes that only move axes
layers      nodes that compute: dense layers, activations, sums, the last step
recurrent   RNN, LSTM and GRU
"""
