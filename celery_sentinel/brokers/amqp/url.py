"""Reads AMQP broker URLs the way kombu does, for py-amqp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.utils import url as kombu_url

from celery_sentinel.config import urls

if TYPE_CHECKING:
    from celery_sentinel.config import schema

DEFAULT_PORTS = {"amqp": 5672, "pyamqp": 5672, "librabbitmq": 5672, "amqps": 5671}
_TLS_OPTIONS = frozenset({"ca_certs", "certfile", "keyfile", "cert_reqs", "ciphers"})
LONGEST_NAME = 255  # bytes of an AMQP short string


def addresses(broker: schema.Broker) -> list[dict[str, Any]]:
    """Return py-amqp's arguments for each URL of ``broker.url``, which ``;`` separates."""
    parts = (url.strip() for url in urls.plain(broker.url).split(";"))
    return [_arguments(url, broker) for url in parts if url]


def _arguments(url: str, broker: schema.Broker) -> dict[str, Any]:
    parts, tls = kombu_url.parse_url(url), broker.tls
    scheme = parts["transport"]
    port = parts["port"] or DEFAULT_PORTS.get(scheme, DEFAULT_PORTS["amqp"])
    return {
        "host": f"{parts['hostname'] or '127.0.0.1'}:{port}",
        "userid": parts["userid"] or "guest",
        "password": parts["password"] or "guest",
        "virtual_host": parts["virtual_host"] or "/",
        "login_method": broker.login_method or "PLAIN",
        "ssl": _ssl(parts, tls) if scheme == "amqps" or tls is not None else False,
    }


def _ssl(parts: dict[str, Any], tls: schema.Tls | None) -> dict[str, Any]:
    """Return py-amqp's TLS options; the certificate is verified unless the URL forbids it."""
    query = {key.removeprefix("ssl_"): value for key, value in (parts.get("ssl") or {}).items()}
    named = query.pop("check_hostname", True) and (tls is None or tls.verify_hostname)
    options = {key: value for key, value in query.items() if key in _TLS_OPTIONS}
    if tls is not None:
        section = {"ca_certs": tls.ca_file, "certfile": tls.cert_file, "keyfile": tls.key_file}
        options |= {key: value for key, value in section.items() if value is not None}
    return options | {"server_hostname": parts["hostname"] if named else None}
