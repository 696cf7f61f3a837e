"""A RabbitMQ whose users are named by their certificates, as with broker_login_method EXTERNAL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel.config import schema
from tests.integration.access import documented, parts

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import certificates, rabbitmq

pytestmark = pytest.mark.xdist_group("rabbitmq")
NAME = "sentinel-by-certificate"


def test_the_certificate_is_the_user(
    strict_node: rabbitmq.RabbitServer,
    tls: certificates.Certificates,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Events, polls and remote control log in by it; without it, or with another, none does."""
    vhost = strict_node.fresh_vhost()
    worker = start_worker(strict_node.url).hostname
    make_producer(strict_node.url).send("quick", queue=parts.QUEUE)
    strict_node.ctl("add_user", NAME, "unused")
    try:
        strict_node.ctl("set_permissions", "-p", vhost, NAME, *documented.patterns())
        url = strict_node.tls_url.replace("guest:guest@", "")
        named = tls.issue("named-", common_name=NAME)
        stranger = tls.issue("stranger-", common_name="nobody-we-know")

        def refusals(pair: tuple[object, object]) -> dict[str, str]:
            section = schema.Tls(
                ca_file=str(tls.ca_file), cert_file=str(pair[0]), key_file=str(pair[1])
            )
            return parts.Parts(url, tls=section, login_method="EXTERNAL").refusals(worker)

        assert refusals(named) == {}
        refused = refusals(stranger)
        assert refused.keys() == set(parts.PARTS) - {"discovery"}
        assert all("ACCESS_REFUSED" in text or "refused" in text for text in refused.values())
    finally:
        strict_node.ctl("delete_user", NAME)
