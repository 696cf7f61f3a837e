"""Restores the state at the start, takes a snapshot now and then, and the exact one at the end."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

from celery_sentinel import logs
from celery_sentinel.fleet import model
from celery_sentinel.metrics import catalogue, samples
from celery_sentinel.state import (
    broker_id,
    file as state_file,
    file_lock,
    last_exposition,
    restore,
    schema as state_schema,
    snapshot,
)
from celery_sentinel.status import schema as status_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery_sentinel.config import schema
    from celery_sentinel.metrics import previous_exposition
    from celery_sentinel.state.restore import Restoration
    from celery_sentinel.telemetry import subscription

MAGIC = b"CSstate\n"
_LONGEST_PAUSE = 0.05  # seconds
PATIENCE = 6.0  # seconds; one that was told to stop has ended by then


class _AbandonedError(Exception):
    """The daemon stops while a snapshot is under way."""


def opened(
    config: schema.Config, connection: subscription.Subscription
) -> tuple[StateManager | None, model.Fleet]:
    """Return the fleet, where the state file left it if there is one, and who keeps that file."""
    fleet = model.Fleet(config)
    if config.state.file is None:
        return None, fleet
    opening = StateManager(config, file=config.state.file, fleet=fleet, connection=connection)
    if not opening.restore():
        opening.fleet = model.Fleet(config)
    return opening, opening.fleet


class StateManager:
    """The state file of one daemon. ``thread`` takes the snapshots; nothing here raises.

    Failures are counted as those of the part ``state``, and logged where they begin and end.
    """

    def __init__(
        self,
        config: schema.Config,
        *,
        file: str,
        fleet: model.Fleet,
        connection: subscription.Subscription,
    ) -> None:
        self.fleet = fleet
        self.thread = threading.Thread(target=self.run, name="state", daemon=True)
        self.restored = False
        self.why_not: str | None = None
        self.before: previous_exposition.PreviousExposition | None = None
        self._connection = connection
        self._settings = config.state
        self._durable = config.broker.durable_events
        largest = state_file.largest(config.tasks.max_records)
        self._store = state_file.Store(
            file, magic=MAGIC, version=state_schema.VERSION, largest=largest
        )
        self._shown = last_exposition.LastExposition(file, largest)
        self._claim = file_lock.FileLock(self._store.path)
        self._barred: str | None = None  # why the file is not ours, and never will be
        self._origin = snapshot.Origin(broker_id.of(config), uuid.uuid4().hex, time.time())
        self._stopping = threading.Event()
        self._troubles: dict[str, str] = {}
        self._taken_at: float | None = None
        self._duration = 0.0
        self._size = 0
        self._rested_at = 0.0
        self._log = logs.get(__name__)

    # --- the start ------------------------------------------------------------------------

    def restore(self) -> bool:
        """Put a fresh fleet and the connection's counts where the file left them.

        False where there is none, or none that can be used: then the fleet is to be thrown away.
        """
        self._connection.failures["state"] += 0
        try:
            self._claim.take(patience=PATIENCE)
        except file_lock.TakenError as error:
            return self._stand_back(str(error))
        begun, now, wall = time.perf_counter(), time.monotonic(), time.time()
        restoration = restore.Restoration(self.fleet, now=now, wall=wall)
        head = self._read_into(restoration)
        if head is None:
            return False
        restore.stream_counts(
            self._connection,
            head.stream,
            away=restoration.away,
            now=now,
            # What a killed daemon had read since its snapshot is kept by nobody.
            kept=self._durable and head.final,
        )
        self._connection.failures["fleet"] = self.fleet.failures
        self._origin = snapshot.Origin(head.broker, head.lineage, head.since)
        self.restored = True
        self._recollect()
        self._store.tidy()
        self._log.info(
            "state_restored",
            **self._account(),
            away_seconds=round(restoration.away, 3),
            clock_set_back=wall < head.wall,
            exact=head.final,
            took_seconds=round(time.perf_counter() - begun, 3),
        )
        return True

    def _read_into(self, restoration: Restoration) -> state_schema.Head | None:
        """Read the file; None if there is none, or none that can be used, and we begin anew."""
        try:
            frames = self._store.read()
            if frames is not None:
                return restoration.read(frames, broker=self._origin.broker)
            self.why_not = "there was no file yet"
            self._log.info("state_absent", file=str(self._store.path))
            self._begin_anew()
        except state_file.StateError as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001 -- whatever is in it, the daemon must start
            self._log.error("state_failed", exc_info=error)
            self._refuse(f"cannot be used: {type(error).__name__}: {error}")
        return None

    def _account(self) -> dict[str, str | int]:
        """Return what was read from where, for the log."""
        return {
            "file": str(self._store.path),
            "tasks": len(self.fleet.records.by_id),
            "workers": len(self.fleet.workers.by_hostname),
        }

    def _refuse(self, reason: str) -> None:
        aside = self._store.set_aside()
        self.why_not = f"{self._store.path} {reason}"
        self._connection.failures["state"] += 1
        self._log.warning(
            "state_not_restored",
            file=str(self._store.path),
            reason=reason,
            kept_as=None if aside is None else str(aside),
        )
        self._begin_anew()

    def _stand_back(self, reason: str) -> bool:
        """Leave alone, for good, a file that is another's: what it holds is not what we count."""
        self._barred = f"{reason}; give each daemon a file of its own"
        self.why_not = f"{self._store.path} {self._barred}"
        self._connection.failures["state"] += 1
        self._log.warning("state_in_use", file=str(self._store.path), reason=reason)
        return False

    def _begin_anew(self) -> None:
        self._store.tidy()
        self._shown.remove()

    def _recollect(self) -> None:
        """Read what was shown; without it counters may seem to have been reset once."""
        self._shown.tidy()
        try:
            self.before = self._shown.read(self._origin.lineage, self._origin.since)
        except state_file.StateError as error:
            self._connection.failures["state"] += 1
            self._log.warning("state_shown_not_read", reason=str(error))

    # --- while running --------------------------------------------------------------------

    def keep(self, body: bytes) -> None:
        """Remember an exposition before anybody sees it."""
        if self._barred is None:
            self._attempt("shown", lambda: self._shown.write(body, self._origin.lineage))

    def run(self) -> None:
        """Take a snapshot at once, which shows whether that can be done, and then now and then."""
        interval = float(self._settings.interval)
        while not self._stopping.is_set():
            self._rested_at = time.perf_counter()
            self._attempt("snapshot", lambda: self._save(rest=self._pause, final=False))
            self._stopping.wait(interval)

    def stop(self) -> None:
        """Ask the thread to end; a snapshot under way is abandoned."""
        self._stopping.set()

    def finish(self, *, exact: bool) -> None:
        """Take the last snapshot; ``exact`` says that nobody writes to the fleet any more.

        Not while the thread is alive: it waits for a disk that we would wait for as well.
        """
        if not self.thread.is_alive():
            self._attempt("snapshot", lambda: self._save(rest=lambda: None, final=exact))
            self._claim.give_up()

    def _pause(self) -> None:
        """Leave the other threads as much time as the slice has taken."""
        now = time.perf_counter()
        if self._stopping.wait(min(now - self._rested_at, _LONGEST_PAUSE)):
            raise _AbandonedError
        self._rested_at = time.perf_counter()

    def _save(self, *, rest: Callable[[], None], final: bool) -> None:
        if self._barred is not None:
            raise state_file.StateError(self._barred)
        self._claim.take()  # its directory may not have been there before
        begun, wall = time.perf_counter(), time.time()
        taken = snapshot.Snapshot(self.fleet, self._connection, rest=rest)
        self._size = self._store.write(
            taken.frames(self._origin, now=time.monotonic(), wall=wall, final=final)
        )
        self._taken_at, self._duration = wall, time.perf_counter() - begun
        self._log.debug(
            "state_saved",
            bytes=self._size,
            took_seconds=round(self._duration, 3),
            longest_hold_seconds=round(taken.longest_hold, 6),
        )

    def _attempt(self, what: str, act: Callable[[], None]) -> None:
        """Do something that may fail; one log line for each change of state."""
        try:
            act()
        except _AbandonedError:
            return
        except Exception as error:  # noqa: BLE001 -- the daemon goes on without its state file
            self._connection.failures["state"] += 1
            known, text = what in self._troubles, str(error) or type(error).__name__
            self._troubles[what] = text
            if not known:
                foreseen = isinstance(error, state_file.StateError)
                self._log.warning(
                    "state_not_saved",
                    file=str(self._store.path),
                    what=what,
                    error=text,
                    exc_info=None if foreseen else error,
                )
        else:
            if self._troubles.pop(what, None) is not None:
                self._log.info("state_saved_again", file=str(self._store.path), what=what)

    # --- what it tells --------------------------------------------------------------------

    def families(self) -> Iterator[samples.Family]:
        """Yield the metrics about the state file."""
        taken_at = self._taken_at
        yield samples.single(catalogue.STATE_RESTORED, int(self.restored))
        yield samples.single(catalogue.STATE_SNAPSHOT_TIMESTAMP, taken_at)
        known = taken_at is not None
        yield samples.single(catalogue.STATE_SNAPSHOT_DURATION, self._duration if known else None)
        yield samples.single(catalogue.STATE_SNAPSHOT_SIZE, self._size if known else None)

    def told(self) -> status_schema.StateStatus:
        """Return what the landing page says of it."""
        taken_at = self._taken_at
        return status_schema.StateStatus(
            restored=self.restored,
            why_not=self.why_not,
            snapshot_age_seconds=None if taken_at is None else max(0.0, time.time() - taken_at),
            snapshot_bytes=None if taken_at is None else self._size,
            failures=self._connection.failures["state"],
            last_error=next(iter(self._troubles.values()), None),
        )
