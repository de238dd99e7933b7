"""Memory and time of back-propagation through 10,000 steps, for some values of `checkpoint_steps`.

    python -m benchmarks.memory

Each value runs in a process of its own, since a process never tells less than its largest size so far.
"""

from __future__ import annotations

import subprocess
import sys
import time

STEPS, BATCH, FEATURES, UNITS = 10_000, 8, 64, 128
VALUES = ("None", "1000", "100", "10")


def measure(value: str) -> str:
    """Return the row of a table for one value: memory beyond x, y and their gradients, and processor time."""
    import resource

    import torch

    from ostinato.nn import Recurrent

    torch.manual_seed(0)
    layer = Recurrent("lstm", FEATURES, UNITS, checkpoint_steps=None if value == "None" else int(value))
    x = torch.randn(STEPS, BATCH, FEATURES, requires_grad=True)
    d_y = torch.randn(STEPS, BATCH, UNITS)
    layer(x[:4])[0].sum().backward()
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    y, _ = layer(x)
    y.backward(d_y)
    seconds = time.process_time() - begin
    # ru_maxrss counts KiB on Linux. x and d_y were there before; y is new, and so is what x.grad grew by.
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    results = 4 * (y.numel() + x.numel()) / 2**20
    return f"| {value} | {grown - results:.0f} MiB | {seconds:.2f} s |"


def main() -> None:
    """Print the table, or the row that a child process was asked for."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if len(sys.argv) > 1:
        sys.stdout.write(measure(sys.argv[1]) + "\n")
        return
    sizes = f"LSTM, T = {STEPS:,}, B = {BATCH}, D = {FEATURES}, H = {UNITS}"
    sys.stdout.write(f"| {sizes} | memory | processor time |\n|---|---|---|\n")
    for value in VALUES:
        subprocess.run([sys.executable, "-m", "benchmarks.memory", value], check=True)


if __name__ == "__main__":
    main()
