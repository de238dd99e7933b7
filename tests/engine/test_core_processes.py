"""The core among processes and threads: after a fork, from several threads at once, while Python ends.

Each runs in a process of its own, that may neither hang nor die.
"""

import os
import subprocess
import sys
import textwrap

import pytest

TIMEOUT = 60
"""Seconds: a hang, on however busy a machine."""
START = """
import os, sys, threading, time
import numpy as np
from ostinato.cells import CELLS
from ostinato.engine import prepare, sequence

def problem(T, B, D, H):
    program, random = CELLS["lstm"].program, np.random.default_rng(0)
    weights = {
        name: (0.3 * random.normal(size=shape)).astype(np.float32)
        for name, shape in program.weight_shapes(D, {"H": H}).items()
    }
    x = random.normal(size=(T, B, D)).astype(np.float32)
    return program, weights, x, [random.normal(size=(B, H)).astype(np.float32) for _ in range(2)]

program, weights, x, state = problem(20, 40, 90, 97)
lstm = prepare(program, weights)
expected = lstm.sequence(x, state)[0].tobytes()
is_right = lambda: lstm.sequence(x, state)[0].tobytes() == expected
"""


def run(code, threads=3, timeout=TIMEOUT):
    """Run code after `START` with some threads of the core; return what it printed, once it has ended well."""
    ran = subprocess.run(
        # Python from 3.12 on warns of every fork beside threads.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", START + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"OSTINATO_THREADS": str(threads)},
    )
    assert (ran.returncode, ran.stderr) == (0, ""), f"ended with {ran.returncode}: {ran.stderr[-2000:]}"
    return ran.stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("threads", [1, 3])
def test_after_a_fork_both_processes_compute(threads):
    said = run(
        """
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if is_right() and is_right() else 3)
            print(is_right(), os.waitpid(child, 0)[1])
        """,
        threads,
    )
    assert said == ["True", "0"] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_while_another_thread_computes():
    said = run(
        """
        stop = threading.Event()
        def work():
            while not stop.is_set():
                lstm.sequence(x, state)
        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if is_right() else 3)
            print(os.waitpid(child, 0)[1])
        stop.set()
        thread.join()
        print(is_right())
        """
    )
    assert said == ["0"] * 10 + ["True"]


def test_several_python_threads_at_once_have_equal_results():
    said = run(
        """
        import torch
        tensors = {name: torch.from_numpy(weight).requires_grad_() for name, weight in weights.items()}
        parts = [torch.from_numpy(part) for part in state]

        def gradients():
            given = torch.from_numpy(x).clone().requires_grad_()
            y, _ = sequence(program, tensors, given, parts)
            found = torch.autograd.grad(y.square().sum(), [given, *tensors.values()])
            return b"".join(part.numpy().tobytes() for part in found)

        step = lambda: lstm.step(x[0], state)[0].tobytes()
        works = {gradients: gradients(), step: step(), is_right: True}
        wrong = []

        def work():
            for _ in range(10):
                wrong.extend(of.__name__ for of, before in works.items() if of() != before)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(wrong))
        """
    )
    assert said == ["0"]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [1, 3])
def test_python_ends_while_daemon_threads_compute(threads, count):
    said = run(
        f"""
        program, weights, x, state = problem(100, 32, 64, 64)
        lstm, running = prepare(program, weights), threading.Barrier({count + 1})
        def work():
            lstm.sequence(x, state)
            running.wait()
            while True:
                lstm.sequence(x, state)
        for _ in range({count}):
            threading.Thread(target=work, daemon=True).start()
        running.wait()
        time.sleep(0.05)
        print("leaving")
        """,
        threads,
    )
    assert said == ["leaving"]


def test_python_ends_while_daemon_threads_take_steps():
    said = run(
        """
        def work():
            while True:
                lstm.step(x[0], state)
        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
        print("leaving")
        """
    )
    assert said == ["leaving"]


def test_a_signal_reaches_python_while_the_core_computes():
    said = run(
        """
        import signal
        program, weights, x, state = problem(200, 64, 128, 128)
        lstm = prepare(program, weights)
        told = []
        signal.signal(signal.SIGUSR1, lambda *_: told.append("told"))
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        begin = time.monotonic()
        while not told and time.monotonic() < begin + 30:
            lstm.sequence(x, state)
        print(*told)
        """
    )
    assert said == ["told"]


def test_tensors_without_memory_are_refused():
    """Reading them would end the process."""
    said = run(
        """
        import torch
        tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
        parts = [torch.from_numpy(values) for values in state]
        empty_parts = [values.to("meta") for values in parts]
        empty_tensors = {name: weight.to("meta") for name, weight in tensors.items()}
        for weights, state in ((tensors, empty_parts), (empty_tensors, parts)):
            try:
                sequence(program, weights, torch.from_numpy(x), state)
            except Exception as error:
                print(type(error).__name__, "meta" in str(error))
        """
    )
    assert said == ["ShapeError", "True"] * 2
