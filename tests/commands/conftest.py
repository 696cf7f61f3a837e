"""A broker of its own for each scene, for it ends and freezes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.commands import on_rabbitmq, on_redis, scene
from tests.servers import rabbitmq

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest


@pytest.fixture
def company(
    start_worker: conftest.StartWorker,
    start_daemon: conftest.StartDaemon,
    make_producer: conftest.MakeProducer,
    closing: contextlib.ExitStack,
) -> scene.Company:
    """Gather who starts what."""
    return scene.Company(start_worker, start_daemon, make_producer, closing)


@pytest.fixture(params=["redis", "rabbitmq"])
def own_broker(
    request: pytest.FixtureRequest,
    company: scene.Company,
    start_redis: conftest.StartRedis,
    new_directory: conftest.Directories,
) -> Callable[[], scene.Scene]:
    """Start a broker for this test alone; return what sets the scene on it."""
    if request.param == "redis":
        users = on_redis.user_file(new_directory("users"))
        server = start_redis(extra_args=("--aclfile", str(users)))
        return lambda: on_redis.RedisScene(server, company)
    directory = new_directory("rabbitmq")
    node = company.closing.enter_context(
        rabbitmq.RabbitServer(directory, plugins=[rabbitmq.MANAGEMENT])
    )
    return lambda: on_rabbitmq.RabbitScene(node, company)
