"""The machine: what it is, and what it can do before any library has its part."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np

SOURCE = Path(__file__).with_name("machine.c")
COMPILERS = ("cc", "gcc", "clang")
LIBRARIES = ("ostinato", "numpy", "torch", "jax", "jaxlib", "onnx", "onnxruntime", "openvino")
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


def describe(threads: int) -> Machine:
    """Describe and measure this machine, used on some threads."""
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
        measure(threads),
    )


def measure(threads: int) -> Abilities:
    """Measure with a small C program if there is a compiler, else with NumPy, whose figures are lower."""
    compiler = next((found for name in (os.environ.get("CC", ""), *COMPILERS) if (found := shutil.which(name))), None)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "machine"
        if compiler and _compiled(compiler, program):
            return Abilities(
                _printed(program, "peak", 1),
                _printed(program, "peak", threads),
                _printed(program, "read", _l2_bytes() // 2),
                "a register loop and a read loop in C",
            )
    return _measure_with_numpy()


def _compiled(compiler: str, program: Path) -> bool:
    command = [compiler, "-O3", "-march=native", "-ffp-contract=fast", "-pthread", str(SOURCE), "-o", str(program)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _printed(program: Path, *arguments: object) -> float:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _measure_with_numpy() -> Abilities:
    matrix, read = np.ones((1024, 1024), np.float32), np.ones(_l2_bytes() // 8, np.float32)
    peak = 2e-9 * 1024**3 / _quickest(lambda: matrix @ matrix, 10)
    bandwidth = 1e-9 * read.nbytes / _quickest(read.max, 1000)
    return Abilities(peak, peak, bandwidth, "NumPy, for want of a C compiler: matmul on all its threads, and max")


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
