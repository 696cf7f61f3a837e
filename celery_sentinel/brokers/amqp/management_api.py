"""RabbitMQ's management API: what a passive declare cannot tell, for all queues in one call."""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import msgspec

from celery_sentinel import errors
from celery_sentinel.brokers import protocols
from celery_sentinel.brokers.amqp import url as amqp_url

if TYPE_CHECKING:
    from celery_sentinel.config import schema

COLUMNS = "name,messages_unacknowledged,exclusive"
PAGE_SIZE = 500
LONGEST_ANSWER = 4 * 1024 * 1024  # bytes of one page
MOST_QUEUES = 20_000  # read of all pages
FRESH = 4.0  # seconds an answer serves; RabbitMQ itself renews its figures each 5 s
AGAIN = 15.0  # seconds until we ask again where we failed: each attempt may hold a poll up
# Queues of one client each: for the results of rpc://, and those that RabbitMQ named.
_PRIVATE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|amq\..*", re.DOTALL)
_ADVICE = {
    401: (
        "user and password are refused, or the user lacks a tag: "
        "rabbitmqctl set_user_tags USER management"
    ),
    403: "the user needs a tag such as monitoring, and rights in this virtual host",
    404: "no such virtual host, or no management API at this address",
}

_LATE = f"no complete answer within {protocols.ANSWER_TIMEOUT:g} s"


class _Queue(msgspec.Struct):
    name: str
    messages_unacknowledged: int | None = None
    exclusive: bool = False


class _Page(msgspec.Struct):
    items: list[_Queue]
    page_count: int = 1


_decode = msgspec.json.Decoder(_Page).decode


class ManagementApi:
    """Lists the queues of the broker's virtual host; the certificate is checked.

    Without a user in ``url`` the broker's own is taken.
    ``names`` are the queues that tasks may wait in, ``unacked`` the unacknowledged messages of
    each; both are empty while ``trouble`` says why the API does not answer. ``event_prefix`` is
    how the queues of event receivers begin.
    """

    def __init__(
        self, url: str, broker: schema.Broker, *, event_prefix: str, page_size: int = PAGE_SIZE
    ) -> None:
        self.names: list[str] = []
        self.unacked: dict[str, int] = {}
        self.trouble: str | None = None
        first = amqp_url.addresses(broker)[0]
        parts = urlsplit(url)
        user = httpx.URL(url).username or first["userid"]
        password = httpx.URL(url).password or first["password"]
        base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        self._base = f"{base.rstrip('/').removesuffix('/api')}/api"
        self._path = f"/queues/{quote(first['virtual_host'], safe='')}"
        self._event_prefix = event_prefix
        self._page_size = page_size
        self._due = 0.0
        self._client = httpx.Client(
            auth=(user, password),
            timeout=protocols.ANSWER_TIMEOUT,
            verify=_trust(parts.scheme, broker.management_tls or broker.tls),
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        )

    def refresh(self) -> None:
        """Ask for all pages, unless what we have is fresh; a failure becomes ``trouble``."""
        if time.monotonic() < self._due:
            return
        try:
            found, self.trouble = self._all_pages(), None
        except errors.BrokerError as error:
            found, self.trouble = [], f"management API: {error}"
        self._due = time.monotonic() + (FRESH if self.trouble is None else AGAIN)
        self.names = [queue.name for queue in found if self._may_hold_tasks(queue)]
        self.unacked = {
            queue.name: queue.messages_unacknowledged
            for queue in found
            if queue.messages_unacknowledged is not None
        }

    def _may_hold_tasks(self, queue: _Queue) -> bool:
        """Tell whether a queue is none of those that clients keep for answers and events."""
        return not (
            queue.exclusive
            or queue.name.endswith(".pidbox")
            or queue.name.startswith(f"{self._event_prefix}.")
            or _PRIVATE.fullmatch(queue.name)
        )

    def _all_pages(self) -> list[_Queue]:
        deadline = time.monotonic() + protocols.ANSWER_TIMEOUT
        found: list[_Queue] = []
        page, pages = 1, 1
        while page <= pages:
            answer = self._page(page, deadline)
            found.extend(one for one in answer.items if len(one.name) <= amqp_url.LONGEST_NAME)
            if len(found) > MOST_QUEUES:
                raise errors.BrokerError(f"more than {MOST_QUEUES} queues")
            if time.monotonic() > deadline:
                raise errors.BrokerError(_LATE)
            page, pages = page + 1, answer.page_count
        return found

    def _page(self, number: int, deadline: float) -> _Page:
        query: dict[str, str | int] = {
            "page": number,
            "page_size": self._page_size,
            "columns": COLUMNS,
        }
        try:
            status, body = self.get(self._path, query, deadline)
            if status != httpx.codes.OK:
                raise errors.BrokerError(_refused(status))
            return _decode(body)
        except msgspec.DecodeError as error:
            raise errors.BrokerError(str(error)) from error

    def get(
        self, path: str, query: dict[str, str | int], deadline: float | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of one answer, which must come until ``deadline`` (monotonic).

        Raises ``errors.BrokerError`` when there is none.
        """
        until = time.monotonic() + protocols.ANSWER_TIMEOUT if deadline is None else deadline
        try:
            with self._client.stream("GET", self._base + path, params=query) as response:
                return response.status_code, _body(response, until)
        except httpx.HTTPError as error:
            raise errors.BrokerError(str(error) or type(error).__name__) from error


def _body(response: httpx.Response, deadline: float) -> bytes:
    """Return the body; raises ``errors.BrokerError`` for one too long, in bytes or in time."""
    body = bytearray()
    for part in response.iter_raw():  # nothing is unpacked; we ask for it as it is
        body += part
        if len(body) > LONGEST_ANSWER:
            raise errors.BrokerError(f"an answer of more than {LONGEST_ANSWER} bytes")
        if time.monotonic() > deadline:
            raise errors.BrokerError(_LATE)
    return bytes(body)


def _refused(status: int) -> str:
    advice = _ADVICE.get(status)
    return f"HTTP status {status}" + (f": {advice}" if advice else "")


def _trust(scheme: str, tls: schema.Tls | None) -> ssl.SSLContext:
    """Return whom to trust, the authority of ``tls`` or those of the system, and what to present.

    Over http it is nobody: to read the system's costs 20 ms and a megabyte, and serves for nothing.
    """
    if scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context(cafile=tls.ca_file if tls else None)
    if tls is not None:
        context.check_hostname = tls.verify_hostname
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    return context
