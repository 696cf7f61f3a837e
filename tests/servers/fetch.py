"""Plain HTTP from the test to a server on loopback, cheap enough to be repeated while waiting."""

from __future__ import annotations

import functools
import ssl
from typing import Any

import httpx

_SECONDS = 30.0
# Left to itself httpx reads all certificate authorities of the machine for every single request:
# twenty times the work of the request, and a test that waits makes dozens of them a second.
_TRUST_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """Send one request on a connection of its own; ``options`` are those of httpx.request.

    Any status is returned; httpx.TransportError says that no answer came within 30 seconds. No
    proxy of the machine is asked. For https:// the option ``verify`` has to be given.
    """
    ours: dict[str, Any] = {"verify": _TRUST_NOBODY, "trust_env": False, "timeout": _SECONDS}
    return httpx.request(method, url, **(ours | options))


get = functools.partial(request, "GET")
post = functools.partial(request, "POST")
