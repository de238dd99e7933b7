"""Streams that live for ever: alone, in pools of many, and from snapshots; equal bits in any company."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ostinato import cells
from ostinato.errors import DataError, FileFormatError, OptionError, ShapeError, StreamError
from tests.quick import some_quick

from .problems import OUT, D, V, model

CAPACITY = 7


@pytest.fixture(scope="module")
def running():
    return model(cells.gru)


def pushed(running, symbols):
    """What a new stream answers to symbols, one after the other."""
    stream = running.stream()
    return [stream.push(symbol) for symbol in symbols]


@pytest.mark.parametrize("cell", some_quick(cells.CELLS.values()), ids=lambda cell: cell.name)
def test_a_stream_gives_the_bits_of_the_whole_sequence(cell):
    running = model(cell, symbols=False)
    x = np.random.default_rng(0).normal(size=(12, D)).astype(np.float32)
    y, _ = running.run(x[:, None])
    one, many = running.stream(), running.stream()
    assert one.peek() is None
    for t in range(12):
        assert one.push(x[t]).tobytes() == y[t, 0].tobytes() == one.peek().tobytes()
    assert many.extend(x[:5]).tobytes() == y[:5, 0].tobytes()
    assert many.extend(x[:0]).shape == (0, OUT)
    assert many.extend(x[5:]).tobytes() == y[5:, 0].tobytes()
    assert one.snapshot() == many.snapshot()
    assert one.steps == many.steps == 12


def test_a_stream_that_is_reset_begins_anew(running):
    stream = running.stream()
    first = stream.push(3)
    stream.push(4)
    stream.reset()
    assert (stream.steps, stream.peek()) == (0, None)
    assert stream.push(3).tobytes() == first.tobytes()


def test_a_push_that_is_interrupted_halfway_leaves_the_stream_as_it_was(monkeypatch):
    running = model(cells.gru)
    stream = running.stream()
    for symbol in (1, 2, 3):
        stream.push(symbol)
    before = stream.snapshot()

    def interrupted(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running.parts[-1], "advance", interrupted)  # after the stack has moved
        with pytest.raises(KeyboardInterrupt):
            stream.push(4)
    assert stream.snapshot() == before
    assert stream.push(4).tobytes() == pushed(running, (1, 2, 3, 4))[-1].tobytes()


def test_what_a_stream_returns_is_the_callers(running):
    stream, other = running.stream(), running.stream()
    for symbol in (1, 2, 3):
        y = stream.push(symbol)
        y[:] = np.nan
        stream.peek()[:] = np.nan
        other.push(symbol)
    assert stream.snapshot() == other.snapshot()


@pytest.mark.parametrize(("wrong", "error"), [(V, DataError), (1.5, DataError), ([1, 2], ShapeError)])
def test_a_wrong_push_leaves_the_stream_as_it_was(running, wrong, error):
    stream = running.stream()
    stream.push(1)
    before = stream.snapshot()
    with pytest.raises(error):
        stream.push(wrong)
    assert stream.snapshot() == before


# ---- snapshots


def test_a_restored_stream_goes_on_with_equal_bits(running):
    stream, other = running.stream(), running.stream()
    for symbol in (1, 2, 3):
        stream.push(symbol)
    other.push(9)
    other.restore(stream.snapshot())
    assert other.steps == 3
    assert other.peek().tobytes() == stream.peek().tobytes()
    assert other.push(4).tobytes() == stream.push(4).tobytes()
    fresh = running.stream()
    other.restore(fresh.snapshot())
    assert (other.steps, other.peek()) == (0, None)


def test_a_snapshot_is_small(running):
    stream = running.stream()
    stream.push(1)
    values = 4 * (OUT + sum(part.size for layer in running.initial_state() for part in layer))
    assert len(stream.snapshot()) == values + 16 + 32 + 8 + 32


def test_a_snapshot_of_another_model_is_refused(running):
    kept = model(cells.lstm).stream().snapshot()
    with pytest.raises(FileFormatError, match="of another model"):
        running.stream().restore(kept)


def test_every_truncation_and_every_flipped_bit_is_refused_and_changes_nothing(running):
    stream = running.stream()
    stream.push(1)
    kept = stream.snapshot()
    stream.push(2)
    before = stream.snapshot()
    damaged = [kept[:length] for length in range(len(kept))]
    damaged += [
        kept[:at] + bytes([kept[at] ^ 1 << bit]) + kept[at + 1 :] for at in range(len(kept)) for bit in range(8)
    ]
    damaged += [kept + b"\0", b""]
    for content in damaged:
        with pytest.raises(FileFormatError):
            stream.restore(content)
    assert stream.snapshot() == before
    with pytest.raises(FileFormatError, match="newer version"):
        stream.restore(kept[:15] + b"\x02" + kept[16:])


def test_a_snapshot_restores_in_another_process(small_model, small_file, tmp_path):
    stream = small_model.stream()
    ids = small_model.vocabulary_.encode("if the ")
    stream.extend(ids[:4])
    (tmp_path / "kept").write_bytes(stream.snapshot())
    script = """
import sys, ostinato
stream = ostinato.load(sys.argv[1]).stream()
stream.restore(open(sys.argv[2], "rb").read())
assert "torch" not in sys.modules
sys.stdout.buffer.write(stream.extend([int(symbol) for symbol in sys.argv[3:]]).tobytes())
"""
    command = [sys.executable, "-c", script, str(small_file), str(tmp_path / "kept"), *map(str, ids[4:])]
    found = subprocess.run(command, capture_output=True, check=True)
    assert found.stdout == stream.extend(ids[4:]).tobytes()


# ---- pools


class Pools(RuleBasedStateMachine):
    """A pool beside as many streams that live alone: whatever is opened, closed, reset and stepped, bits are equal."""

    @initialize(seed=st.integers(0, 3))
    def start(self, seed):
        self.model = model(cells.lstm if seed % 2 else cells.min_gru, initial_state="learned" if seed > 1 else "zero")
        self.pool, self.alone, self.closed = self.model.streams(CAPACITY), {}, []

    @precondition(lambda self: len(self.alone) < CAPACITY)
    @rule()
    def open(self):
        stream = self.pool.open()
        assert stream not in self.alone
        assert stream not in self.closed
        self.alone[stream] = self.model.stream()

    @precondition(lambda self: self.alone)
    @rule(data=st.data())
    def close(self, data):
        stream = data.draw(st.sampled_from(sorted(self.alone)))
        self.pool.close(stream)
        del self.alone[stream]
        self.closed.append(stream)

    @precondition(lambda self: self.alone)
    @rule(data=st.data())
    def reset(self, data):
        stream = data.draw(st.sampled_from(sorted(self.alone)))
        self.pool.reset(stream)
        self.alone[stream].reset()

    @rule(data=st.data())
    def step(self, data):
        chosen = data.draw(st.permutations(sorted(self.alone)))[: data.draw(st.integers(0, CAPACITY))]
        symbols = data.draw(st.lists(st.integers(0, V - 1), min_size=len(chosen), max_size=len(chosen)))
        y = self.pool.step(chosen, np.array(symbols, np.int64))
        assert y.shape == (len(chosen), OUT)
        for stream, symbol, found in zip(chosen, symbols, y, strict=True):
            assert found.tobytes() == self.alone[stream].push(symbol).tobytes()

    @precondition(lambda self: len(self.alone) > 1)
    @rule(data=st.data())
    def restore(self, data):
        one, other = data.draw(st.permutations(sorted(self.alone)))[:2]
        self.pool.restore(one, self.alone[other].snapshot())
        self.alone[one].restore(self.pool.snapshot(other))

    @precondition(lambda self: self.closed)
    @rule(data=st.data())
    def use_a_stale_id(self, data):
        stream = data.draw(st.sampled_from(self.closed))
        for use in (self.pool.close, self.pool.reset, self.pool.peek, self.pool.snapshot):
            with pytest.raises(StreamError, match=f"no open stream {stream}"):
                use(stream)
        with pytest.raises(StreamError, match="it was closed, or never opened"):
            self.pool.step([*self.alone, stream], np.zeros(len(self.alone) + 1, np.int64))

    @invariant()
    def each_stands_where_it_would_alone(self):
        assert len(self.pool) == len(self.alone)
        for stream, alone in self.alone.items():
            assert self.pool.snapshot(stream) == alone.snapshot()


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=25, stateful_step_count=25)


def test_a_thousand_streams_that_come_and_go_give_the_bits_that_each_gives_alone(running):
    random = np.random.default_rng(0)
    pool = running.streams(1000)
    taken = {pool.open(): ([], []) for _ in range(1000)}  # what each took since it began, and what it answered
    gone = []
    for _ in range(20):
        for stream in random.choice(list(taken), 60, replace=False):
            pool.close(stream)
            gone.append(taken.pop(stream))
        taken |= {pool.open(): ([], []) for _ in range(60)}
        for stream in random.choice(list(taken), 40, replace=False):
            pool.reset(stream)
            gone.append(taken[stream])
            taken[stream] = ([], [])
        chosen = random.choice(list(taken), random.integers(1, 1000), replace=False)
        symbols = random.integers(0, V, len(chosen))
        for stream, symbol, y in zip(chosen, symbols, pool.step(chosen, symbols), strict=True):
            taken[stream][0].append(symbol)
            taken[stream][1].append(y)
    assert len(pool) == 1000
    for symbols, found in [*gone, *taken.values()]:
        assert [y.tobytes() for y in found] == [y.tobytes() for y in pushed(running, symbols)]


def test_what_is_not_a_number_stays_where_it_is():
    running = model(cells.gru, symbols=False)
    pool, alone = running.streams(3), running.stream()
    a, b, c = pool.open(), pool.open(), pool.open()
    x = np.random.default_rng(0).normal(size=(4, 3, D)).astype(np.float32)
    x[1, 1] = np.nan
    for step in x:
        y = pool.step([a, b, c], step)
        assert y[0].tobytes() == alone.push(step[0]).tobytes()
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()
    pool.close(b)
    d = pool.open()
    assert d != b
    fresh = running.stream()
    assert pool.step([d], x[2, :1])[0].tobytes() == fresh.push(x[2, 0]).tobytes()


def test_a_step_that_is_refused_moves_nobody(running):
    pool = running.streams(2)
    a, b = pool.open(), pool.open()
    pool.step([a, b], np.array([1, 2]))
    before = pool.snapshot(a), pool.snapshot(b)
    for streams, x, error in [
        ([a, a], [1, 2], StreamError),
        ([a, b], [1], ShapeError),
        ([a, b], [1, V], DataError),
        ([a, -1], [1, 2], StreamError),
        ([a, 10**18], [1, 2], StreamError),
        ([a, 1.5], [1, 2], StreamError),
        ([[a, b]], [[1, 2]], StreamError),
    ]:
        with pytest.raises(error):
            pool.step(streams, np.array(x))
    assert (pool.snapshot(a), pool.snapshot(b)) == before
    assert pool.peek(a) is not None


def test_a_full_pool_and_a_wrong_capacity_are_told(running):
    pool = running.streams(1)
    pool.open()
    with pytest.raises(StreamError, match="all 1 streams are open"):
        pool.open()
    for capacity in (0, -3, 1.5, True):
        with pytest.raises(OptionError, match="capacity must be a whole number of at least 1"):
            running.streams(capacity)
