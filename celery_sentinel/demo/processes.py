"""All the processes of the demo: who runs, who died, and who is stopped before whom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import click

from celery_sentinel import errors
from celery_sentinel.demo import process as demo_process, stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TICK = 0.1
GRACE = 5.0

STOP_ORDER: tuple[demo_process.Kind, ...] = ("load", "worker", "monitor", "daemon", "broker")
"""No new tasks at first; then the workers say goodbye, which the daemon hears; the broker last."""

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Somebody asked the demo to stop."""


class ProcessFailedError(errors.SentinelError):
    """A part of the demo ended by itself or was never ready; ``last_words`` end its log.

    What the daemon says with its exit code about its configuration or its port is passed on.
    """

    def __init__(self, failed: demo_process.DemoProcess, what: str, *, whole: str) -> None:
        super().__init__(f"the {whole}'s {failed.name} {what}, so the {whole} stopped")
        self.last_words = f"the end of the log of {failed.name}:\n{failed.tail()}"
        telling = (errors.ConfigError.exit_code, errors.ListenError.exit_code)
        if failed.kind == "daemon" and failed.exit_code in telling:
            self.exit_code = failed.exit_code


class DemoProcesses:
    """The parts in their order of start; what the daemon logs is heard on stderr if audible.

    ``whole`` is what errors call all of it.
    """

    def __init__(
        self,
        asked_to_stop: stop_signals.Asked,
        *,
        directory: Path,
        environment: Mapping[str, str],
        audible: Callable[[str], bool],
        whole: str = "demo",
    ) -> None:
        self._asked = asked_to_stop
        self._directory = directory
        self._environment = environment
        self._audible = audible
        self._whole = whole
        self._parts: list[demo_process.DemoProcess] = []

    def start(
        self, kind: demo_process.Kind, name: str, command: Sequence[str]
    ) -> demo_process.DemoProcess:
        """Start ``command`` as the part called ``name``."""
        started = demo_process.DemoProcess(
            kind, name, command, directory=self._directory, environment=self._environment
        )
        self._parts.append(started)
        return started

    def wait(
        self, question: Callable[[], T | None], whose: demo_process.DemoProcess, *, seconds: float
    ) -> T:
        """Ask until the answer is something; ``whose`` is the part that makes us wait.

        Raises ``Stopped``, and ``PartFailedError`` also when it takes longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.tick()
            if answer := question():
                return answer
            time.sleep(TICK)
        raise ProcessFailedError(whose, f"was not ready within {seconds:g} s", whole=self._whole)

    def hold(self, duration: float | None, each: Callable[[], None]) -> None:
        """Let all run for ``duration`` seconds, without end if None, calling ``each`` often.

        Raises ``Stopped`` and ``PartFailedError``.
        """
        deadline = None if duration is None else time.monotonic() + duration
        while deadline is None or time.monotonic() < deadline:
            self.tick()
            each()
            time.sleep(TICK)

    def tick(self) -> None:
        """Look after the parts.

        Raises ``Stopped`` when asked to stop and ``PartFailedError`` when one died.
        """
        if self._asked:
            raise Stopped
        self._hear()
        for one in self._parts:
            if one.died:
                raise ProcessFailedError(
                    one, f"died (exit code {one.exit_code})", whole=self._whole
                )
            if one.gone:
                one.kill()  # with whatever it left behind
            one.trim_log()
        self._parts = [one for one in self._parts if not one.gone]

    def stop(self) -> None:
        """Stop all parts, politely at first; being asked again means at once."""
        for kind in STOP_ORDER:
            parts = [one for one in self._parts if one.kind == kind]
            demo_process.stop_together(parts, grace=GRACE, hurry=self._asked.insists)
            self._hear()
        self._parts.clear()

    def _hear(self) -> None:
        """Pass on what the daemon logged."""
        for one in self._parts:
            if one.kind == "daemon":
                for line in filter(self._audible, one.new_lines()):
                    click.echo(line, err=True)
