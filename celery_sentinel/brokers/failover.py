"""Connects to the first address that answers, and says of each of the others why it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from celery_sentinel import errors
from celery_sentinel.brokers import other_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

A = TypeVar("A")
T = TypeVar("T")


class Place(NamedTuple):
    """Where an address leads: in words, and its host and port; port None is a unix socket."""

    text: str
    host: str = ""
    port: int | None = None


def first_reachable(
    addresses: Iterable[A],
    attempt: Callable[[A], T],
    *,
    place: Callable[[A], Place],
    expected: other_servers.Server,
    failures: tuple[type[Exception], ...],
) -> T:
    """Return what the first attempt returns that does not raise one of ``failures``.

    An attempt that fails has dropped its connection by itself. Raises ``errors.BrokerError`` with
    the reason of each address, and what answers there instead of what was ``expected``; its cause
    is the failure where there was but one.
    """
    told: list[str] = []
    causes: list[Exception] = []
    for address in addresses:
        try:
            return attempt(address)
        except failures as error:
            causes.append(error)
            told.append(_told(place(address), error, expected))
    cause = causes[0] if len(causes) == 1 else None
    raise errors.BrokerError("; ".join(told) or "no address to connect to") from cause


def text_of(error: BaseException) -> str:
    """Return the reason inside an error; that of py-amqp leads with reply codes in its str()."""
    return getattr(error, "reply_text", None) or str(error) or type(error).__name__


def _told(place: Place, error: Exception, expected: other_servers.Server) -> str:
    text = f"{place.text}: {text_of(error)}"
    if place.port is None:
        return text
    other = other_servers.instead_of(expected, place.host, place.port, error)
    return f"{text} ({other})" if other else text
