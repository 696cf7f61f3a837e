"""All that takes part in one run, and what can be asked of it together."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import producer, relay, server
    from tests.soak import fleet, ledger, load, watcher

_UP_SECONDS = 150.0
_IDLE_SECONDS = 60.0


class Scene(NamedTuple):
    """The parts of one run; the daemon alone reaches the broker by the ``cable``."""

    broker: server.Broker
    cable: relay.Relay
    workers: fleet.Fleet
    sending: producer.Producer
    load: load.Load
    watching: watcher.Watcher
    books: ledger.Ledger

    @contextlib.contextmanager
    def under_load(self) -> Iterator[None]:
        """Send tasks while the block lasts; then wait until the workers have nothing to do."""
        with self.load.running():
            yield
        self.workers.drain(self._waiting)

    def wait_all_up(self) -> None:
        """Wait until we are subscribed, and exactly the workers that run are up."""
        self.wait_up(dict.fromkeys(self.workers.living, 1.0))

    def revive(self) -> set[str]:
        """Start again whoever fell of the crew, until all are up; return their names."""
        fallen: set[str] = set()

        def all_up(samples: daemon.Samples) -> bool:
            for name in self.workers.fallen:
                self.workers.by_name[name].start()
                fallen.add(name)
            wanted = dict.fromkeys(self.workers.living, 1.0)
            return up(samples) == wanted and bool(daemon.total(samples, "celery_broker_up"))

        self.watching.wait(all_up, _UP_SECONDS, "the crew is up, all of it")
        return fallen

    def wait_up(self, wanted: dict[str, float], witness: daemon.Daemon | None = None) -> None:
        """Wait until ``celery_worker_up`` is ``wanted``, by node name; in ``witness`` as well."""
        self.watching.wait(
            lambda samples: up(samples) == wanted and daemon.total(samples, "celery_broker_up"),
            _UP_SECONDS,
            f"celery_worker_up is {wanted}",
        )
        if witness is not None:
            deadline.wait_until(
                lambda: up(witness.scrape()) == wanted, _UP_SECONDS, f"it is {wanted} in the other"
            )

    def wait_nothing_runs(self) -> None:
        """Wait until no task is in flight as started: also those whose end fell into a gap."""
        try:
            self.watching.wait(lambda samples: not running(samples), _IDLE_SECONDS, "nothing runs")
        except TimeoutError:
            assert not running(self.watching.latest), "they are in flight for ever"
            raise

    def _waiting(self) -> int:
        """Return how many messages the queue of tasks holds, asked of the broker itself."""
        app = self.sending.app
        with app.connection_for_read() as connection:
            try:
                declared = connection.default_channel.queue_declare(
                    app.conf.task_default_queue, passive=True
                )
            except connection.channel_errors:  # an empty queue does not exist on Redis
                return 0
            return int(declared.message_count)


def running(samples: daemon.Samples) -> dict[str, float]:
    """Return how many tasks are in flight as started, by name and queue."""
    return {
        str(sorted(labels)): value
        for (name, labels), value in samples.items()
        if name == "celery_tasks_in_flight" and ("state", "started") in labels and value
    }


def up(samples: daemon.Samples) -> dict[str, float]:
    """Return ``celery_worker_up`` by node name."""
    return {
        dict(labels)["hostname"]: value
        for (name, labels), value in samples.items()
        if name == "celery_worker_up"
    }
