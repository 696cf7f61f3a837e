"""The commands, and the exit codes they end with."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import math
import sys
from typing import TYPE_CHECKING

import click
import yaml

import celery_sentinel
from celery_sentinel import errors, redaction
from celery_sentinel.cli import objectives_page, options
from celery_sentinel.config import addresses, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.config import loading, schema

_DEMO_ADDRESS = "127.0.0.1:9808"
_DEMO_LEVEL = "warning"
_HEALTH_URL = f"http://{_DEMO_ADDRESS}/-/healthy"
_LONGEST_DEMO_SECONDS = 7 * 86_400


@click.group(
    name="celery-sentinel",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(celery_sentinel.__version__, prog_name="celery-sentinel")
@click.pass_context
def main(context: click.Context) -> None:
    """Watch a Celery fleet and tell Prometheus what is true of it.

    Flags go before environment variables, these before the config file. Exit codes: 0 stopped
    as asked, 1 runtime failure, 2 bad usage or configuration, 3 cannot listen.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command()
@options.settings
@click.pass_context
def run(context: click.Context, /, **_: object) -> None:
    """Watch a broker and serve metrics until SIGTERM or SIGINT."""
    from celery_sentinel import daemon, log_writer, logs  # noqa: PLC0415 - keeps --version quick

    log_writer.open_standard_streams()
    read = functools.partial(options.load, context, context.params["config_file"])

    def doubted(loaded: loading.Loaded) -> schema.Config:
        for doubt in loaded.doubts:
            logs.get(__name__).warning("config_doubtful", doubt=doubt)
        return loaded.config

    with _told(redaction.Scrubber(())):
        loaded = read()
    scrubber = redaction.Scrubber.of(loaded.config)
    writer = log_writer.LogWriter()
    writer.start()
    logs.configure(loaded.config.log, scrubber, write=writer.write)
    config = doubted(loaded)
    # A supervisor's watchdog ends us by SIGABRT: the last words are where each thread stood. They
    # name functions and lines, no values.
    with contextlib.suppress(OSError, RuntimeError):  # nobody reads stderr
        faulthandler.enable(sys.__stderr__ or sys.stderr)
    with _told(scrubber):
        try:
            code = daemon.run(config, load=lambda: doubted(read()), log=writer)
        except errors.SentinelError:
            raise
        except Exception:  # noqa: BLE001 - the interpreter would print its secrets as well
            logs.get(__name__).exception("crashed")
            code = errors.SentinelError.exit_code
        finally:
            writer.close()
    context.exit(code)


@main.command("check-config")
@click.argument("file", required=False)
@options.settings
@options.option(
    "--task", multiple=True, metavar="NAME", help="Print what is asked of a task; repeatable."
)
@options.option(
    "--queue", multiple=True, metavar="NAME", help="Print what is asked of a queue; repeatable."
)
@click.pass_context
def check_config(
    context: click.Context,
    /,
    file: str | None,
    task: tuple[str, ...],
    queue: tuple[str, ...],
    **_: object,
) -> None:
    """Print the configuration if it is valid.

    What is printed is what would be used, with *** for secrets, or with --task and --queue which
    objectives apply to them and where each comes from. FILE is short for --config.file; flags
    and environment count as they do for run. What is valid but hardly meant is told on stderr.
    """
    if file and options.is_flag(context, "config_file"):
        raise click.UsageError("give FILE or --config.file, not both")
    with _told(redaction.Scrubber(())):
        loaded = options.load(context, file or context.params["config_file"])
    scrubber = redaction.Scrubber.of(loaded.config)
    for doubt in loaded.doubts:
        line = texts.printable(scrubber.scrub(doubt))
        click.echo(f"celery-sentinel: warning: {line}", err=True)
    if task or queue:
        for line in objectives_page.lines(loaded, tasks=task, queues=queue):
            click.echo(texts.printable(line))
        return
    click.echo("# valid; this is what would be used, with *** for secrets")
    click.echo(_yaml(redaction.redact(loaded.config)), nl=False)


@main.command()
@options.option(
    "--format",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="text is a line for each metric, markdown a page with a table for each group.",
)
def metrics(**given: str) -> None:
    """Print the catalogue of all metrics."""
    from celery_sentinel.cli import metrics_page  # noqa: PLC0415 - the same
    from celery_sentinel.metrics import catalogue  # noqa: PLC0415 - keeps --version and --help quick

    write = {"text": metrics_page.text, "markdown": metrics_page.markdown}[given["format"]]
    for line in write(catalogue.METRICS):
        click.echo(line)


@main.command()
@options.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True, max=_LONGEST_DEMO_SECONDS),
    metavar="SECONDS",
    callback=lambda _context, _option, value: _number(value),
    help="Stop by itself after so many seconds. [default: run until Ctrl-C]",
)
@options.option(
    options.LISTEN_ADDRESS,
    metavar="[HOST]:PORT",
    default=_DEMO_ADDRESS,
    help=f"Where the daemon of the demo serves. [default: {_DEMO_ADDRESS}]",
)
@options.option(
    options.LOG_LEVEL,
    type=options.LEVELS,
    default=_DEMO_LEVEL,
    help=f"The least to show of what the parts log. [default: {_DEMO_LEVEL}]",
)
@click.pass_context
def demo(
    context: click.Context,
    /,
    duration: float | None,
    web_listen_address: str,
    log_level: str,
) -> None:
    """Start a small fleet and watch it.

    A broker, real workers, a load on them, and the daemon in front, on this machine only.
    """
    from celery_sentinel import demo as fleet  # noqa: PLC0415 - keeps --version and --help quick

    with _told(redaction.Scrubber(())):
        _check_address(web_listen_address)
        code = fleet.run(
            listen_address=web_listen_address,
            duration=duration,
            log_level=log_level,
        )
    context.exit(code)


@main.command("healthcheck")
@click.argument("url", default=_HEALTH_URL, envvar="CELERY_SENTINEL_HEALTHCHECK_URL")
def check_health(url: str) -> None:
    """Ask a running daemon whether it is healthy.

    For containers, which have neither a shell nor curl. Exit codes: 0 healthy, 1 not. URL may come
    from CELERY_SENTINEL_HEALTHCHECK_URL; without it, http://127.0.0.1:9808/-/healthy is asked.
    """
    from celery_sentinel.cli import healthcheck  # noqa: PLC0415 - keeps --version and --help quick

    with _told(redaction.Scrubber(())):
        click.echo(healthcheck.ask(url))


@contextlib.contextmanager
def _told(scrubber: redaction.Scrubber) -> Iterator[None]:
    """Turn errors whose text is for the operator into a line on stderr and their exit code."""
    try:
        yield
    except errors.SentinelError as error:
        line = texts.printable(scrubber.scrub(str(error)))
        click.echo(f"celery-sentinel: error: {line}", err=True)
        raise click.exceptions.Exit(error.exit_code) from None


def _check_address(text: str) -> None:
    try:
        addresses.parse(text)
    except ValueError:
        raise errors.ConfigError(
            f"{options.LISTEN_ADDRESS}: found {texts.quoted(text)}; allowed: {addresses.ALLOWED}",
        ) from None


def _number(seconds: float | None) -> float | None:
    """Refuse nan, which is within every range."""
    if seconds is not None and math.isnan(seconds):
        raise click.BadParameter("nan is no number of seconds.")
    return seconds


def _yaml(settings: object) -> str:
    """Write settings the way a config file is written: mappings as blocks, short lists inline."""

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(
        list,
        lambda dumper, items: dumper.represent_sequence(
            "tag:yaml.org,2002:seq",
            items,
            flow_style=not any(isinstance(item, dict) for item in items),
        ),
    )
    return yaml.dump(settings, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
