"""Whatever stands in a state file, the daemon starts, with all of it or with nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from celery_sentinel.config import schema
from celery_sentinel.fleet import model
from celery_sentinel.state import (
    broker_id,
    encoding,
    file as state_file,
    manager,
    restore,
    schema as state_schema,
)
from celery_sentinel.telemetry import subscription
from tests.unit.fleet import stage
from tests.unit.state import restarts, test_round_trip

if TYPE_CHECKING:
    import pathlib

VALUES: list[Any] = [None, -1, 2**63, 10**6, 1.5, float("nan"), "text", b"\xff", [], {}, [[]], True]


def config_for(path: pathlib.Path, url: str = "redis://localhost") -> schema.Config:
    """Return a configuration with a state file."""
    return schema.Config(broker=schema.Broker(url=url), state=schema.State(file=str(path)))


def opened(
    config: schema.Config,
) -> tuple[manager.StateManager, model.Fleet, subscription.Subscription]:
    """Start the keeper of a daemon."""
    connection = subscription.Subscription(transport="redis", url="redis://")
    kept, fleet = manager.opened(config, connection)
    assert kept is not None
    return kept, fleet, connection


def saved(path: pathlib.Path) -> stage.Stage:
    """Write the state of a full stage."""
    play = test_round_trip.full_stage()
    file = state_file.Store(
        str(path),
        magic=manager.MAGIC,
        version=state_schema.VERSION,
        largest=state_file.largest(1000),
    )
    file.write(restarts.frames(play))
    return play


def test_a_state_is_taken_over(tmp_path: pathlib.Path) -> None:
    """The file of a daemon on the same broker is restored."""
    play = saved(tmp_path / "state")
    kept, fleet, connection = opened(config_for(tmp_path / "state"))
    assert kept.restored
    assert fleet.event_counts == play.fleet.event_counts
    assert connection.gaps["restart"] == 1


def test_another_brokers_state_is_set_aside(tmp_path: pathlib.Path) -> None:
    """It is told which broker it is of, counted, kept, and nothing of it is taken over."""
    saved(tmp_path / "state")
    kept, fleet, connection = opened(config_for(tmp_path / "state", "redis://localhost/1"))
    assert not kept.restored
    assert "belongs to redis://localhost:6379/0 celeryev" in (kept.why_not or "")
    assert connection.failures["state"] == 1
    assert sum(fleet.event_counts.values()) == 0
    assert len(list(tmp_path.glob("state.broken-*"))) == 1


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("redis://", True),
        ("redis://:secret@localhost:6379/0?ssl_cert_reqs=none", True),
        ("redis://user:other@LOCALHOST:6379/", True),
        ("redis://localhost:6380/0", False),
        ("rediss://localhost:6379/0", False),
        ("redis://localhost;redis://elsewhere", False),
        ("amqp://localhost", False),
    ],
)
def test_who_asks_does_not_matter_but_where(url: str, same: bool) -> None:
    """Users, passwords and options do not make another broker; host, port and database do."""
    asked = broker_id.of(schema.Config(broker=schema.Broker(url=url)))
    assert (asked == restarts.ORIGIN.broker) is same
    assert "secret" not in asked
    assert "other:" not in asked


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("sentinel://h/0", "sentinel://H:26379", True),
        ("sentinel://h", "sentinel://h:26379/0", True),
        ("sentinel://a;sentinel://b/0", "sentinel://a:26379/0;sentinel://b:26379/0", True),
        ("sentinel://h/1", "sentinel://h:26379/0", False),
        ("sentinel://h:6379/0", "sentinel://h/0", False),
        ("librabbitmq://h:5672//", "amqp://h", True),
        ("pyamqp://h:5672//", "amqp://h", True),
        ("librabbitmq://h/shop", "amqp://h/other", False),
        ("amqps://h:5671//", "amqp://h", False),
    ],
)
def test_a_file_of_before_is_known_however_its_url_was_written(
    before: str, now: str, same: bool
) -> None:
    """Files of before hold Sentinel's URLs as given, and other names of one protocol."""
    asked = broker_id.of(schema.Config(broker=schema.Broker(url=now)))
    assert broker_id.same(f"{before} celeryev", asked) is same
    assert not broker_id.same(f"{before} theirs", asked)


def test_two_fleets_on_one_database_are_two() -> None:
    """Another exchange of events, or another key prefix, is another fleet."""
    one = schema.Config(events=schema.Events(exchange="theirs"))
    two = schema.Config(broker=schema.Broker(transport_options={"global_keyprefix": "b:"}))
    assert len({broker_id.of(each) for each in (one, two, schema.Config())}) == 3


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), value=st.sampled_from(VALUES))
def test_given_any_wrong_value_then_it_is_refused_or_restored(seed: int, value: Any) -> None:
    """A value of the wrong type or range somewhere never raises anything but StateError."""
    chosen = random.Random(seed)
    frames = restarts.frames(test_round_trip.full_stage())
    index = chosen.randrange(len(frames))
    plain = msgspec.msgpack.decode(frames[index])
    _replace(plain, value, chosen)
    frames[index] = msgspec.msgpack.encode(plain)
    fleet = model.Fleet(schema.Config())
    try:
        restore.Restoration(fleet, now=1e6, wall=stage.EPOCH).read(
            iter(frames), broker=restarts.ORIGIN.broker
        )
    except state_file.StateError:
        return
    fleet.tick(1e6 + 1, stage.EPOCH + 1, listening=True)


@settings(max_examples=200, deadline=None)
@given(frames=st.lists(st.binary(max_size=200), max_size=3))
def test_given_any_bytes_for_frames_then_they_are_refused(frames: list[bytes]) -> None:
    """Bytes that are no document are damage."""
    restoration = restore.Restoration(model.Fleet(schema.Config()), now=1.0, wall=1.0)
    with pytest.raises(state_file.StateError):
        restoration.read(iter(frames), broker="any")


def test_a_failure_nobody_foresaw_is_survived(tmp_path: pathlib.Path) -> None:
    """What is half restored when it fails is thrown away."""
    play = test_round_trip.full_stage()
    frames = restarts.frames(play)
    last = msgspec.msgpack.decode(frames[-1])
    last["records"][-1][1] = 10**6  # a series that is not there
    file = state_file.Store(
        str(tmp_path / "state"), magic=manager.MAGIC, version=state_schema.VERSION, largest=10**6
    )
    file.write([*frames[:-1], msgspec.msgpack.encode(last)])
    kept, fleet, connection = opened(config_for(tmp_path / "state"))
    assert not kept.restored
    assert (len(fleet.series), len(fleet.workers.by_hostname)) == (0, 0)
    assert connection.gaps["restart"] == 0


def test_what_cannot_be_encoded_costs_only_itself() -> None:
    """A lone surrogate in an id, a number of 70 bits: the other tasks are written."""
    play = stage.Stage()
    play.received("bad-\udcff")
    play.received("huge", retries=2**70)
    play.received("good")
    play.sent("taught", name="name-\udcff", queue="q")
    new = restarts.restarted(play)
    assert set(new.fleet.records.by_id) == {"good", "taught"}


def test_a_frame_that_can_be_encoded_is_encoded_as_it_is() -> None:
    """No mending where none is needed."""
    portion = state_schema.Portion(records=[state_schema.Record("t", 0, None, 1, 2.0)])
    assert msgspec.msgpack.decode(encoding.encode(portion), type=state_schema.Portion) == portion


def _replace(tree: Any, value: Any, chosen: random.Random) -> None:
    """Put a value in the place of something somewhere in a tree."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    if not keys:
        return
    key = chosen.choice(keys)
    if isinstance(tree[key], dict | list) and tree[key] and chosen.random() < 0.9:
        _replace(tree[key], value, chosen)
    else:
        tree[key] = value
