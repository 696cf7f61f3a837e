"""What a broker says when it refuses has one of few reasons."""

from __future__ import annotations

import ssl

import pytest
import redis
from amqp import exceptions as amqp_exceptions
from hypothesis import given, strategies as st

from celery_sentinel import errors, poll_results
from celery_sentinel.brokers import failure_reasons
from celery_sentinel.status import broker_advice

TEXTS = {
    "You can't write against a read only replica.": "read_only",
    "NOREPLICAS Not enough good replicas to write.": "read_only",
    "Link with MASTER is down and replica-serve-stale-data is set to 'no'.": "read_only",
    "command not allowed when used memory > 'maxmemory'.": "out_of_memory",
    "OOM command not allowed when used memory > 'maxmemory'.": "out_of_memory",
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to": "misconfigured",
    "CROSSSLOT Keys in request don't hash to the same slot": "cluster",
    "MOVED 3999 127.0.0.1:6381": "cluster",
    "Redis is loading the dataset in memory": "loading",
    "max number of clients reached": "limit",
    "NOT_ALLOWED - access to vhost '/' refused for user 'x': connection limit (1) is reached": (
        "limit"
    ),
    "NOT_ALLOWED - connection refused for user 'x': user connection limit (1) is reached": "limit",
    "NOT_ALLOWED - vhost nowhere not found": "not_found",
    "NOT_ALLOWED - access to vhost 'y' refused for user 'x'": "no_rights",
    "ACCESS_REFUSED - access to exchange 'celeryev' in vhost '/' refused for user 'x'": "no_rights",
    "this user has no permissions to run the 'info' command": "no_rights",
    "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.": "authentication",
    "invalid username-password pair or user is disabled.": "authentication",
    "Authentication required.": "authentication",
    "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)": "tls",
    "Timeout reading from socket": "timeout",
    "no answer to PING": "timeout",
    "Error 111 connecting to localhost:6379. Connection refused.": "unreachable",
    "Connection closed by server.": "unreachable",
    "something new": "other",
    "connection blocked, see broker logs": "blocked",
    "NOT_ALLOWED - vhost OOM not found": "not_found",
    "Error 111 connecting to alarm.example:6379. Connection refused.": "unreachable",
}


@pytest.mark.parametrize(("text", "reason"), TEXTS.items())
def test_given_what_a_server_says_then_its_reason_is_told(text: str, reason: str) -> None:
    """The texts are those of Redis 7 and RabbitMQ 3.10, some without the word redis-py takes."""
    assert failure_reasons.of(errors.BrokerError(text)) == reason


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (redis.exceptions.ReadOnlyError("x"), "read_only"),
        (redis.exceptions.NoPermissionError("x"), "no_rights"),
        (redis.exceptions.AuthenticationError("x"), "authentication"),
        (ssl.SSLError(1, "x"), "tls"),
        (TimeoutError("x"), "timeout"),
        (OSError(113, "x"), "unreachable"),
        (amqp_exceptions.AccessRefused("ACCESS_REFUSED - Login was refused"), "authentication"),
    ],
    ids=str,
)
def test_given_a_cause_then_its_class_tells(cause: Exception, reason: str) -> None:
    """Where the text says nothing, what the error came of does."""
    error = errors.BrokerError("failed")
    error.__cause__ = cause
    assert failure_reasons.of(error) == reason


@given(st.text())
def test_given_any_text_then_there_is_a_reason_and_advice(text: str) -> None:
    """Each reason is of the fixed set, and has words for people."""
    assert broker_advice.of(failure_reasons.of_text(text))


def test_given_an_error_that_is_its_own_cause_then_it_ends() -> None:
    """A chain may be a ring."""
    error = RuntimeError("x")
    error.__cause__ = error
    assert failure_reasons.of(error) in poll_results.REASONS
