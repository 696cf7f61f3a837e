"""The demo hears when it is asked to stop."""

from __future__ import annotations

import os
import signal

import pytest

from celery_sentinel.demo import stop_signals


@pytest.mark.parametrize("number", stop_signals.STOPPING)
def test_a_signal_asks(number: signal.Signals) -> None:
    """Each of the signals counts as a request, and none ends the process."""
    with stop_signals.Asked() as stop:
        assert not stop

        os.kill(os.getpid(), number)

        assert stop
        assert not stop.insists()


def test_a_second_signal_insists() -> None:
    """Whoever asks twice does not want to wait."""
    with stop_signals.Asked() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

        assert stop.insists()


def test_handlers_come_back() -> None:
    """Afterwards signals do what they did before."""
    before = [signal.getsignal(number) for number in stop_signals.STOPPING]

    with stop_signals.Asked():
        assert [signal.getsignal(number) for number in stop_signals.STOPPING] != before

    assert [signal.getsignal(number) for number in stop_signals.STOPPING] == before


def test_nohup_is_respected() -> None:
    """A hangup that the caller chose to ignore stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals.Asked() as stop:
            os.kill(os.getpid(), signal.SIGHUP)

            assert not stop
    finally:
        signal.signal(signal.SIGHUP, before)
