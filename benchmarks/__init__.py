"""How fast Ostinato is, beside torch.nn, JAX, Keras, ONNX Runtime and OpenVINO on the same machine.

``python -m benchmarks`` runs it.

grid         which points are timed
problem      a point's arrays, the same for everyone
reference    the right answer in float64; parity: who is close enough to be timed
contenders/  who takes part, a file each
worker       a contender in a process of its own; timing: in turns
machine      what the machine itself can do
run          all of that, in order
report, summary, table, plot: what came of it
"""
