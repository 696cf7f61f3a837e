"""We connect to where kombu connects, and as whom it does."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import redis
from hypothesis import strategies as st

from celery_sentinel import errors
from celery_sentinel.brokers.redis import url as redis_url
from celery_sentinel.config import schema
from tests.unit.brokers import kombu_reading

MASTER = {"master_name": "fleet"}
COMPARED = ("host", "port", "path", "db", "username", "password")


def _broker(
    url: str, options: dict[str, Any] | None = None, tls: schema.Tls | None = None
) -> schema.Broker:
    return schema.Broker(url=url, transport_options=options or {}, tls=tls)


def _assert_reads_as_kombu(url: str, options: dict[str, Any], *, tried: int = 0) -> None:
    kombu_reads = kombu_reading.Reading(url, options, tried=tried)
    ours = redis_url.addresses(_broker(url, options))[tried]
    theirs = kombu_reads.parameters
    assert {key: ours.arguments.get(key) for key in COMPARED} == {
        key: theirs.get(key) for key in COMPARED
    }
    assert issubclass(ours.connection_class, redis.SSLConnection) == issubclass(
        theirs["connection_class"], redis.SSLConnection
    )
    assert issubclass(ours.connection_class, redis.UnixDomainSocketConnection) == issubclass(
        theirs["connection_class"], redis.UnixDomainSocketConnection
    )


URLS = [
    "redis://",
    "redis:///3",
    "redis://h",
    "redis://h/",
    "redis://h/0",
    "redis://h/3",
    "redis://h//3",
    "redis://h/%33",
    "redis://h/007",
    "redis://h:7000/1",
    "redis://H.Example:7000",
    "redis://[::1]:7000/2",
    "redis://:secret@h/1",
    "redis://user@h/1",
    "redis://user:secret@h",
    "redis://us%40er:p%2Fw%3F%23%40%3A%25%3B%20@h/1",
    "redis://:%C3%BC%F0%9F%98%80@h",
    "redis://user:@h",
    "rediss://h/2",
    "rediss://:secret@h:6380/1?ssl_cert_reqs=none",
    "redis://h/1?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem",
    "redis+socket:///run/redis.sock",
    "redis+socket:///run/redis.sock?virtual_host=3",
    "redis+socket:///run/redis.sock?virtual_host=/3",
    "redis+socket://user:p%40%2F@/run/re%20dis.sock?virtual_host=12",
    "redis+socket://:secret@/r?virtual_host=0",
]
SENTINELS = [
    "sentinel://h",
    "sentinel://h:7000/3",
    "sentinel://:secret@h/1",
    "sentinel://user:p%40@one:1;sentinel://two:2",
    "sentinel://one/3;sentinel://two:7000",
    "sentinel://one;sentinel://two;sentinel://three/3",
    "sentinel://h/1?ssl_cert_reqs=none",
]


@pytest.mark.parametrize("url", URLS)
def test_each_url_is_read_as_kombu_reads_it(url: str) -> None:
    """Host, port or path, database, user, password and TLS are those of kombu."""
    _assert_reads_as_kombu(url, {})


@pytest.mark.parametrize("url", SENTINELS)
def test_each_sentinel_is_read_as_kombu_reads_it(url: str) -> None:
    """So it is behind Sentinel, where the first URL says what the master is asked for."""
    _assert_reads_as_kombu(url, MASTER)


@pytest.mark.parametrize(
    "url",
    [
        "redis://one;redis://two",
        "redis://:a@one:1/1;redis://user:b@two:2/2",
        "redis://:a@one:7000/4;redis://two;redis://three/5;redis://four",
        "rediss://one?ssl_cert_reqs=none;redis://two",
        "rediss://one?ssl_cert_reqs=none;rediss://two",
        "redis://one;rediss://two?ssl_cert_reqs=none;redis://three",
        "rediss://one;redis://two",
    ],
)
def test_each_url_of_a_list(url: str) -> None:
    """Of a list, too, each is read as kombu reads it when it gets there."""
    for tried in range(url.count(";") + 1):
        _assert_reads_as_kombu(url, {}, tried=tried)


@hypothesis.given(
    user=st.none() | st.text(st.characters(codec="utf-8"), min_size=1),
    password=st.text(st.characters(codec="utf-8"), min_size=1),
    db=st.integers(0, 99_999),
)
def test_any_credentials_once_encoded(user: str | None, password: str, db: int) -> None:
    """Percent-encoded, any user and password arrive as they are."""
    quote = kombu_reading.kombu.utils.url.safequote
    url = f"redis://{quote(user or '')}:{quote(password)}@h/{db}"
    [address] = redis_url.addresses(_broker(url))
    assert (address.arguments["username"], address.arguments["password"]) == (user, password)
    assert address.db == db
    assert address.where == "h:6379"


def test_what_people_are_shown() -> None:
    """An address without a password: host and port, or the path of a socket."""
    [tcp] = redis_url.addresses(_broker("redis://user:hidden@h:7000/3"))
    [sock] = redis_url.addresses(_broker("redis+socket://:hidden@/run/redis.sock"))
    assert (tcp.where, tcp.host, tcp.port) == ("h:7000", "h", 7000)
    assert (sock.where, sock.host, sock.port) == ("/run/redis.sock", "/run/redis.sock", 0)


def test_another_place_keeps_all_else() -> None:
    """The master Sentinel names is reached with the credentials, TLS and database of the URL."""
    [first] = redis_url.addresses(_broker("sentinel://u:p@h/3?ssl_cert_reqs=none", MASTER))
    moved = first.at("master", 7000)
    assert moved.where == "master:7000"
    assert moved.connection_class is redis.SSLConnection
    assert moved.arguments == first.arguments | {"host": "master", "port": 7000}


def test_the_password_of_any_sentinel() -> None:
    """All sentinels lead to one master, so a password that only a later URL has is its own."""
    first, second = redis_url.addresses(_broker("sentinel://a;sentinel://u:p@b", MASTER))
    names = ("username", "password")
    assert [first.arguments[name] for name in names] == ["u", "p"]
    assert [second.arguments[name] for name in names] == ["u", "p"]


def test_a_password_stays_with_its_server() -> None:
    """The password of one Redis server is not sent to another of the list."""
    _, second = redis_url.addresses(_broker("redis://u:p@a;redis://b"))
    assert (second.arguments["username"], second.arguments["password"]) == (None, None)


def test_tls_arguments_of_the_url() -> None:
    """The ssl_ options reach redis-py with the values kombu gives them."""
    url = (
        "rediss://h?ssl_cert_reqs=CERT_OPTIONAL&ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem"
        "&ssl_keyfile=/k.pem&ssl_check_hostname=false"
    )
    [address] = redis_url.addresses(_broker(url))
    theirs = kombu_reading.Reading(url, {}).parameters
    ours = {key: value for key, value in address.arguments.items() if key.startswith("ssl_")}
    assert ours == {key: value for key, value in theirs.items() if key.startswith("ssl_")}
    assert address.connection_class(**address.arguments)


def test_the_section_goes_before_the_url() -> None:
    """``broker.tls`` replaces what the URL says, but only where it says something."""
    url = "rediss://h?ssl_ca_certs=/url.pem&ssl_certfile=/url-cert.pem"
    [address] = redis_url.addresses(_broker(url, tls=schema.Tls(ca_file="/section.pem")))
    assert address.arguments["ssl_ca_certs"] == "/section.pem"
    assert address.arguments["ssl_certfile"] == "/url-cert.pem"
    assert address.arguments["ssl_check_hostname"] is True


def test_the_section_alone_means_tls() -> None:
    """With ``broker.tls`` even redis:// is encrypted."""
    tls = schema.Tls(verify_hostname=False)
    [address] = redis_url.addresses(_broker("redis://h", tls=tls))
    assert address.connection_class is redis.SSLConnection
    assert address.arguments["ssl_check_hostname"] is False


def test_certificates_are_verified_unless_told_otherwise() -> None:
    """Stricter than kombu on purpose: rediss:// without options does not mean any certificate."""
    [address] = redis_url.addresses(_broker("rediss://h"))
    connection: Any = address.connection_class(**address.arguments)
    assert connection.cert_reqs == redis.connection.ssl.CERT_REQUIRED
    assert kombu_reading.Reading("rediss://h", {}).parameters["ssl_cert_reqs"] == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:Zq7pw@h/abc", "must be a number"),
        ("redis://:Zq7pw@h/1.0", "must be a number"),
        ("redis://:Zq7pw@h/0x1", "must be a number"),
        ("redis://:Zq7pw@h/" + "9" * 5000, "must be a number"),
        ("redis://h/Zq7pw", "must be a number"),
        ("redis://user/Zq7pw@h/0", "must be a number"),
        ("redis://:1/Zq7pw@h", "must be a number"),
        ("redis+socket://:Zq7pw@/run/r?virtual_host=abc", "must be a number"),
        ("redis://:a/Zq7pw@h", "cannot be read"),
        ("redis+socket://:a/Zq7pw@/run/r", "cannot be read"),
        ("redis://:Zq7pw@h:port", "cannot be read"),
        ("redis://:Zq7pw@[::1", "cannot be read"),
        ("redis://:Zq7pw@h:99999", "cannot be read"),
        ("redis://h?password=Zq7pw", "cannot be read"),
        ("redis://:Zq7pw@h?virtual_host=3", "cannot be read"),
        ("redis://:Zq7pw@h?ssl=true", "cannot be read"),
        ("redis://:Zq7pw@h?ssl=true&ssl_certfile=x", "cannot be read"),
        ("rediss://:Zq7pw@h?ssl_cert_reqs=Zq7pw", "ssl_cert_reqs is none of"),
        ("rediss://:Zq7pw@h?ssl_Zq7pw=1", "ssl_ option that redis-py does not know"),
        ("redis://ok;redis://:Zq7pw@h/abc", "must be a number"),
    ],
)
def test_what_cannot_be_used_is_refused_in_silence_about_secrets(url: str, words: str) -> None:
    """Each kind of mistake is a ConfigError that says what to write and shows no password."""
    with pytest.raises(errors.ConfigError, match=words) as caught:
        redis_url.addresses(_broker(url))
    assert "Zq7" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@hypothesis.given(
    st.sampled_from(["redis://", "rediss://", "redis+socket://", "sentinel://"]),
    st.text(max_size=30),
)
def test_any_url_is_read_or_refused(scheme: str, rest: str) -> None:
    """Whatever stands behind the scheme, nothing but a ConfigError comes of it."""
    try:
        redis_url.addresses(_broker(scheme + rest))
    except errors.ConfigError as error:
        assert str(error).startswith("broker.url")  # noqa: PT017 -- or nothing is raised


def test_the_name_of_the_master() -> None:
    """Only Sentinel has a master by name, and it must have one."""
    assert redis_url.master_name(_broker("redis://h", MASTER)) is None
    assert redis_url.master_name(_broker("sentinel://h", MASTER)) == "fleet"
    for options in ({}, {"master_name": ""}, {"master_name": None}):
        with pytest.raises(errors.ConfigError, match="no master_name"):
            redis_url.master_name(_broker("sentinel://h", options))
