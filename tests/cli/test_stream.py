"""``ostinato stream``: lines in, answers out, at once; and going on from a snapshot."""

import json
import math
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from .running import message_of, process

LINES = ["if the condition\n", "is true\n", "the suite is\n", "executed\n"]


def answers(said):
    return [line.split("\t") for line in said.splitlines()]


def stream(file, given, *flags, **how):
    return process("stream", file, *flags, input=given, **how)


def test_each_line_is_answered_with_its_surprise_and_what_comes_next(small_model, small_file):
    ran = stream(small_file, "".join(LINES), without_torch=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = answers(ran.stdout)
    assert len(found) == len(LINES)
    ids = small_model.vocabulary_.encode("".join(LINES))
    scores, _ = small_model.run(ids[:, None])
    logs = scores[:, 0].astype(np.float64)
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    nats = [math.nan] + [-logs[t, symbol] for t, symbol in enumerate(ids[1:])]
    at = 0
    for line, (told, *following) in zip(LINES, found, strict=True):
        own = [value for value in nats[at : at + len(line)] if not math.isnan(value)]
        at += len(line)
        assert float(told) == pytest.approx(np.mean(own), abs=1e-4)
        best = np.argsort(-logs[at - 1], kind="stable")[:3]
        named = [small_model.vocabulary_.decode(np.array([symbol])) for symbol in best]
        assert [text.rpartition(" ")[0] for text in following] == [repr(symbol) for symbol in named]
        assert [float(text.rpartition(" ")[2]) for text in following] == pytest.approx(
            np.exp(logs[at - 1, best]), abs=1e-3
        )


def test_json_has_the_same_figures(small_file):
    plain, data = (stream(small_file, "".join(LINES), *flags).stdout for flags in ((), ("--json",)))
    for (told, *_), line in zip(answers(plain), data.splitlines(), strict=True):
        fields = json.loads(line)
        assert told == f"{fields['nats_per_symbol']:.4f}"
        assert len(fields["next"]) == 3


def test_an_answer_comes_before_the_next_line_is_there(small_file):
    command = [sys.executable, "-m", "ostinato", "stream", str(small_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        for line in LINES:
            running.stdin.write(line)
            running.stdin.flush()
            assert re.match(r"\d+\.\d{4}\t", running.stdout.readline())
        running.stdin.close()
        assert running.wait(60) == 0


def test_a_snapshot_goes_on_where_the_last_run_ended(small_file, tmp_path):
    kept = tmp_path / "kept"
    whole = stream(small_file, "".join(LINES)).stdout
    first = stream(small_file, "".join(LINES[:2]), "--snapshot", kept)
    second = stream(small_file, "".join(LINES[2:]), "--snapshot", kept)
    assert first.stdout + second.stdout == whole
    assert second.stderr == f"going on after {len(''.join(LINES[:2]))} steps.\n"
    assert stream(small_file, "", "--snapshot", kept, "--quiet").stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_what_was_answered(small_file, tmp_path, number, code):
    kept = tmp_path / "kept"
    whole = stream(small_file, "".join(LINES)).stdout
    command = [sys.executable, "-m", "ostinato", "stream", str(small_file), "--snapshot", str(kept)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Where tests run in the background, interrupts are ignored, and a child would inherit that.
    running = subprocess.Popen(command, text=True, preexec_fn=_with_interrupts, **pipes)
    running.stdin.write("".join(LINES[:2]))
    running.stdin.flush()
    said = running.stdout.readline() + running.stdout.readline()
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == code
    assert said + stream(small_file, "".join(LINES[2:]), "--snapshot", kept).stdout == whole


def _with_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_what_cannot_be_read_is_told_with_its_line_and_loses_nothing(small_file, tmp_path):
    kept = tmp_path / "kept"
    ran = stream(small_file, LINES[0] + "\u2603\n", "--snapshot", kept)
    assert ran.returncode == 1
    message, _ = message_of(ran.stderr)
    assert message.startswith("line 2: ")
    assert len(answers(ran.stdout)) == 1
    whole = stream(small_file, "".join(LINES)).stdout
    assert ran.stdout + stream(small_file, "".join(LINES[1:]), "--snapshot", kept).stdout == whole
    skipped = stream(small_file, LINES[0] + "\u2603\n", "--unknown", "skip")
    assert skipped.returncode == 0
    ran = process("stream", small_file, input=b"\xff\n", text=False)
    assert b"line 1: this is not UTF-8" in ran.stderr


def test_a_place_that_cannot_be_written_is_told_before_a_line_is_read(small_file, tmp_path):
    ran = stream(small_file, LINES[0], "--snapshot", tmp_path / "nowhere" / "kept")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert message_of(ran.stderr)[1] == "check that the folder exists."


def test_wrong_snapshots_are_refused_and_stay(small_file, tmp_path):
    kept = tmp_path / "kept"
    for content, said in ((b"something else", "no snapshot of a stream"), (b"ostinato stream\x02", "newer version")):
        kept.write_bytes(content)
        ran = stream(small_file, LINES[0], "--snapshot", kept)
        assert ran.returncode == 1
        assert said in message_of(ran.stderr)[0]
        assert str(kept) in message_of(ran.stderr)[0]
        assert ran.stdout == ""
        assert kept.read_bytes() == content
    assert os.listdir(tmp_path) == ["kept"]
