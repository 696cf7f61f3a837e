"""The scene on Redis: tasks of a long visibility time-out, which look as if it had run out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from tests.commands import allowed, recording, scene
from tests.integration.access import documented
from tests.servers import deadline, redis, relay

if TYPE_CHECKING:
    from pathlib import Path

HELD = 3
_INDEX = "unacked_index"
_VISIBILITY_TIMEOUT = 86_400  # seconds
_LATE = 4000.0  # seconds they are put back by, which is more than kombu's default
_SECONDS = 60.0


class RedisScene(scene.Scene):
    """``broker`` is a server with the user of docs/broker-access.md: see ``user_file``."""

    application: ClassVar = {
        "broker_transport_options": {"visibility_timeout": _VISIBILITY_TIMEOUT}
    }

    def __init__(self, broker: redis.RedisServer, company: scene.Company) -> None:
        super().__init__(broker, company)
        self._client = company.closing.enter_context(broker.client())
        self._sending = company.make_producer(broker.url, config=self.application)
        self._held: dict[bytes, bytes] = {}
        user = f"{documented.USER}:{documented.PASSWORD}@"
        self._watch("all", "")
        self._watch("least", user)
        self.recover()

    def _watch(self, name: str, user: str) -> None:
        heard = recording.Recording(allowed.AllowList("Redis"))
        cable = self.company.closing.enter_context(relay.Relay(self.broker.url, listen=heard.redis))
        url = cable.url.replace("//", f"//{user}")
        config = {"result_backend": {"url": url}}
        self.watch(name, url, [cable], [heard], config)

    def prepare(self) -> None:
        """Let the first worker hold tasks; a server that was restarted has forgotten them."""
        if not self._client.exists(_INDEX):
            for _ in range(HELD):
                self._sending.send("quick", countdown=_VISIBILITY_TIMEOUT)
            deadline.wait_until(
                lambda: self._client.zcard(_INDEX) == HELD, _SECONDS, "they are held"
            )
        for key, delivered in self._client.zrange(_INDEX, 0, -1, withscores=True):
            if delivered > time.time() - _LATE:
                self._client.zincrby(_INDEX, -_LATE, key)
        self._held = self._unacked()

    def _unacked(self) -> dict[bytes, bytes]:
        return dict(self._client.hgetall("unacked"))

    def damage(self) -> list[str]:
        """Compare the messages that are held, and what the server has refused."""
        refused = [f"ACL LOG: {one['object']}" for one in self._client.acl_log()]
        if self._unacked() != self._held:
            refused.append("the unacknowledged messages are not what they were")
        return refused


def user_file(directory: Path) -> Path:
    """Write a file for Redis' ``aclfile`` with the user, so that it outlives a restart."""
    file = directory / "users.acl"
    file.write_text(" ".join(["user", *documented.acl()[2:]]) + "\n", encoding="utf-8")
    return file
