"""Fixtures of these tests: a RabbitMQ that asks clients for certificates and can be managed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import ports, rabbitmq

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import certificates


@pytest.fixture(scope="session")
def strict_node(
    tmp_path_factory: pytest.TempPathFactory, tls: certificates.Certificates
) -> Iterator[rabbitmq.RabbitServer]:
    """Start a RabbitMQ that insists on certificates of clients, with its management API.

    It also listens on 127.0.0.2, which its certificate is not for.
    """
    elsewhere = ports.free_port()
    node = rabbitmq.RabbitServer(
        tmp_path_factory.mktemp("strict"),
        certificates=tls,
        config=[
            f"listeners.ssl.2 = 127.0.0.2:{elsewhere}",
            "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = true",
            "auth_mechanisms.1 = EXTERNAL",
            "auth_mechanisms.2 = PLAIN",
            "ssl_cert_login_from = common_name",
        ],
        plugins=[rabbitmq.MANAGEMENT, "rabbitmq_auth_mechanism_ssl"],
        name="strict",
    )
    with node:
        yield node


@pytest.fixture(scope="session")
def strict_address(strict_node: rabbitmq.RabbitServer) -> str:
    """Return host and port of its TLS that its certificate is not for."""
    config = (strict_node.directory / "strict.rabbitmq.conf").read_text(encoding="utf-8")
    return next(line for line in config.splitlines() if "127.0.0.2" in line).split()[-1]
