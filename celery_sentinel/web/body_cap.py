"""Refuses request bodies beyond a small cap, since no route needs one."""

from __future__ import annotations

import enum

from starlette import datastructures, responses, types


class _Body(enum.Enum):
    """What came of reading the body of a request."""

    READ = enum.auto()
    TOO_LARGE = enum.auto()
    CUT_OFF = enum.auto()


class BodyCap:
    """Lets a request through once its whole body has arrived and been thrown away."""

    def __init__(self, app: types.ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Answer 413 or call the app; nobody is there to answer when the body is cut off."""
        match await self._read(datastructures.Headers(scope=scope), receive):
            case _Body.READ:
                await self._app(scope, receive, send)
            case _Body.TOO_LARGE:
                await self._refusal()(scope, receive, send)
            case _Body.CUT_OFF:
                pass

    async def _read(self, headers: datastructures.Headers, receive: types.Receive) -> _Body:
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

    def _refusal(self) -> responses.Response:
        return responses.PlainTextResponse(
            f"The body of a request may have {self._limit} bytes here; no route needs one.\n",
            status_code=413,
            headers={"Connection": "close"},
        )
