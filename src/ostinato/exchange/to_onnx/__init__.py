"""To ONNX.

writer         a model becomes a file, once it is verified
verification   whether ONNX Runtime computes what the model does
graph          a graph as it grows
parts          what each kind of part becomes
recurrent      a layer as the standard's operator
matching       whether a cell is one of those operators, whatever it is called
scan           any other cell, as a Scan of its equations
ragged         sequences of different lengths
"""
