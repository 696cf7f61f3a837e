"""Remote control tries every URL it was given, and says of each why it is not connected."""

from __future__ import annotations

import pytest

from celery_sentinel import errors
from celery_sentinel.config import schema
from celery_sentinel.remote_control import client as remote_control
from tests.servers import ports


@pytest.mark.parametrize(("scheme", "path"), [("amqp", "//"), ("redis", "/0")])
def test_given_no_broker_of_several_then_each_is_named_with_its_reason(
    scheme: str, path: str
) -> None:
    """The password is in none of it."""
    addresses = [f"127.0.0.1:{ports.free_port()}" for _ in range(3)]
    url = ";".join(f"{scheme}://guest:s3cret@{address}{path}" for address in addresses)
    asking = remote_control.Control(schema.Config(broker=schema.Broker(url=url)))
    with pytest.raises(errors.BrokerError) as refused:
        asking.ask(expected=(), timeout=1)
    told = str(refused.value).split("; ")
    assert [line.split(": ")[0] for line in told] == addresses
    assert all("refused" in line for line in told)
    assert "s3cret" not in str(refused.value)
