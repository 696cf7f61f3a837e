"""INFO is read whichever relative of Redis answers, and whatever it answers."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from celery_sentinel.brokers.redis import info as redis_info

REDIS_6 = (
    b"# Server\r\nredis_version:6.0.16\r\nredis_mode:standalone\r\nexecutable:/usr/bin/redis\r\n"
    b"\r\n# Clients\r\nconnected_clients:7\r\n# Memory\r\nused_memory:1000\r\nmaxmemory:0\r\n"
    b"maxmemory_policy:noeviction\r\n# Replication\r\nrole:slave\r\nslave_read_only:1\r\n"
    b"# Keyspace\r\ndb0:keys=4,expires=0,avg_ttl=0\r\n"
    b"db3:keys=1,expires=1,avg_ttl=9,subexpiry=0\r\n"
)
VALKEY = b"redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.0\nserver_mode:cluster\n"
KEYDB = b"redis_version:6.3.4\r\nmvcc_depth:0\r\nrole:active-replica\r\n"


def test_given_redis_6_then_its_names_are_known() -> None:
    """A field that came with a later version is unknown, all others are read."""
    found = redis_info.Info(REDIS_6)
    assert (found.product, found.version) == ("redis", "6.0.16")
    assert found.count("connected_clients") == 7
    assert found.count("maxclients") is None
    assert found.count("maxmemory") == 0
    assert found.flag("slave_read_only", "replica_read_only") is True
    assert found.databases() == {0: 4, 3: 1}


@pytest.mark.parametrize(
    ("answer", "product", "version"), [(VALKEY, "valkey", "8.1.0"), (KEYDB, "keydb", "6.3.4")]
)
def test_given_a_relative_then_it_is_called_by_its_name(
    answer: bytes, product: str, version: str
) -> None:
    """The version is the relative's own where it has one."""
    found = redis_info.Info(answer)
    assert (found.product, found.version) == (product, version)


@pytest.mark.parametrize(
    "value", [b"-1", b"1e9", b"nan", b"", b"9" * 400, b"99999999999999999999", "²".encode(), b"0x1"]
)
def test_given_no_number_then_a_count_is_unknown(value: bytes) -> None:
    """What is no whole number, or larger than Redis counts, is no figure."""
    assert redis_info.Info(b"used_memory:" + value).count("used_memory") is None


@pytest.mark.parametrize("answer", [None, 5, [b"redis_version:7"], RuntimeError("no"), b"", b":::"])
def test_given_no_text_then_all_is_unknown(answer: object) -> None:
    """A refusal, or an answer of another type, has no fields."""
    found = redis_info.Info(answer)
    assert (found.version, found.databases(), found.count("used_memory")) == (None, {}, None)


@given(st.binary(max_size=2000))
def test_given_any_bytes_then_nothing_fails(answer: bytes) -> None:
    """What is read is short, printable ASCII, and counts are in bounds."""
    found = redis_info.Info(b"redis_version:" + answer)
    for text in (found.text("redis_version"), found.version, found.product):
        assert text is None or (text.isprintable() and text.isascii() and len(text) <= 200)
    assert all(0 <= number < 10**9 for number in found.databases())


def test_given_an_endless_answer_then_a_part_is_read() -> None:
    """Fields and bytes have a limit."""
    many = b"".join(b"db%d:keys=1\n" % number for number in range(100_000))
    assert len(redis_info.Info(many).databases()) <= redis_info.MOST_FIELDS
