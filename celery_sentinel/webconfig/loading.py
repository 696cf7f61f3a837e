"""Reads a web config file and all that it names, whole or not at all."""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
from typing import TYPE_CHECKING

from celery_sentinel.config import convert, loading, yaml_nodes
from celery_sentinel.webconfig import contexts, schema, values

if TYPE_CHECKING:
    import ssl

FLAG = "--web.config.file"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a web config file asks for; by default nothing.

    ``users`` maps names to bcrypt hashes, ``interval`` is in seconds, ``expires`` in epoch
    seconds. ``files`` are those whose change matters, ``doubts`` lines of warning.
    """

    context: ssl.SSLContext | None = None
    expires: float | None = None
    allowed_sans: frozenset[str] | None = None
    users: dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    interval: float = 0.0
    burst: int = 0
    files: tuple[pathlib.Path, ...] = ()
    doubts: tuple[str, ...] = ()


def read(path: str) -> Loaded:
    """Read the file at ``path``; raise ConfigError for the first mistake in it or in its files.

    The text of the error is one line with the place, the key, what was found and what is
    allowed; it shows no hash and nothing of a key.
    """
    file = pathlib.Path(path)
    tree = yaml_nodes.read(path, flag=FLAG, example="tls_server_config:")
    config = convert.convert(tree, schema.WebConfig)
    locate = loading.locator(tree)
    doubts = [*values.check(config, locate)]
    tls = config.tls_server_config
    made = contexts.make(tls, file, locate) if tls.enabled else None
    if made is not None:
        doubts += made.doubts
    sans = tls.client_allowed_sans
    return Loaded(
        context=made.context if made else None,
        expires=made.expires if made else None,
        allowed_sans=None if sans is None else frozenset(map(canonical, sans)),
        users={
            name.encode(): hashed.encode()
            for name, hashed in (config.basic_auth_users or {}).items()
        },
        headers=tuple(
            (name.lower().encode("ascii"), value.encode("ascii"))
            for name, value in (config.http_server_config.headers or {}).items()
            if value
        ),
        interval=values.interval_of(config.rate_limit),
        burst=config.rate_limit.burst,
        files=(file, *contexts.paths_of(tls, file)),
        doubts=tuple(doubts),
    )


def canonical(name: str) -> str:
    """Return an alternative name so that two ways to write one IP address are the same."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
