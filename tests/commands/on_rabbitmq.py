"""The scene on RabbitMQ, with its management API, and one daemon on a durable queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.commands import allowed, recording, scene
from tests.integration.access import documented
from tests.servers import relay

if TYPE_CHECKING:
    from tests.servers import rabbitmq

HELD = 3
_LATER = 86_400  # seconds


class RabbitScene(scene.Scene):
    """``broker`` has its management API; the user of docs/broker-access.md is made here."""

    def __init__(self, broker: rabbitmq.RabbitServer, company: scene.Company) -> None:
        super().__init__(broker, company)
        self._node = broker
        self._sending = company.make_producer(broker.url)
        broker.ctl("add_user", documented.USER, documented.PASSWORD)
        broker.ctl("set_permissions", documented.USER, *documented.patterns())
        broker.ctl("set_user_tags", documented.USER, "management")
        self._watch("all", broker.url, durable=False)
        limited = broker.url_for("/", user=documented.USER, password=documented.PASSWORD)
        self._watch("least", limited, durable=True)
        for _ in range(HELD):
            self._sending.send("quick", countdown=_LATER)
        self.recover()

    def _watch(self, name: str, url: str, *, durable: bool) -> None:
        heard = recording.Recording(allowed.AllowList("RabbitMQ"))
        asked = recording.Recording(allowed.AllowList("The management API of RabbitMQ"))
        management = f"{self._node.management_url}/"
        cables = [
            self.company.closing.enter_context(relay.Relay(url, listen=heard.rabbitmq)),
            self.company.closing.enter_context(relay.Relay(management, listen=asked.http)),
        ]
        config = {
            "broker": {"durable_events": durable, "management_url": cables[1].url},
            "result_backend": {"url": "rpc://"},
        }
        self.watch(name, cables[0].url, cables, [heard, asked], config)

    def prepare(self) -> None:
        """Leave what is there: durable queues and messages outlive a restart."""

    def damage(self) -> list[str]:
        """Ask the node for the messages of the tasks, all of which are still there."""
        listed = self._node.ctl("list_queues", "name", "messages", "--no-table-headers")
        counts = dict(line.split("\t") for line in listed.splitlines() if "\t" in line)
        return [] if counts.get("celery") == str(HELD) else [f"celery has {counts.get('celery')}"]
