"""``python -m tests.fuzz TARGET --seconds 600``: fuzz one target, and keep what it cannot stand."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

MEMORY_MB, CALL_SECONDS = 2048, 20
"""What one call may take."""


def main() -> None:
    """Fuzz the target named on the command line."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    arguments.add_argument("target")
    arguments.add_argument("--seconds", type=int, default=600)
    given = arguments.parse_args()
    import atheris

    from tests.fuzz.targets import FINDS, TARGETS

    target = TARGETS[given.target]
    finds = FINDS / given.target
    finds.mkdir(parents=True, exist_ok=True)
    if target.in_child:
        _mutate(target.run, target.seeds(), finds, given.seconds)
        return
    with tempfile.TemporaryDirectory() as corpus:
        for index, seed in enumerate(target.seeds()):
            target.run(seed)  # so that what is imported on the way is instrumented, too
            (Path(corpus) / f"seed{index}").write_bytes(seed)
        limits = [f"-rss_limit_mb={MEMORY_MB}", f"-timeout={CALL_SECONDS}", f"-max_total_time={given.seconds}"]
        options = [*limits, f"-artifact_prefix={finds}/", "-max_len=20000", corpus]
        for function in _functions():
            atheris.instrument_func(function)
        atheris.Setup([sys.argv[0], *options], target.run)
        atheris.Fuzz()


def _functions() -> Iterator[FunctionType]:
    """Yield every function of Ostinato's that is loaded. (An editable install has an import hook of its own.)"""
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == "ostinato"]:
        for value in list(vars(module).values()):
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                yield value
            elif isinstance(value, type) and value.__module__ == module.__name__:
                yield from (method for method in vars(value).values() if isinstance(method, FunctionType))


def _mutate(run, seeds, finds, seconds) -> None:
    """Change files at random, in processes of their own: there a library may crash, and its paths are not seen."""
    chance, end, count = random.Random(0), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 4, 8, 32))):
            at = chance.randrange(len(content))
            way = chance.random()
            if way < 0.5:
                content[at] = chance.choice((0, 0xFF, content[at] ^ (1 << chance.randrange(8)), chance.randrange(256)))
            elif way < 0.7:
                content[at : at + chance.choice((1, 4, 8))] = chance.choice((b"", b"\xff" * 8, b"\0" * 4))
            elif way < 0.85:
                other = chance.randrange(len(content))
                content[at : at + 16] = content[other : other + 16]
            else:
                del content[at:]
            content = content or bytearray(1)
        count += 1
        try:
            run(bytes(content))
        except Exception:
            traceback.print_exc()
            (finds / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    sys.stderr.write(f"{count} files in {seconds} s\n")


main()
