"""The routes: each asks the daemon in a worker thread and words the answer in HTTP."""

from __future__ import annotations

import asyncio
import json
from concurrent import futures
from typing import TYPE_CHECKING, TypeVar

import msgspec
import structlog
from starlette import applications, exceptions, requests, responses, routing

from celery_sentinel import errors, log_limit
from celery_sentinel.web import (
    auth,
    body_limit,
    limits,
    negotiation,
    render_queue,
    sources,
)
from celery_sentinel.web.pages import landing

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette import types

    from celery_sentinel import webconfig
    from celery_sentinel.status import schema as status_schema

HEALTHY_PATH = "/-/healthy"
READY_PATH = "/-/ready"
RELOAD_PATH = "/-/reload"
STATUS_PATH = "/api/v1/status"

# On every response, whoever makes it.
COMMON_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)

_Answer = TypeVar("_Answer")
_log = structlog.get_logger()


class App:
    """The routes of one server and the threads in which they ask."""

    def __init__(
        self,
        asked: sources.Sources,
        telemetry_path: str,
        bounds: limits.Limits,
        current: Callable[[], webconfig.Loaded],
    ) -> None:
        check_telemetry_path(telemetry_path)
        self._asked = asked
        self._telemetry_path = telemetry_path
        self._renderer = render_queue.SharedRenderer(asked.metrics)
        self._readers = render_queue.Readers(bounds.readers, bounds.body_room)
        # Apart from the rendering, so that a long scrape does not fail a probe.
        self._threads = futures.ThreadPoolExecutor(2, thread_name_prefix="web-ask")
        self._patience = bounds.answer_seconds
        self._log_limit = log_limit.LogLimit()
        self._reloading = asyncio.Lock()
        probes = (HEALTHY_PATH, READY_PATH)
        self.guard = auth.Guard(self._assemble(), current, bounds, probes)
        self.asgi: types.ASGIApp = auth.Headers(
            body_limit.BodyCap(self.guard, bounds.body_bytes, self.guard.refused), current
        )

    def close(self) -> None:
        """Take no more questions; those under way end by themselves."""
        self.guard.close()
        self._renderer.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _assemble(self) -> applications.Starlette:
        routes = [
            routing.Route(self._telemetry_path, self._metrics),
            routing.Route(HEALTHY_PATH, self._healthy),
            routing.Route(READY_PATH, self._ready),
            routing.Route(STATUS_PATH, self._status),
        ]
        if self._telemetry_path != "/":
            routes.append(routing.Route("/", self._landing))
        if self._asked.reload is not None:
            routes.append(routing.Route(RELOAD_PATH, self._reload, methods=["POST"]))
        app = applications.Starlette(
            routes=routes,
            exception_handlers={
                exceptions.HTTPException: _refused,
                TimeoutError: self._late,
                Exception: self._failed,
            },
        )
        app.router.redirect_slashes = False
        return app

    async def _metrics(self, request: requests.Request) -> responses.Response:
        headers = request.headers
        accept = ",".join(headers.getlist("accept"))
        chosen = negotiation.choose_format(accept)
        unheld = not negotiation.is_scraper(accept)
        compressed = negotiation.accepts_gzip(",".join(headers.getlist("accept-encoding")))
        answer = {"Content-Type": chosen.content_type, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            answer["Content-Encoding"] = "gzip"
        async with asyncio.timeout(self._patience):
            body = await self._renderer.body(chosen, compressed=compressed, unheld=unheld)
        return render_queue.ExpositionResponse(body, self._readers, answer)

    async def _landing(self, _request: requests.Request) -> responses.Response:
        page = await self._ask(self._draw)
        return responses.HTMLResponse(
            page, headers={"Content-Security-Policy": landing.content_security_policy()}
        )

    def _draw(self) -> bytes:
        links = landing.Links(
            metrics=self._telemetry_path,
            status=STATUS_PATH,
            healthy=HEALTHY_PATH,
            ready=READY_PATH,
        )
        return landing.render(self._asked.status(), links)

    async def _status(self, _request: requests.Request) -> responses.Response:
        body = await self._ask(lambda: _encode(self._asked.status()))
        return responses.Response(body, media_type="application/json")

    async def _healthy(self, request: requests.Request) -> responses.Response:
        return _verdict(await self._ask(self._asked.healthy), "healthy", request)

    async def _ready(self, request: requests.Request) -> responses.Response:
        return _verdict(await self._ask(self._asked.ready), "ready", request)

    async def _reload(self, _request: requests.Request) -> responses.Response:
        assert self._asked.reload is not None, "there is no route without it"  # noqa: S101 - narrows a type
        async with self._reloading:
            reason = await self._ask(self._asked.reload)
        if reason is None:
            return _plain("The new configuration is in force.\n")
        text = f"The old configuration stays in force, the new one cannot be used: {reason}\n"
        return _plain(text, 500)

    async def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        async with asyncio.timeout(self._patience):
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)

    async def _late(self, request: requests.Request, _error: Exception) -> responses.Response:
        """Give up on a part of the daemon that hangs, before its clients fill all places."""
        keys = self._log_limit.admit(f"late {request.url.path}")
        if keys is not None:
            _log.error("web_answer_late", path=request.url.path, **keys)
        return _plain("The daemon did not answer in time; /-/healthy may say more.\n", 503)

    async def _failed(self, request: requests.Request, error: Exception) -> responses.Response:
        """Say to the log, not to the client, what went wrong in us."""
        keys = self._log_limit.admit(f"failed {request.url.path}")
        if keys is not None:
            _log.error("web_request_failed", path=request.url.path, exc_info=error, **keys)
        return _plain("Internal error; the log of celery-sentinel says more.\n", 500)


def check_telemetry_path(path: str) -> None:
    """Raise ConfigError for a path under which metrics cannot be served."""
    taken = {HEALTHY_PATH, READY_PATH, RELOAD_PATH, STATUS_PATH}
    found = f"web.telemetry_path is {path!r}"
    if path in taken:
        raise errors.ConfigError(f"{found}, which the server needs itself; /metrics is usual.")
    if not path.startswith("/") or path.startswith("//") or set(path) & set("{}?#% \t\r\n"):
        raise errors.ConfigError(
            f"{found}; it must begin with one slash and have none of '{{}}?#%' and no blank, "
            "as in /metrics."
        )


def _verdict(
    health: sources.Health, adjective: str, request: requests.Request
) -> responses.Response:
    if health.ok:
        return _plain(f"{adjective}\n")
    reasons = () if auth.ANONYMOUS in request.scope else health.reasons
    return _plain("".join(f"{line}\n" for line in (f"not {adjective}", *reasons)), 503)


def _encode(told: status_schema.Status) -> bytes:
    try:
        return msgspec.json.encode(told)
    except UnicodeEncodeError:
        # A lone surrogate in a task name has no UTF-8, but it has an escape in JSON.
        return json.dumps(msgspec.to_builtins(told)).encode("ascii")


async def _refused(_request: requests.Request, error: Exception) -> responses.Response:
    """Word what Starlette refuses: 404, 405."""
    assert isinstance(error, exceptions.HTTPException)  # noqa: S101 - registered for no other
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    return _plain(f"{error.detail}\n", error.status_code, headers)


def _plain(text: str, code: int = 200, headers: dict[str, str] | None = None) -> responses.Response:
    # Reasons may quote what a worker sent, and that may have no UTF-8.
    body = text.encode("utf-8", "backslashreplace")
    return responses.PlainTextResponse(body, status_code=code, headers=headers)
