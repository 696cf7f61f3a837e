"""Asks all workers at once over Celery's remote control and gathers what they answer."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from celery_sentinel import errors, poll_results
from celery_sentinel.brokers import registry
from celery_sentinel.remote_control import (
    amqp as control_amqp,
    connection as control_connection,
    redis as control_redis,
    replies,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from celery_sentinel.config import schema

T = TypeVar("T")

ROOM = 64 * 1024 * 1024  # bytes of answers kept of one round; of a fleet of 2,000 some 20 MB
AT_HAND = 0.05  # seconds in which an answer that is already there is read


class Control:
    """One connection and one reply queue for its whole life; used by one thread.

    Celery's own ``inspect`` makes a new reply queue for each call, which on Redis costs every
    other call its answers. ``unreadable`` counts answers that were no answers. ``listened`` is
    False where the broker says that nobody listens to questions there.
    """

    def __init__(self, config: schema.Config) -> None:
        self.unreadable = 0
        self.listened = True
        self._line = _line_of(config)
        self._open = self._proven = False
        self._clock = itertools.count(1)
        self._tickets: dict[str, str] = {}
        self._answers: list[replies.Answer] = []
        self._awaited: set[tuple[str, str]] = set()
        self._room = ROOM
        self._refused = ""  # why the last unreadable answer of this round was so

    def ask(
        self,
        *,
        expected: Collection[str],
        timeout: float,
        among: Sequence[str] | None = None,
        stalled: Collection[str] = (),
    ) -> list[poll_results.WorkerReading]:
        """Ask all workers, or those ``among``, all questions, and the ``stalled`` for rate limits.

        Returns once all node names ``expected`` have answered; without any, or if one does
        not, after ``timeout`` seconds, or twice that while answers keep coming. Others are in
        the result as far as they answered until then. Raises ``errors.BrokerError``.
        """
        self._over_the_line(lambda: self._ask(expected, timeout, among, stalled))
        if self._refused and not self._answers:
            raise errors.BrokerError(f"no answer could be read: {self._refused}")
        return replies.merge(self._answers)

    def tell(self, command: str, destination: Sequence[str]) -> None:
        """Send a command to these workers without waiting for an answer."""

        def send() -> None:
            if self._prepare():
                self._publish(command, destination=destination)
                self._line.check()  # what was written may have gone nowhere

        self._over_the_line(send)

    def close(self) -> None:
        """Leave nothing behind, and disconnect."""
        self._open = False
        self._line.close()

    def _over_the_line(self, act: Callable[[], T]) -> T:
        """Act on the connection; one that was closed while it was idle is opened again at once."""
        idle = self._open
        try:
            return self._act(act)
        except errors.BrokerError:
            if not idle or self._proven:
                raise
            return self._act(act)

    def _act(self, act: Callable[[], T]) -> T:
        self._proven = False
        try:
            if not self._open:
                self._line.open()
                self._open = True
            return act()
        except Exception as error:
            self._open = False
            self._line.drop()
            raise errors.BrokerError(str(error) or type(error).__name__) from error

    def _prepare(self) -> bool:
        self.listened = self._line.prepare()
        self._proven = True  # the broker has answered: what fails from here on fails now
        return self.listened

    def _ask(
        self,
        expected: Collection[str],
        timeout: float,
        among: Sequence[str] | None,
        stalled: Collection[str],
    ) -> None:
        self._answers, self._refused, self._room = [], "", ROOM
        self._awaited = {(name, asked) for name in expected for asked in replies.ROUND}
        self._awaited |= {(name, replies.RATE_LIMITS) for name in stalled}
        self._tickets = {str(uuid.uuid4()): question for question in replies.QUESTIONS}
        if not self._prepare():
            return
        for ticket, question in self._tickets.items():
            destination = list(stalled) if question == replies.RATE_LIMITS else among
            if destination != []:
                self._publish(question, destination=destination, ticket=ticket, timeout=timeout)
        if not self._gather(timeout):
            # Silence is the workers' only if the broker itself is still there to carry a word.
            self._line.check()
        self._line.end()

    def _publish(
        self,
        command: str,
        *,
        destination: Sequence[str] | None = None,
        ticket: str | None = None,
        timeout: float | None = None,
    ) -> None:
        asked = replies.QUESTIONS.get(command)
        message: dict[str, Any] = {
            "method": command,
            "arguments": asked.arguments if asked else {},
            "destination": None if destination is None else list(destination),
            "pattern": None,
            "matcher": None,
        }
        if ticket is not None:
            message["ticket"] = ticket
            message["reply_to"] = self._line.reply_to
        expires = time.time() + timeout if timeout else 0
        self._line.publish(message, {"clock": next(self._clock), "expires": expires})

    def _gather(self, timeout: float) -> bool:
        """Read answers; tell whether all that were awaited came."""
        deadline = time.monotonic() + timeout
        everybody = not self._awaited
        while everybody or self._awaited:
            now = time.monotonic()
            if now >= deadline + timeout:
                return False
            try:
                message = self._line.receive(max(deadline - now, AT_HAND))
            except control_connection.MalformedError as error:
                self._refuse(str(error))
                continue
            if message is None:
                return False
            self._take(message)
        return True

    def _take(self, message: control_connection.Message) -> None:
        """Keep an answer to a question of this round; late ones are no concern of ours."""
        if not isinstance(message.ticket, str):
            self.unreadable += 1
            return
        question = self._tickets.get(message.ticket)
        if question is None:
            return
        self._room -= len(message.body) if isinstance(message.body, Sized) else 0
        if self._room < 0:
            self._refuse(f"answers of more than {ROOM} bytes in one round")
            return
        try:
            answer = replies.read(question, message.content_type, message.body)
        except ValueError as error:
            self._refuse(str(error))
            return
        self._answers.append(answer)
        self._awaited.discard((answer.hostname, question))

    def _refuse(self, reason: str) -> None:
        self.unreadable += 1
        self._refused = reason


def _line_of(config: schema.Config) -> control_connection.Line:
    transport = registry.transport_of(config.broker.url)
    if transport in registry.REDIS:
        return control_redis.RedisLine(config)
    if transport in registry.AMQP:
        return control_amqp.AmqpLine(config)
    from celery_sentinel.remote_control import kombu as control_kombu  # noqa: PLC0415 -- Celery only where it speaks

    return control_kombu.KombuLine(config)
