"""The RabbitMQ user of docs/broker-access.md may do all that is needed, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.access import documented, parts
from tests.servers import producer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import conftest
    from tests.servers import rabbitmq

pytestmark = pytest.mark.xdist_group("rabbitmq")

_OWN = r"celeryev\.sentinel\..*"
_REPLIES = r"[0-9a-f-]{36}\.reply\.celery\.pidbox"
_NEVER = "nothing-at-all"
RIGHTS = {
    "configure our queue": (0, _OWN, "stream"),
    "configure the reply queue": (0, _REPLIES, "control"),
    "write to our queue": (1, _OWN, "stream"),
    "write to the reply queue": (1, _REPLIES, "control"),
    "write to the workers' exchange": (1, r"|celery\.pidbox)", "control"),
    "read our queue": (2, _OWN, "stream"),
    "read the reply queue": (2, _REPLIES, "control"),
    "read the event exchange": (2, "|celeryev|", "stream"),
    "read the exchange of replies": (2, r"|reply\.celery\.pidbox)", "control"),
}


@pytest.fixture(scope="module")
def user(strict_node: rabbitmq.RabbitServer) -> Iterator[str]:
    """Make the user in a virtual host with one message in a queue; return the user's name."""
    strict_node.fresh_vhost()
    with producer.Producer(strict_node.url) as sending:
        sending.send("quick", queue=parts.QUEUE)
    strict_node.ctl("add_user", documented.USER, documented.PASSWORD)
    yield documented.USER
    strict_node.ctl("delete_user", documented.USER)


@pytest.fixture(scope="module")
def url(strict_node: rabbitmq.RabbitServer, user: str) -> str:
    """Return the broker URL of the user."""
    return strict_node.url_for(strict_node.vhost, user=user, password=documented.PASSWORD)


@pytest.fixture
def busy(
    strict_node: rabbitmq.RabbitServer,
    user: str,  # noqa: ARG001 -- who chooses the virtual host
    start_worker: conftest.StartWorker,
) -> str:
    """Start a worker; return its name."""
    return start_worker(strict_node.url).hostname


def _grant(node: rabbitmq.RabbitServer, patterns: tuple[str, ...]) -> None:
    node.ctl("set_permissions", "--vhost", node.vhost, documented.USER, *patterns)


def test_the_page_suffices(strict_node: rabbitmq.RabbitServer, url: str, busy: str) -> None:
    """With what the page grants all parts work, with the durable queue too."""
    _grant(strict_node, documented.patterns())

    assert parts.Parts(url).refusals(busy) == {}
    assert parts.Parts(url, durable_events=True).refusals(busy, hear=False) == {}


def test_each_right_is_needed(strict_node: rabbitmq.RabbitServer, url: str, busy: str) -> None:
    """Without any one of them one part is refused, says of what, and no other is."""
    told = {}
    for name, (place, part_of, _) in RIGHTS.items():
        patterns = list(documented.patterns())
        end = ")" if part_of.endswith(")") else "|"
        replacement = f"|{_NEVER}{end}" if part_of.startswith("|") else _NEVER
        assert part_of in patterns[place]
        patterns[place] = patterns[place].replace(part_of, replacement)
        _grant(strict_node, tuple(patterns))
        told[name] = parts.Parts(url).refusals(busy, hear=False)

    assert {name: set(found) for name, found in told.items()} == {
        name: {part} for name, (_, _, part) in RIGHTS.items()
    }
    texts = [text for found in told.values() for text in found.values()]
    assert all("ACCESS_REFUSED" in text for text in texts), texts


def test_management_needs_a_tag(strict_node: rabbitmq.RabbitServer, url: str, busy: str) -> None:
    """The tag of the page opens the management API; without it the poll says it is refused."""
    _grant(strict_node, documented.patterns())
    asking = parts.Parts(url, management_url=strict_node.management_url)
    strict_node.ctl("set_user_tags", documented.USER)
    assert "management API: HTTP status 401" in asking.refusals(busy, hear=False)["depth"]

    _, tags = documented.blocks("sh")
    strict_node.ctl(*tags.split()[1:])
    assert asking.refusals(busy, hear=False) == {}
    assert (parts.QUEUE, "management") in asking.discovered()
