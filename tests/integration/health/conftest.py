"""A RabbitMQ of its own for these tests, for they raise alarms on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import rabbitmq

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbitmq.RabbitServer]:
    directory = tmp_path_factory.mktemp("health")
    node = rabbitmq.RabbitServer(directory, plugins=[rabbitmq.MANAGEMENT], name="health")
    with node:
        yield node


@pytest.fixture
def own_node(_node: rabbitmq.RabbitServer) -> rabbitmq.RabbitServer:
    """Lend it with an empty virtual host."""
    _node.fresh_vhost()
    return _node
