"""RabbitMQ's management API: what a passive declare cannot tell, for all queues in one call."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import msgspec

from celery_sentinel import errors
from celery_sentinel.brokers import amqp_url, queue_reader

if TYPE_CHECKING:
    from celery_sentinel.config import schema

COLUMNS = "name,messages_unacknowledged,consumers"
PAGE_SIZE = 500
LONGEST_ANSWER = 4 * 1024 * 1024  # bytes of one page
FRESH = 4.0  # seconds an answer serves; RabbitMQ itself renews its figures each 5 s


class _Queue(msgspec.Struct):
    name: str
    messages_unacknowledged: int | None = None


class _Page(msgspec.Struct):
    items: list[_Queue]
    page_count: int = 1


_decode = msgspec.json.Decoder(_Page).decode


def open_api(config: schema.Config) -> ManagementApi | None:
    """Return the API at ``broker.management_url``, None where it is not configured.

    Without a user in that URL the broker's own is taken.
    """
    url = config.broker.management_url
    return None if url is None else ManagementApi(url, config.broker)


class ManagementApi:
    """Lists the queues of the broker's virtual host; the certificate is checked."""

    def __init__(self, url: str, broker: schema.Broker) -> None:
        first = amqp_url.addresses(broker)[0]
        parts = urlsplit(url)
        user = httpx.URL(url).username or first["userid"]
        password = httpx.URL(url).password or first["password"]
        base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        self._url = f"{base.rstrip('/')}/api/queues/{quote(first['virtual_host'], safe='')}"
        self._unacked: dict[str, int] = {}
        self._fresh_until = 0.0
        self._client = httpx.Client(
            auth=(user, password),
            timeout=queue_reader.TIMEOUT,
            verify=_trust(broker.tls),
            trust_env=False,
            follow_redirects=False,
        )

    def unacked(self) -> dict[str, int]:
        """Return unacknowledged messages by queue; raises ``errors.BrokerError``."""
        if time.monotonic() >= self._fresh_until:
            self.refresh()
        return self._unacked

    def refresh(self) -> list[str]:
        """Ask for all pages and return the names of all queues."""
        found: list[_Queue] = []
        page, pages = 1, 1
        while page <= pages:
            answer = self._page(page)
            found.extend(answer.items)
            page, pages = page + 1, answer.page_count
        self._unacked = {
            queue.name: queue.messages_unacknowledged
            for queue in found
            if queue.messages_unacknowledged is not None
        }
        self._fresh_until = time.monotonic() + FRESH
        return [queue.name for queue in found]

    def _page(self, number: int) -> _Page:
        query: dict[str, str | int] = {
            "page": number,
            "page_size": PAGE_SIZE,
            "columns": COLUMNS,
        }
        try:
            with self._client.stream("GET", self._url, params=query) as response:
                response.raise_for_status()
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > LONGEST_ANSWER:
                        raise errors.BrokerError("management API: an answer without end")
            return _decode(body)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise errors.BrokerError(f"management API: {error}") from error


def _trust(tls: schema.Tls | None) -> ssl.SSLContext:
    """Return whom to trust: the authority of ``broker.tls``, or those of the system."""
    return ssl.create_default_context(cafile=tls.ca_file if tls else None)
