"""From torch state dicts.

reader   a file becomes a chain of parts
file     the tensors of a .safetensors or a .pt, checked before memory is taken
groups   which tensors make a layer
layers   what each kind of layer becomes
"""
