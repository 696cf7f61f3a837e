"""Lets in who may come in: the rate limit, passwords and headers of the web config file."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING

from starlette import datastructures, responses

from celery_sentinel.web import passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette import types

    from celery_sentinel import webconfig
    from celery_sentinel.web import limits

# Set in the scope of a probe without credentials, which gets a verdict and no reasons.
ANONYMOUS = "celery_sentinel.anonymous"

_CHALLENGE = 'Basic realm="celery-sentinel", charset="UTF-8"'


class Guard:
    """Answers 401, 429 or 503, or calls the app. ``probes`` are open, for a verdict."""

    def __init__(
        self,
        app: types.ASGIApp,
        current: Callable[[], webconfig.Loaded],
        bounds: limits.Limits,
        probes: Iterable[str],
    ) -> None:
        self.app = app
        self.refused: collections.Counter[str] = collections.Counter()
        self._current = current
        self._patience = bounds.answer_seconds
        self._probes = frozenset(probes)
        self._password_check = passwords.PasswordCheck(bounds)
        self._bucket = _Bucket()

    def close(self) -> None:
        """Compare no more passwords."""
        self._password_check.close()

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Refuse the request or let it through."""
        loaded = self._current()
        probe = scope["path"] in self._probes
        if not probe and not self._bucket.take(loaded.interval, loaded.burst):
            self.refused["rate_limited"] += 1
            await _plain(429, "Too many requests.\n", {"Retry-After": "1"})(scope, receive, send)
            return
        if loaded.users and (refusal := await self._refusal(loaded, scope, probe=probe)):
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _refusal(
        self, loaded: webconfig.Loaded, scope: types.Scope, *, probe: bool
    ) -> responses.Response | None:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        client = scope["client"][0] if scope.get("client") else ""
        try:
            async with asyncio.timeout(self._patience):
                verdict = await self._password_check.judge(loaded.users, sent, client)
        except TimeoutError:
            verdict = passwords.Verdict.BUSY
        match verdict:
            case passwords.Verdict.WELCOME:
                return None
            case passwords.Verdict.BUSY:
                self.refused["login_queue_full"] += 1
                text = "Too many passwords wait to be compared.\n"
                return _plain(503, text, {"Retry-After": "1"})
            case passwords.Verdict.ABSENT if probe:
                scope[ANONYMOUS] = True
                return None
        self.refused["unauthorized"] += 1
        return _plain(401, "Unauthorized\n", {"WWW-Authenticate": _CHALLENGE})


class Headers:
    """Adds the headers of the web config file to what the app answers without them."""

    def __init__(self, app: types.ASGIApp, current: Callable[[], webconfig.Loaded]) -> None:
        self._app = app
        self._current = current

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Call the app."""

        async def complete(message: types.Message) -> None:
            if message["type"] == "http.response.start":
                headers = datastructures.MutableHeaders(scope=message)
                for name, value in self._current().headers:
                    if name != b"x-content-type-options":  # on every response as it is
                        headers.setdefault(name.decode("ascii"), value.decode("ascii"))
            await send(message)

        await self._app(scope, receive, complete)


class _Bucket:
    """A token bucket, full at the start and after a change of its size."""

    def __init__(self) -> None:
        self._settings = (0.0, 0)
        self._tokens = 0.0
        self._filled = 0.0

    def take(self, interval: float, burst: int) -> bool:
        """Take a token; return False when there is none."""
        if not interval:
            return True
        now = asyncio.get_running_loop().time()
        if self._settings != (interval, burst):
            self._settings, self._tokens, self._filled = (interval, burst), float(burst), now
        self._tokens = min(float(burst), self._tokens + (now - self._filled) / interval)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _plain(code: int, text: str, headers: dict[str, str]) -> responses.Response:
    return responses.PlainTextResponse(text, status_code=code, headers=headers)
