"""How listen addresses are read."""

from __future__ import annotations

import pytest

from celery_sentinel.config import addresses


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":9808", "", 9808),
        (":0", "", 0),
        ("0.0.0.0:9808", "0.0.0.0", 9808),  # noqa: S104 - an address to read, not to bind
        ("127.0.0.1:65535", "127.0.0.1", 65535),
        ("localhost:1", "localhost", 1),
        ("[::1]:9808", "::1", 9808),
        ("[::]:9808", "::", 9808),
        ("[fe80::1%eth0]:9808", "fe80::1%eth0", 9808),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int) -> None:
    """No host is every interface; brackets go around IPv6."""
    assert addresses.parse(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        *["", ":", "9808", "localhost", ":65536", ":-1", ":99999999", "::1:9808", "[::1]", "[]:1"],
        *["[localhost]:1", "[::g]:1", "1.2.3:1", "1.2.3.256:1", "a b:1", "http://h:1", "h:1/x"],
        *[":9808\n", ":٩", "h:"],
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Everything else is refused."""
    with pytest.raises(ValueError, match=r"\S"):
        addresses.parse(text)
