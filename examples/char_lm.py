"""A character language model from its parts: raw text to samples, top to bottom, with no task class.

python examples/char_lm.py book.txt            (or .txt.gz; about five minutes on two cores)
"""

import argparse
import gzip
import math
import sys
import time
from pathlib import Path

import torch
from torch import nn

from ostinato.cells import bias, cell, sigmoid, tanh
from ostinato.nn import Recurrent, detach


# The recurrence, as its equations: an LSTM whose input gate is what the forget gate leaves (Greff et al. 2017).
@cell(gates="f g o", state="h c", init={"f": bias(1.0)})
def coupled_lstm(x, R, s):
    f = sigmoid(x.f + R.f(s.h))
    g = tanh(x.g + R.g(s.h))
    o = sigmoid(x.o + R.o(s.h))
    c = f * s.c + (1 - f) * g
    return o * tanh(c), c


class CharacterModel(nn.Module):
    def __init__(self, cell, vocabulary, hidden, embedding=64, dropout=0.3):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.recurrent = Recurrent(cell, embedding, hidden)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, vocabulary))

    def forward(self, ids, state=None):  # ids [T, B] → scores [T, B, V]
        y, state = self.recurrent(self.embedding(ids), state)
        return self.head(y), state


arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("text", type=Path)
arguments.add_argument("--cell", default="lstm", help="lstm, gru, …, or coupled_lstm, which is defined here")
arguments.add_argument("--hidden", type=int, default=512)
arguments.add_argument("--steps", type=int, default=1700)
given = arguments.parse_args()
batch, length = 32, 128  # parallel streams, and the steps that gradients go back

# Text to ids, split in order: the last tenth is held out.
text = (gzip.open if given.text.suffix == ".gz" else open)(given.text, "rt", encoding="utf-8").read()
characters = sorted(set(text))
ids = torch.tensor([*map({c: i for i, c in enumerate(characters)}.get, text)])
train, held_out = ids.tensor_split([int(0.9 * len(ids))])

torch.manual_seed(0)
chosen = coupled_lstm if given.cell == "coupled_lstm" else given.cell
model = CharacterModel(chosen, len(characters), given.hidden)
optimiser = torch.optim.AdamW(model.parameters(), lr=0.003)
schedule = torch.optim.lr_scheduler.LambdaLR(  # a warm-up of 100 steps, then half a cosine
    optimiser, lambda step: min(1, (step + 1) / 100) * (1 + math.cos(math.pi * step / given.steps)) / 2
)


def loss(inputs, targets, state):
    scores, state = model(inputs, state)
    return nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten()), detach(state)


# Truncated back-propagation through time over parallel streams, which carry their state from chunk to chunk.
stream_length = (len(train) - 1) // batch // length * length
inputs = train[: batch * stream_length].view(batch, -1).t()
targets = train[1 : batch * stream_length + 1].view(batch, -1).t()
begin = time.perf_counter()
state = None
for step in range(given.steps):
    start = step * length % stream_length
    chunk = slice(start, start + length)
    value, state = loss(inputs[chunk], targets[chunk], state if start else None)
    optimiser.zero_grad()
    value.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    if (step + 1) % max(1, given.steps // 10) == 0:
        speed = (step + 1) * batch * length / (time.perf_counter() - begin)
        print(f"step {step + 1:5d}  loss {value.item():.3f}  {speed:,.0f} characters/s", file=sys.stderr)

# Held-out loss, in one reading from beginning to end; then a sample, one character at a time.
model.eval()
with torch.no_grad():
    value, state = loss(held_out[:-1, None], held_out[1:, None], None)
    print(f"held out: {value:.4f} nats a character, {value / math.log(2):.4f} bits")
    symbol, state = torch.tensor([[characters.index("\n")]]), None
    for _ in range(300):
        scores, state = model(symbol, state)
        symbol = torch.multinomial(torch.softmax(scores[0] / 0.8, dim=1), 1)
        print(characters[symbol.item()], end="")
