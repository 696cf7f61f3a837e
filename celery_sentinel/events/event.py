"""The typed form of a Celery event: the fleet is given nothing else."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_KEPT = 2**63 - 1
Kept = Annotated[int, msgspec.Meta(ge=-MAX_KEPT, le=MAX_KEPT)]  # what the model remembers
# Beyond it, in seconds, is nothing that anybody measured; nor is NaN, which msgpack can write.
LONGEST = 1e11
Measure = Annotated[float, msgspec.Meta(ge=-LONGEST, le=LONGEST)]
Moment = Annotated[float, msgspec.Meta(ge=0.0, le=LONGEST)]


class Event(msgspec.Struct, gc=False, kw_only=True):
    """One event of Celery's stream; what an event does not carry is its default.

    Times are epoch seconds of the sender. ``timestamp`` 0.0 means the sender gave none.
    The fields stand in the order in which Celery writes them, which is the order in which
    msgspec finds them fastest. Arguments and results are not decoded at all.
    """

    hostname: str = ""
    pid: int | None = None
    clock: Kept | None = None
    uuid: str = ""
    name: str | None = None
    parent_id: str | None = None
    retries: Kept = 0
    eta: str | None = None
    expires: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    runtime: Measure | None = None
    exception: str | None = None
    traceback: str | None = None
    terminated: bool | None = None
    expired: bool | None = None
    requeue: bool | None = None
    freq: Measure | None = None
    active: int | None = None
    processed: int | None = None
    loadavg: list[Measure] | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    timestamp: Moment = 0.0
    type: str
