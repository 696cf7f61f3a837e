"""What kombu itself makes of a Redis URL, found out without a server."""

from __future__ import annotations

from typing import Any

import kombu


class _Answers:
    """What kombu's channel asks, when it is made, whether there is a server."""

    def ping(self) -> bool:
        return True


class Reading:
    """Where kombu connects to, as whom, and where it publishes events.

    ``tried`` is how many URLs of a list it has given up before.
    """

    def __init__(self, url: str, options: dict[str, Any], *, tried: int = 0) -> None:
        connection = kombu.Connection(url, transport_options=options)
        for _ in range(tried):
            connection.maybe_switch_next()
        transport = connection.transport
        channel_class = type("OfflineChannel", (transport.Channel,), {"client": _Answers()})
        self._channel = channel_class(transport)
        self.parameters: dict[str, Any] = self._channel._connparams()  # noqa: SLF001 -- its answer
        for _ in range(2):  # as for each of its two pools of connections
            self._channel.keyprefix_fanout = self._channel.keyprefix_fanout.format(
                db=self.parameters["db"]
            )

    def channels(self, exchange: str, routing_key: str) -> list[str]:
        """Return the channels of Redis that an event is published on."""
        prefix = self._channel.global_keyprefix or ""
        topics = self._channel._get_publish_topics(exchange, routing_key)  # noqa: SLF001
        return [prefix + topic for topic in topics]
