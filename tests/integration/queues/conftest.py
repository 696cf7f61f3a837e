"""What the tests of queues share: a daemon that polls fast, and a RabbitMQ that can be managed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import conftest as shared
from tests.integration.queues import look
from tests.servers import rabbitmq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import conftest
    from tests.servers import certificates, daemon


@pytest.fixture
def watch(start_daemon: conftest.StartDaemon) -> Callable[..., daemon.Daemon]:
    """Start a daemon that polls fast, with sections of the config, and wait until it is up."""

    def start(broker_url: str, **sections: dict[str, Any]) -> daemon.Daemon:
        sentinel = start_daemon(broker_url, config=look.settings(**sections))
        shared.wait_up(sentinel)
        return sentinel

    return start


@pytest.fixture(scope="session")
def managed_node(
    tmp_path_factory: pytest.TempPathFactory, tls: certificates.Certificates
) -> Iterator[rabbitmq.RabbitServer]:
    """Start a RabbitMQ with its management API, for this session."""
    directory = tmp_path_factory.mktemp("managed")
    node = rabbitmq.RabbitServer(
        directory, certificates=tls, plugins=[rabbitmq.MANAGEMENT], name="managed"
    )
    with node:
        yield node


@pytest.fixture
def managed_server(managed_node: rabbitmq.RabbitServer) -> Iterator[rabbitmq.RabbitServer]:
    """Lend it with an empty virtual host."""
    managed_node.fresh_vhost()
    yield managed_node
    managed_node.resume()
