"""The machine: what it is, and what it can do before any library has its part."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import time
import weakref
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np

SOURCE = Path(__file__).with_name("machine.c")
COMPILERS = ("cc", "gcc", "clang")
LIBRARIES = ("ostinato", "numpy", "torch", "jax", "jaxlib", "keras", "onnx", "onnxruntime", "openvino")
USUAL_L2 = 512 * 1024
"""Bytes of a second-level cache, where the system does not tell."""


class Abilities(msgspec.Struct):
    """GFLOP/s of multiply-adds on one thread and on all that are used, GB/s of reading the second-level cache on
    one, and how that was measured.
    """

    peak_one: float
    peak_all: float
    l2_bandwidth: float
    measured_with: str


class Machine(msgspec.Struct):
    """Processor, cores, instruction sets, second-level cache in KiB, memory in GiB, system, versions, and the load
    average before the first measurement (a quiet machine has nearly none).
    """

    processor: str
    cores: int
    instruction_sets: list[str]
    l2_kib: int
    memory_gib: float
    system: str
    versions: dict[str, str]
    load: float
    abilities: Abilities


def describe(meter: Meter) -> Machine:
    """Describe and measure this machine."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return Machine(
        _processor(),
        os.cpu_count() or 1,
        [name for name in ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd") if name in _flags()],
        _l2_bytes() // 1024,
        _memory_gib(),
        f"{platform.system()} {platform.machine()}",
        {"python": platform.python_version()} | _versions(),
        load,
        meter.abilities(),
    )


class Meter:
    """Measures with a small C program if there is a compiler, else with NumPy, whose figures are lower.

    It can be timed in turns with the contenders (`time`), since the peak of a shared machine changes from minute to
    minute.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder)
        program = Path(folder) / "machine"
        self._program = program if _compiled(program) else None

    def time(self, seconds: float) -> float:
        """Return the seconds that 10⁹ multiply-add operations take at the peak on all threads."""
        return 1 / self.peak(self.threads)

    def peak(self, threads: int) -> float:
        """Return the GFLOP/s of multiply-adds on some threads."""
        if self._program:
            return _printed(self._program, "peak", threads)
        matrix = np.ones((1024, 1024), np.float32)
        return 2e-9 * 1024**3 / _quickest(lambda: matrix @ matrix, 10)

    def abilities(self) -> Abilities:
        """Measure everything."""
        one, together = self.peak(1), self.peak(self.threads)
        if self._program:
            bandwidth = _printed(self._program, "read", _l2_bytes() // 2)
            return Abilities(one, together, bandwidth, "a register loop and a read loop in C")
        read = np.ones(_l2_bytes() // 8, np.float32)
        bandwidth = 1e-9 * read.nbytes / _quickest(read.max, 1000)
        said = "NumPy, for want of a C compiler: matmul on all its threads, and max"
        return Abilities(one, together, bandwidth, said)


def _compiled(program: Path) -> bool:
    compiler = next((found for name in (os.environ.get("CC", ""), *COMPILERS) if (found := shutil.which(name))), None)
    options = ["-O3", "-march=native", "-ffp-contract=fast", "-pthread", str(SOURCE), "-o", str(program)]
    return bool(compiler) and subprocess.run([compiler, *options], capture_output=True, check=False).returncode == 0


def _printed(program: Path, *arguments: object) -> float:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _quickest(call: object, times: int) -> float:
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()  # type: ignore[operator]
        taken.append(time.perf_counter() - begin)
    return min(taken)


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpuinfo(*keys: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split("\t")[0].strip() in keys), "")


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _flags() -> list[str]:
    return _cpuinfo("flags", "Features").split()


def _l2_bytes() -> int:
    try:
        return os.sysconf("SC_LEVEL2_CACHE_SIZE") or USUAL_L2
    except (AttributeError, OSError, ValueError):
        return USUAL_L2


def _memory_gib() -> float:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return 0.0
