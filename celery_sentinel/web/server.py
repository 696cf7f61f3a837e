"""The handle of the HTTP server: started with its sockets bound, stopped with its thread joined."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from concurrent import futures
from typing import TYPE_CHECKING, Any, cast

import structlog
import uvicorn

from celery_sentinel import errors, log_limit
from celery_sentinel.web import (
    app,
    config_reload,
    connection_deadlines,
    limits,
    listen,
    server_metrics,
    sources,
    tls,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from celery_sentinel.metrics import samples
    from celery_sentinel.status import schema as status_schema

# To start an event loop takes milliseconds; a machine in trouble gets time to say so.
_START_SECONDS = 10.0
_JOIN_SECONDS = 3.0
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}  # what accept() may lack

_log = structlog.get_logger()


def start(
    *,
    addresses: Sequence[tuple[str, int]],
    telemetry_path: str,
    metrics: sources.MetricsSource,
    status: Callable[[], status_schema.Status],
    healthy: Callable[[], sources.Health],
    ready: Callable[[], sources.Health],
    reload: Callable[[], str | None] | None = None,
    config_file: str | None = None,
    bounds: limits.Limits | None = None,
) -> WebServer:
    """Listen on all addresses and serve them in one thread; return the handle.

    Raises ListenError when an address cannot be had and ConfigError when the path or the web
    config file cannot be served; then nothing is left open.
    """
    bounds = bounds or limits.Limits()
    rotating = config_reload.Rotation(config_file)
    asked = sources.Sources(
        metrics=metrics, status=status, healthy=healthy, ready=ready, reload=reload
    )
    routes = app.App(asked, telemetry_path, bounds, lambda: rotating.current)
    listeners = listen.open_all(addresses)
    urls = [
        listen.url_of(listener, host, secured=rotating.current.context is not None)
        for listener, (host, _) in zip(listeners, addresses, strict=True)
    ]
    server = WebServer(routes, listeners, urls, rotating, bounds)
    server.wait_until_started()
    return server


class WebServer:
    """A running server. ``urls`` has one base URL for each address, without a final slash."""

    def __init__(
        self,
        routes: app.App,
        listeners: Sequence[socket.socket],
        urls: Sequence[str],
        rotating: config_reload.Rotation,
        bounds: limits.Limits,
    ) -> None:
        self.urls = tuple(urls)
        self._routes = routes
        self._listeners = list(listeners)
        self._rotation = rotating
        self._connections = connection_deadlines.Connections(bounds.connections)
        self._grace = bounds.drain_seconds
        self._log_limit = log_limit.LogLimit()
        self._server = _Server(_settings(routes, self._connections, rotating, bounds))
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL of the first address."""
        return self.urls[0]

    @property
    def alive(self) -> bool:
        """Whether the thread still serves; when not, and nobody closed it, the log says why."""
        return self._thread.is_alive()

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many connections the server ended, by reason."""
        return dict(self._connections.dropped)

    @property
    def connections(self) -> int:
        """How many are open, handshakes included."""
        return len(self._connections)

    def look(self) -> None:
        """Take over the web config file if it has changed; raise SentinelError if we are dead."""
        if not self.alive:
            raise errors.SentinelError("the web server has died; see the log above")
        self._rotation.look()

    def families(self) -> Iterator[samples.Family]:
        """Yield the metrics of the server: what it refused, and how its files are."""
        return server_metrics.collect(self._connections, self._routes.guard, self._rotation)

    def wait_until_started(self) -> None:
        """Return once connections are served; raise what kept the server from starting."""
        try:
            self._server.serving.result(_START_SECONDS)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop accepting, let requests under way finish for a moment, join the thread."""
        self._server.should_exit = True
        self._thread.join(self._grace + _JOIN_SECONDS)
        if self._thread.is_alive():
            _log.error("web_not_stopped", waited_seconds=self._grace + _JOIN_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the edge of the thread: told to the starter or the log
            if self._server.serving.done():
                _log.critical("web_died", exc_info=error)
            else:
                self._server.serving.set_exception(error)
        finally:
            listen.close_all(self._listeners)
            self._routes.close()

    def _report(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count and log what goes wrong outside any request; a client can make it happen at will.

        Without descriptors asyncio tells of each connection that waits, a hundred at a time.
        """
        error = context.get("exception")
        scarce = isinstance(error, OSError) and error.errno in _SCARCE
        reason = "accept_failed" if scarce else "failed"
        self._connections.dropped[reason] += 1
        keys = self._log_limit.admit(reason)
        if keys is None:
            return
        if scarce:
            _log.error("web_accept_failed", error=str(error), **keys)
        else:
            _log.error("web_loop_error", reason=context["message"], exc_info=error, **keys)

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._report)
        try:
            await self._server.serve(sockets=self._listeners)
        finally:
            self._connections.abort_all()


class _Server(uvicorn.Server):
    """Tells when it has begun to serve."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving: futures.Future[None] = futures.Future()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listener in sockets or ():
            listener.listen(listen.QUEUE)  # asyncio has set it to what it accepts in one turn
        self.serving.set_result(None)


def _settings(
    routes: app.App,
    connections: connection_deadlines.Connections,
    rotating: config_reload.Rotation,
    bounds: limits.Limits,
) -> uvicorn.Config:
    """Return the settings of uvicorn: none of them from the environment."""

    def accept(**given: Any) -> asyncio.BaseProtocol:
        return tls.accept(rotating.current, connections, bounds, **given)

    return uvicorn.Config(
        routes.asgi,
        http=cast("type[asyncio.Protocol]", accept),  # uvicorn only ever calls it
        loop="asyncio",
        interface="asgi3",
        ws="none",
        lifespan="off",
        workers=1,
        # What it reports is what clients do wrong, and our own failures, which we log ourselves.
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        forwarded_allow_ips="",
        headers=list(app.COMMON_HEADERS),
        backlog=listen.BACKLOG,
        h11_max_incomplete_event_size=bounds.header_bytes,
        timeout_graceful_shutdown=bounds.drain_seconds,
    )
