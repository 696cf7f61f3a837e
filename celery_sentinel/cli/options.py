"""The options that make the configuration, from flags and environment."""

from __future__ import annotations

import os
import typing
from typing import TYPE_CHECKING, Any

import click

from celery_sentinel.config import broker_url as broker_url_source, loading, schema

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULTS = schema.Config()
_FLAG, _VARIABLE = click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT
# The options that set a key of the config file, by the names of their parameters.
_KEYS = {
    "web_listen_address": "web.listen_address",
    "web_telemetry_path": "web.telemetry_path",
    "web_enable_lifecycle": "web.enable_lifecycle",
    "web_config_file": "web.config_file",
    "log_level": "log.level",
    "log_format": "log.format",
    "state_file": "state.file",
}

Command = typing.TypeVar("Command", bound="Callable[..., object]")


def option(flag: str, **settings: Any) -> Callable[[Command], Command]:
    """Return an option that has an environment variable, as every option does."""
    name = flag.removeprefix("--").replace(".", "_").replace("-", "_")
    return click.option(flag, name, envvar=_variable(name), show_envvar=True, **settings)


def settings(command: Command) -> Command:
    """Add the options that make the configuration; load() reads them."""
    for add in reversed((*_BROKER, *_WEB, *_STATE, *_LOG)):
        command = add(command)
    return command


def load(context: click.Context, file: str | None) -> loading.Loaded:
    """Return the configuration of the options in ``context`` and of the config file.

    Every call reads the files afresh. Raise ConfigError for what cannot be used.
    """
    overrides: dict[str, object] = {}
    origins: dict[str, str] = {}
    for name, key in _KEYS.items():
        origin = _origin(context, name, _FLAG) or _origin(context, name, _VARIABLE)
        if origin:
            overrides[key], origins[key] = context.params[name], origin
    url = broker_url_source.choose(
        [
            (_given(context, "broker_url", level), _given(context, "broker_url_file", level))
            for level in (_FLAG, _VARIABLE)
        ],
        os.environ,
    )
    if url:
        overrides["broker.url"], origins["broker.url"] = url
    loaded = loading.read(file, overrides=overrides, origins=origins)
    return loaded._replace(doubts=(*loaded.doubts, *_doubts_about(loaded.config.web.config_file)))


def _doubts_about(web_config_file: str | None) -> tuple[str, ...]:
    """Check the web config file and all that it names; raise ConfigError if one is unusable."""
    if web_config_file is None:
        return ()
    from celery_sentinel import webconfig  # noqa: PLC0415 - cryptography only where it is needed

    return webconfig.read(web_config_file).doubts


def is_flag(context: click.Context, name: str) -> bool:
    """Tell whether the parameter ``name`` was given on the command line."""
    return context.get_parameter_source(name) is _FLAG


def _variable(name: str) -> str:
    return f"CELERY_SENTINEL_{name.upper()}"


def _origin(context: click.Context, name: str, level: click.core.ParameterSource) -> str | None:
    """Return the flag or variable that gave ``name``, or None if it was not at that level."""
    if context.get_parameter_source(name) is not level:
        return None
    if level is _VARIABLE:
        return f"${_variable(name)}"
    return next(each.opts[0] for each in context.command.params if each.name == name)


def _given(
    context: click.Context,
    name: str,
    level: click.core.ParameterSource,
) -> broker_url_source.Given | None:
    origin = _origin(context, name, level)
    return broker_url_source.Given(context.params[name], origin) if origin else None


LISTEN_ADDRESS, LOG_LEVEL = "--web.listen-address", "--log.level"
LEVELS = click.Choice(typing.get_args(schema.Level))
_BROKER = (
    option(
        "--broker-url",
        metavar="URL",
        help="The broker; several for failover, divided by semicolons. Other users of a machine "
        "can read command lines: a password is safer in the variable or in a file. "
        f"[default: {_DEFAULTS.broker.url}]",
    ),
    option(
        "--broker-url-file",
        metavar="FILE",
        help="A file that holds the broker URL; read again at every reload. "
        "[default: $CREDENTIALS_DIRECTORY/broker-url when it exists]",
    ),
    option("--config.file", metavar="FILE", help="The config file (YAML). [default: none]"),
)
_WEB = (
    option(
        LISTEN_ADDRESS,
        multiple=True,
        metavar="[HOST]:PORT",
        help=f"Where to serve; repeatable. [default: {_DEFAULTS.web.listen_address[0]}]",
    ),
    option(
        "--web.telemetry-path",
        metavar="PATH",
        help=f"Where Prometheus scrapes. [default: {_DEFAULTS.web.telemetry_path}]",
    ),
    option(
        "--web.enable-lifecycle",
        is_flag=True,
        default=None,
        help="Let POST /-/reload load the configuration afresh, as SIGHUP does.",
    ),
    option(
        "--web.config.file",
        metavar="FILE",
        help="TLS, passwords and headers, in the format of Prometheus' exporter-toolkit; read "
        "again when it changes. [default: none]",
    ),
)
_STATE = (
    option(
        "--state.file",
        metavar="FILE",
        help="Where open tasks and counters are kept over a restart. [default: nowhere]",
    ),
)
_LOG = (
    option(LOG_LEVEL, type=LEVELS, help=f"The least to log. [default: {_DEFAULTS.log.level}]"),
    option(
        "--log.format",
        type=click.Choice(typing.get_args(schema.Format)),
        help=f"auto is console on a terminal, else logfmt. [default: {_DEFAULTS.log.format}]",
    ),
)
