"""A daemon that asks its workers often, and the client it asks with, on its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import errors
from celery_sentinel.config import schema
from celery_sentinel.remote_control import client as remote_control
from tests.integration.workers import impostor
from tests.servers import deadline

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Collection

    from celery_sentinel import poll_results
    from tests.servers import daemon

SECONDS = 60.0

FAST: dict[str, dict[str, Any]] = {
    "metrics": {"zero_born_hold": "0s"},
    "polling": {"queues": "0.5s", "workers": "2s", "timeout": "1s"},
    "workers": {"wedged_after": "3s"},
}


@pytest.fixture
def ask_often(watch: Callable[..., daemon.Daemon]) -> Callable[..., daemon.Daemon]:
    """Start a daemon with short intervals; keywords are sections of the config to change."""

    def start(broker_url: str, **sections: dict[str, Any]) -> daemon.Daemon:
        names = FAST.keys() | sections.keys()
        config = {name: {**FAST.get(name, {}), **sections.get(name, {})} for name in names}
        return watch(broker_url, config=json.dumps(config))

    return start


@pytest.fixture
def make_control(closing: contextlib.ExitStack) -> Callable[[str], remote_control.Control]:
    """Make any number of clients of the workers' remote control."""

    def make(broker_url: str) -> remote_control.Control:
        made = remote_control.Control(schema.Config(broker=schema.Broker(url=broker_url)))
        closing.callback(made.close)
        return made

    return make


@pytest.fixture
def start_impostor(closing: contextlib.ExitStack) -> Callable[..., impostor.Impostor]:
    """Start any number of clients that answer in the place of workers."""

    def start(broker_url: str, answer: impostor.Answer) -> impostor.Impostor:
        return closing.enter_context(impostor.Impostor(broker_url, answer))

    return start


def answered(
    asking: remote_control.Control, names: Collection[str]
) -> list[poll_results.WorkerReading]:
    """Ask until all ``names`` have answered; return what they said.

    On Redis a worker says that it is ready before it listens to questions.
    """

    def found() -> list[poll_results.WorkerReading]:
        told = asking.ask(expected=names, timeout=5)
        return told if {one.hostname for one in told} >= set(names) else []

    return deadline.wait_until(found, SECONDS, f"{', '.join(names)} answer")


def unanswered(asking: remote_control.Control, names: Collection[str]) -> None:
    """Ask ``names``, who are frozen, and end without them; a broker that is late is asked again."""

    def round_over() -> bool:
        try:
            assert asking.ask(expected=names, timeout=0.2) == []
        except errors.BrokerError:
            return False
        return True

    deadline.wait_until(round_over, SECONDS, "a round without an answer")
