"""From ONNX graphs.

reader      a file becomes a chain of parts
own         a file that Ostinato wrote becomes the model that it was
axes        what each axis of a tensor is: time, batch, directions, features
paths       the parts that lie between the graph's input and a tensor
values      what a name in the graph can stand for
tensors     the arrays that a file holds, checked before memory is taken
folding     arithmetic on constants
lengths     what is computed from the lengths of sequences
layout      nodes that only move axes
layers      nodes that compute: dense layers, activations, sums, the last step
recurrent   RNN, LSTM and GRU
"""
