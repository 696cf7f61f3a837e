"""Reaches a result backend in a database, by SQLAlchemy where the operator has installed it."""

from __future__ import annotations

import functools
import pathlib
import time
from typing import TYPE_CHECKING, Any

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy

# What the drivers call the seconds they wait, as far as they can be told.
_TIME_OUTS: Mapping[str, tuple[str, ...]] = {
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pymysql": ("connect_timeout", "read_timeout", "write_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout", "write_timeout"),
    "pysqlite": ("timeout",),
}
_IN_MEMORY = {None, "", ":memory:"}


def way(url: str, seconds: float) -> Callable[[], Database]:
    """Return what connects to the database of an SQLAlchemy URL, waiting ``seconds`` at most.

    Raises ``errors.ConfigError`` when a library is missing, or the URL cannot be used; its text
    shows nothing of it.
    """
    try:
        import sqlalchemy  # noqa: PLC0415 -- no dependency of ours: only such a backend needs it
        from sqlalchemy import exc  # noqa: PLC0415 -- the same
    except ImportError:
        raise errors.ConfigError(
            "result_backend.url: db+ needs SQLAlchemy, which is not installed; install sqlalchemy "
            "and the driver of the database beside celery-sentinel"
        ) from None
    try:
        parsed = sqlalchemy.make_url(url)
        engine = sqlalchemy.create_engine(
            parsed,
            poolclass=sqlalchemy.NullPool,
            connect_args=_time_outs(parsed.get_dialect().driver, seconds),
        )
    except exc.NoSuchModuleError:
        raise errors.ConfigError(
            f"result_backend.url: SQLAlchemy has no dialect for {parsed.drivername!r}; correct the "
            "scheme, or install the package that brings it beside celery-sentinel"
        ) from None
    except ImportError as error:
        raise errors.ConfigError(
            f"result_backend.url: {parsed.drivername} needs the driver {error.name}, which is not "
            "installed; install it beside celery-sentinel"
        ) from None
    except (exc.SQLAlchemyError, ValueError, TypeError):  # their texts may show a part of the URL
        raise errors.ConfigError(
            "result_backend.url: SQLAlchemy cannot use this URL; write it as "
            "db+postgresql://USER:PASSWORD@HOST/DATABASE, user and password percent-encoded"
        ) from None
    _check_kind(engine)
    return functools.partial(Database, engine, sqlalchemy.select(1))


def _time_outs(driver: str, seconds: float) -> dict[str, float]:
    """Return the arguments that make a driver wait no longer; whole seconds, as some insist."""
    return dict.fromkeys(_TIME_OUTS.get(driver, ()), int(seconds))


def _check_kind(engine: sqlalchemy.Engine) -> None:
    if engine.dialect.is_async:
        raise errors.ConfigError(
            f"result_backend.url: {engine.dialect.driver} is an asynchronous driver; give the "
            "synchronous one that Celery uses"
        )
    if engine.dialect.name == "sqlite" and engine.url.database in _IN_MEMORY:
        raise errors.ConfigError(
            "result_backend.url: an SQLite database in memory is another one in each process and "
            "cannot be watched; name a file, as in db+sqlite:////var/lib/results.sqlite"
        )


class Database:
    """Asks the least there is to ask, each time over a new connection."""

    def __init__(self, engine: sqlalchemy.Engine, question: Any) -> None:
        self._engine = engine
        self._question = question

    def round_trip(self) -> float:
        """Connect and return the seconds that ``SELECT 1`` took."""
        try:
            self._check_file()
            with self._engine.connect() as connection:
                begun = time.perf_counter()
                connection.scalar(self._question)
                return time.perf_counter() - begun
        except Exception as error:  # drivers raise what they like
            reason = getattr(error, "orig", None) or error  # without the statement and an advice
            raise errors.BrokerError(str(reason) or type(reason).__name__) from error

    def _check_file(self) -> None:
        """Miss the file of an SQLite database, which connecting would create."""
        file = self._engine.url.database
        if self._engine.dialect.name != "sqlite" or file is None or file.startswith("file:"):
            return
        path = pathlib.Path(file).absolute()
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file")

    def close(self) -> None:
        """Drop what connections there are."""
        self._engine.dispose()
