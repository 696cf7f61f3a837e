"""Redis in pure Python for machines without a redis-server: ``embedded PORT`` serves it."""

from __future__ import annotations

import sys

from fakeredis import TcpFakeServer

from celery_sentinel.demo import broker


def main(arguments: list[str]) -> None:
    """Serve on the loopback port that ``arguments`` names."""
    server = TcpFakeServer((broker.HOST, int(arguments[0])))
    server.daemon_threads = True  # a client that stays connected must not keep us alive
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
