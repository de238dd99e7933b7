"""From Keras 3, as data.

reader        a file becomes a chain of parts
file          what lies in a .keras archive and in an HDF5 file, checked before memory is taken
model         the layers of a configuration, in the order in which each reads the one before
groups        which variables are which layer's
layers        what each kind of layer becomes
recurrent     SimpleRNN, LSTM, GRU, and what wraps them
activations   what each activation's name means
"""
