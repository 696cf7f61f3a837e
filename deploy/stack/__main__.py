"""``python deploy/stack``: what deploy/compose runs in containers, here without any.

From the system's packages, on loopback, and without Grafana; ``make stack`` calls it.
"""

from __future__ import annotations

import sys

import click
import stage

from celery_sentinel import errors


@click.command()
@click.option(
    "--any-port",
    is_flag=True,
    help="Listen on any free ports, not on 9808, 9809, 9090 and 9093 where these are free.",
)
def main(*, any_port: bool) -> None:
    """Run a Celery fleet, a pair of celery-sentinels, Prometheus and Alertmanager until Ctrl-C."""
    try:
        sys.exit(stage.run(anywhere=any_port))
    except errors.SentinelError as error:
        click.echo(f"stack: error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
