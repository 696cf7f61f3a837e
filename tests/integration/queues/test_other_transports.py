"""Depths over kombu's other transports, with events and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import celery
import kombu

from celery_sentinel.brokers.kombu import queues as kombu_queues
from tests.integration.queues import look

if TYPE_CHECKING:
    import contextlib
    import pathlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon

SUCCESS = "celery_sentinel_poll_success"


def test_filesystem(
    tmp_path: pathlib.Path,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """filesystem:// is counted through kombu, a queue that was never used included."""
    folders = {name: tmp_path / name for name in ("in", "processed", "control")}
    for folder in folders.values():
        folder.mkdir()
    options = {
        "data_folder_in": str(folders["in"]),
        "data_folder_out": str(folders["in"]),
        "processed_folder": str(folders["processed"]),
        "control_folder": str(folders["control"]),
    }
    sentinel = watch(
        "filesystem://",
        broker={"transport_options": options},
        events={"enable": False},
        queues={"watch": ["shop", "never"]},
    )
    sending = make_producer("filesystem://", config={"broker_transport_options": options})
    for _ in range(3):
        sending.send("quick", queue="shop")

    expected = {"shop": 3, "never": 0}
    look.eventually(lambda: look.lengths(sentinel) == expected, "three are counted")
    look.becomes(sentinel, 1, SUCCESS, poller="queues")


def test_memory(closing: contextlib.ExitStack) -> None:
    """memory:// is counted within the process; looking at a queue does not make it."""
    app = closing.enter_context(celery.Celery("here", broker="memory://", set_as_current=False))
    app.send_task("quick", queue="depth-here")
    reader = kombu_queues.KombuQueues(look.config_of("memory://"))
    closing.callback(reader.close)

    for _ in range(3):
        found = reader.read(["depth-here", "depth-nowhere"]).queues
        lengths = {name: one.length for name, one in found.items()}
        assert lengths == {"depth-here": 1, "depth-nowhere": None}
    with kombu.Connection("memory://") as connection:
        assert "depth-nowhere" not in connection.channel().queues


def test_a_database_carries_no_events_and_is_counted(
    tmp_path: pathlib.Path,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Over SQL there are depths, no events and no workers, which log and page say at once."""
    url = f"sqla+sqlite:///{tmp_path}/broker.sqlite"
    sending = make_producer(url, sent_events=False)
    for _ in range(3):
        sending.send("quick", queue="shop")
    sentinel = watch(url, queues={"watch": ["shop", "never"]})

    look.eventually(lambda: look.length(sentinel, "shop") == 3, "three are counted")
    samples = sentinel.scrape()
    assert samples["celery_broker_up", frozenset({("transport", "sqla+sqlite")})] == 1
    assert sentinel.stderr_text.count("events_impossible") == 1
    assert "There will be no events" in sentinel.get("/").text
    notes: list[Any] = sentinel.get("/api/v1/status").json()["notes"]
    assert any("cannot fan out" in note for note in notes)
    look.eventually(lambda: sentinel.get("/-/ready").status_code == 200, "it is ready")
    look.becomes(sentinel, 1, SUCCESS, poller="queues")
    assert look.value(sentinel, SUCCESS, poller="workers") is None


def test_a_database_that_is_not_there(
    tmp_path: pathlib.Path, start_daemon: conftest.StartDaemon
) -> None:
    """A broker without events is up only while it can be reached."""
    folder = tmp_path / "later"
    url = f"sqla+sqlite:///{folder}/broker.sqlite"
    sentinel = start_daemon(url, config=look.settings(queues={"watch": ["shop"]}))
    look.becomes(sentinel, 0, SUCCESS, poller="queues")
    look.becomes(sentinel, 0, "celery_broker_up")

    folder.mkdir()

    look.becomes(sentinel, 1, "celery_broker_up")
    look.becomes(sentinel, 1, SUCCESS, poller="queues")
