"""Signals are noted between steps, and are themselves again afterwards."""

import signal
import threading

import pytest

from ostinato.training.interrupt import StopRequest

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers():
    """Handlers that show when they are called, and what was there before them put back."""
    called = []
    before = {number: signal.signal(number, lambda number, frame: called.append(number)) for number in NUMBERS}
    yield called
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_while_active_and_taken_as_before_after_it(handlers, number):
    with StopRequest() as stop:
        assert stop.signal_number is None
        signal.raise_signal(number)
        assert stop.signal_number == number
    assert handlers == []
    signal.raise_signal(number)
    assert handlers == [number]


def test_a_second_ctrl_c_ends_at_once():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.signal_number == signal.SIGINT


def test_a_second_termination_is_patient():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal_number == signal.SIGTERM


def test_handlers_come_back_after_an_error(handlers):
    with pytest.raises(ZeroDivisionError), StopRequest():
        raise ZeroDivisionError
    signal.raise_signal(signal.SIGINT)
    assert handlers == [signal.SIGINT]


def test_inactive_it_leaves_signals_alone(handlers):
    with StopRequest(active=False) as stop:
        signal.raise_signal(signal.SIGTERM)
    assert stop.signal_number is None
    assert handlers == [signal.SIGTERM]


def test_outside_the_main_thread_it_does_nothing(handlers):
    noted = []

    def use():
        with StopRequest() as stop:
            noted.append(stop.signal_number)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert noted == [None]
    signal.raise_signal(signal.SIGTERM)
    assert handlers == [signal.SIGTERM]
