"""Tells how RabbitMQ fares: what it says when we connect, and what its management API tells."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec

from celery_sentinel import errors, poll_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from celery_sentinel.brokers.amqp import management_api

AGAIN = 15.0  # seconds between two looks at the nodes
POLLS = 3  # polls of the queues after which we look again, if that is sooner
WHOAMI = "/whoami"
NODES = "/nodes"  # takes the tag monitoring
ALARMS = "/health/checks/alarms"  # takes the tag management, and tells no figures
COLUMNS = "name,running,mem_used,mem_limit,mem_alarm,disk_free_alarm,sockets_used,sockets_total"
ALARM_NAMES = ("memory", "disk")
LONGEST = 60  # characters of what the server says of itself
_OK, _SERVICE_UNAVAILABLE = 200, 503
_TAGS = frozenset({"monitoring", "administrator"})  # either of which may see the nodes


class _User(msgspec.Struct):
    tags: list[str] | str = []

    @property
    def tags_text(self) -> str:
        """The tags as one text; before 3.9 the API gave them so."""
        return self.tags if isinstance(self.tags, str) else " ".join(self.tags)


class _Node(msgspec.Struct):
    name: str = ""
    running: bool = True
    mem_used: int | None = None
    mem_limit: int | float | str | None = None
    mem_alarm: bool = False
    disk_free_alarm: bool = False
    sockets_used: int | None = None
    sockets_total: int | None = None


class _Alarm(msgspec.Struct):
    resource: str = ""


class _Alarms(msgspec.Struct):
    alarms: list[_Alarm] = []


_user = msgspec.json.Decoder(_User).decode
_nodes = msgspec.json.Decoder(list[_Node]).decode
_alarms = msgspec.json.Decoder(_Alarms).decode


class AmqpCondition:
    """Asks the nodes, or only for alarms where our user may not see the nodes."""

    def __init__(self, api: management_api.ManagementApi | None, *, interval: float) -> None:
        self._api = api
        self._again = min(AGAIN, POLLS * interval)
        self._due = 0.0
        self._may_ask_nodes: bool | None = None  # unknown yet
        self._told = poll_results.BrokerCondition()

    def look(self, properties: Mapping[str, Any]) -> poll_results.BrokerCondition:
        """Return what is known; ``properties`` are those the server told at the connection."""
        now = time.monotonic()
        if self._api is not None and now >= self._due:
            self._due = now + self._again
            self._told = self._ask(self._api)
        return msgspec.structs.replace(
            self._told,
            product=_short(properties.get("product"), lower=True),
            version=_short(properties.get("version")),
        )

    def _ask(self, api: management_api.ManagementApi) -> poll_results.BrokerCondition:
        """Return what the API tells; what it does not is unknown, and the poll says why."""
        try:
            if self._may_ask_nodes is None:
                status, body = api.get(WHOAMI, {})
                if status != _OK:
                    return poll_results.BrokerCondition()
                self._may_ask_nodes = bool(_TAGS & set(re.findall(r"\w+", _user(body).tags_text)))
            if self._may_ask_nodes:
                status, body = api.get(NODES, {"columns": COLUMNS})
                return _of_nodes(body) if status == _OK else poll_results.BrokerCondition()
            status, body = api.get(ALARMS, {})
            if status in {_OK, _SERVICE_UNAVAILABLE}:
                return _of_alarms(body)
        except (errors.BrokerError, msgspec.DecodeError):
            return poll_results.BrokerCondition()
        return poll_results.BrokerCondition()


def _of_nodes(body: bytes) -> poll_results.BrokerCondition:
    nodes = [node for node in _nodes(body) if node.running]
    if not nodes:
        return poll_results.BrokerCondition()
    raised = {
        "memory": any(node.mem_alarm for node in nodes),
        "disk": any(node.disk_free_alarm for node in nodes),
    }
    used, most = _fullest(nodes)
    clients, clients_max = _sockets(nodes)
    return poll_results.BrokerCondition(
        memory_used=used,
        memory_max=most,
        clients=clients,
        clients_max=clients_max,
        **_alarmed(raised),
    )


def _of_alarms(body: bytes) -> poll_results.BrokerCondition:
    named = {one.resource for one in _alarms(body).alarms}
    raised = {name: name in named for name in ALARM_NAMES}
    return poll_results.BrokerCondition(**_alarmed(raised))


def _alarmed(raised: dict[str, bool]) -> dict[str, Any]:
    """Return what alarms mean: publishers are blocked on every node while one is raised."""
    names = [name for name, is_raised in raised.items() if is_raised]
    troubles: list[poll_results.Trouble] = []
    if names:
        text = f"alarm of RabbitMQ: {', '.join(names)}"
        troubles.append(poll_results.Trouble(reason="blocked", text=text))
    return {"alarms": raised, "writable": not names, "troubles": tuple(troubles)}


def _fullest(nodes: Sequence[_Node]) -> tuple[int | None, int | None]:
    """Return memory and limit of the node that is nearest to its limit."""
    known = [
        (node.mem_used, int(node.mem_limit))
        for node in nodes
        if node.mem_used is not None and isinstance(node.mem_limit, int | float)
        if 0 < node.mem_limit < float("inf")
    ]
    if known:
        return max(known, key=lambda pair: pair[0] / pair[1])
    return max((node.mem_used for node in nodes if node.mem_used is not None), default=None), None


def _sockets(nodes: Sequence[_Node]) -> tuple[int | None, int | None]:
    """Return connections and their limit of all nodes, None where one of them does not tell."""
    used = [node.sockets_used for node in nodes]
    most = [node.sockets_total for node in nodes]
    return _sum(used), _sum(most) or None


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _short(text: Any, *, lower: bool = False) -> str | None:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        return None
    printable = "".join(char for char in text if char.isprintable())[:LONGEST]
    return (printable.lower() if lower else printable) or None
