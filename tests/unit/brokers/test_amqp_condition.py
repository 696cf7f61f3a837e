"""What RabbitMQ's management API tells of its nodes is read whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from celery_sentinel import errors, poll_results
from celery_sentinel.brokers.amqp import condition as amqp_condition

UNKNOWN = poll_results.BrokerCondition()
ADMIN = (200, b'{"tags":["administrator"]}')
ALARMS = b'{"status":"failed","alarms":[{"node":"a","resource":"disk"}]}'


class Api:
    """A management API that answers what it is given, by path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def get(self, path: str, query: dict[str, Any]) -> tuple[int, bytes]:  # noqa: ARG002
        """Answer, or fail."""
        self.asked.append(path)
        answer: tuple[int, bytes] | None = self.answers.get(path)
        if answer is None:
            raise errors.BrokerError("no answer")
        return answer


def look(answers: dict[str, Any]) -> tuple[poll_results.BrokerCondition, list[str]]:
    """Return what one look tells, and what was asked."""
    api = Api(answers)
    asking = amqp_condition.AmqpCondition(api, interval=5.0)  # type: ignore[arg-type]
    return asking.look({}), api.asked


def test_given_nodes_then_the_fullest_is_told() -> None:
    """Memory is that of the node nearest to its limit, connections are those of all."""
    nodes = [
        {"name": "a", "mem_used": 5, "mem_limit": 100, "sockets_used": 3, "sockets_total": 10},
        {"name": "b", "mem_used": 4, "mem_limit": 5, "sockets_used": 1, "sockets_total": 10},
        {"name": "c", "running": False, "mem_alarm": True},
    ]
    found, asked = look({"/whoami": ADMIN, "/nodes": (200, json.dumps(nodes).encode())})
    assert (found.memory_used, found.memory_max) == (4, 5)
    assert (found.clients, found.clients_max) == (4, 20)
    assert (found.writable, found.alarms) == (True, {"memory": False, "disk": False})
    assert asked == ["/whoami", "/nodes"]


@pytest.mark.parametrize("tags", [["management"], "management,policymaker", []])
def test_given_a_user_who_may_not_see_nodes_then_only_alarms_are_asked(tags: Any) -> None:
    """No question is asked that would be refused; tags were one text before RabbitMQ 3.9."""
    whoami = (200, json.dumps({"tags": tags}).encode())
    found, asked = look({"/whoami": whoami, "/health/checks/alarms": (503, ALARMS)})
    assert asked == ["/whoami", "/health/checks/alarms"]
    assert found.alarms == {"memory": False, "disk": True}
    assert found.writable is False
    assert [one.reason for one in found.troubles] == ["blocked"]


@pytest.mark.parametrize(
    "nodes",
    [
        None,
        (200, b"[]"),
        (200, b"{}"),
        (200, b"\xff"),
        (200, b'[{"mem_used": "x"}]'),
        (404, b"[]"),
        (500, b""),
    ],
)
def test_given_nonsense_then_all_is_unknown(nodes: Any) -> None:
    """Neither a figure nor a verdict is made of it."""
    assert look({"/whoami": ADMIN, "/nodes": nodes})[0] == UNKNOWN


@pytest.mark.parametrize("limit", ["unlimited", 0, -1, 1e400])
def test_given_no_limit_then_memory_has_none(limit: Any) -> None:
    """What is no number above 0 is no limit."""
    body = json.dumps([{"mem_used": 5, "mem_limit": limit}]).encode()
    found, _ = look({"/whoami": ADMIN, "/nodes": (200, body)})
    assert (found.memory_used, found.memory_max) in {(5, None), (None, None)}
