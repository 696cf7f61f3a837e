"""What the management API is not asked for costs nothing: no authorities over http, no client."""

from __future__ import annotations

import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.brokers.amqp import management_api
from celery_sentinel.config import schema

if TYPE_CHECKING:
    from tests.servers import certificates


@pytest.mark.parametrize(
    ("scheme", "private", "read"),
    [("http", False, 0), ("http", True, 0), ("https", True, 0), ("https", False, 1)],
)
def test_the_systems_authorities_are_read_where_they_are_trusted(
    scheme: str,
    private: bool,
    read: int,
    tls: certificates.Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are 20 ms and a megabyte; over http, and with an authority of one's own, unused."""
    reads: list[ssl.Purpose] = []
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda _, why: reads.append(why))
    section = schema.Tls(ca_file=str(tls.ca_file)) if private else None
    broker = schema.Broker(url="amqp://guest@127.0.0.1", tls=section)
    management_api.ManagementApi(f"{scheme}://127.0.0.1:15671", broker, event_prefix="celeryev")
    assert len(reads) == read


def test_without_it_no_client_is_loaded() -> None:
    """Most daemons have no management API to ask."""
    code = (
        "import sys; from celery_sentinel.brokers import registry; "
        "from celery_sentinel.config import schema; "
        "registry.queue_reader_of(schema.Config(broker=schema.Broker(url='amqp://'))); "
        "print('httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
