"""The daemon in front of the demo's fleet: its command line, and where it listens."""

from __future__ import annotations

import re
import socket
import sys

DEFAULT_ADDRESS = "127.0.0.1:9808"
ANY_PORT = "127.0.0.1:0"

LEVELS = ("debug", "info", "warning", "error", "critical")

_LEVEL = re.compile(r"\blevel=(\w+)")
_LISTENING = re.compile(r"\bweb_listening\b.*\burl=\"?([^\s\"]+)")


def command(broker_url: str, listen_address: str, log_level: str) -> list[str]:
    """Return the command line of the daemon, the one that anybody would type.

    It logs no less than we need to learn where it listens; ``audible`` tells the rest apart.
    """
    where = ["--broker-url", broker_url, "--web.listen-address", listen_address]
    level = "debug" if log_level == "debug" else "info"
    how = ["--log.level", level, "--log.format", "logfmt"]
    return [sys.executable, "-m", "celery_sentinel", "run", *where, *how]


def address_to_use(wanted: str, default: str = DEFAULT_ADDRESS) -> str:
    """Return ``wanted``, or any free port when that is the default and somebody has it."""
    if wanted != default:
        return wanted
    host, port = wanted.rsplit(":", 1)
    try:
        socket.create_server((host, int(port))).close()
    except OSError:
        return ANY_PORT
    return wanted


def audible(line: str, log_level: str) -> bool:
    """Tell whether somebody who asked for ``log_level`` wants to read ``line`` of the log."""
    level = _LEVEL.search(line)
    if level is None or level.group(1) not in LEVELS:
        return True
    return LEVELS.index(level.group(1)) >= LEVELS.index(log_level)


def url(log: str) -> str | None:
    """Return the address of the web pages if the daemon's log tells, without a final slash."""
    found = _LISTENING.search(log)
    return found.group(1).rstrip("/") if found else None
