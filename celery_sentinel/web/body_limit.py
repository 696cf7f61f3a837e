"""Refuses request bodies beyond a small cap, since no route needs one, and of two lengths."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from starlette import datastructures, responses, types

if TYPE_CHECKING:
    import collections


class _Body(enum.Enum):
    """What came of reading the body of a request."""

    READ = enum.auto()
    TOO_LARGE = enum.auto()
    CUT_OFF = enum.auto()
    AMBIGUOUS = enum.auto()


class BodyCap:
    """Lets a request through once its whole body has arrived and been thrown away.

    What it refuses is counted in ``refused``, by reason.
    """

    def __init__(self, app: types.ASGIApp, limit: int, refused: collections.Counter[str]) -> None:
        self._app = app
        self._limit = limit
        self._refused = refused

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Answer 400 or 413 or call the app; nobody is there to answer when the body is cut off."""
        match await self._read(datastructures.Headers(scope=scope), receive):
            case _Body.READ:
                await self._app(scope, receive, send)
            case _Body.TOO_LARGE:
                self._refused["body_too_large"] += 1
                text = f"A request may have {self._limit} bytes of body here; no route needs one.\n"
                await _refusal(413, text)(scope, receive, send)
            case _Body.AMBIGUOUS:
                self._refused["two_lengths"] += 1
                text = "A request has one length: Content-Length or Transfer-Encoding.\n"
                await _refusal(400, text)(scope, receive, send)
            case _Body.CUT_OFF:
                pass

    async def _read(self, headers: datastructures.Headers, receive: types.Receive) -> _Body:
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy in front of us may have believed the other one, and sees its end elsewhere.
            return _Body.AMBIGUOUS
        if int(headers.get("content-length", "0")) > self._limit:
            return _Body.TOO_LARGE
        size, more = 0, "content-length" in headers or "transfer-encoding" in headers
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _Body.CUT_OFF
            size += len(message.get("body", b""))
            if size > self._limit:
                return _Body.TOO_LARGE
            more = message.get("more_body", False)
        return _Body.READ


def _refusal(code: int, text: str) -> responses.Response:
    # What follows on the connection may be the rest of the body: it is not read.
    return responses.PlainTextResponse(text, status_code=code, headers={"Connection": "close"})
