"""Compares passwords with bcrypt hashes: one at a time, off the event loop, in a bounded queue.

A comparison takes 50 ms and more of a processor by design. What a user once proved is remembered,
so that a flood of wrong passwords is in nobody's way who knows the right one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import collections
import enum
import hashlib
import ipaddress
import os
import queue
import threading
from typing import TYPE_CHECKING

import bcrypt

from celery_sentinel.webconfig import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from celery_sentinel.web import limits

_REMEMBERED = 256
_BCRYPT_READS = 72  # bytes of a password; what follows counts for no implementation
_USUAL_COST = 10
_IPV6_SITE = 64  # bits of an address that one client may choose the rest of

_Job = tuple[bytes, list[bytes], asyncio.AbstractEventLoop, "asyncio.Future[bool]"]


class Verdict(enum.Enum):
    """What came of the credentials of a request."""

    WELCOME = enum.auto()
    ABSENT = enum.auto()
    WRONG = enum.auto()
    BUSY = enum.auto()


class PasswordCheck:
    """Knows who may come in; used from one event loop only."""

    def __init__(self, bounds: limits.Limits) -> None:
        self._bounds = bounds
        self._secret = os.urandom(32)
        self._proven: collections.OrderedDict[bytes, None] = collections.OrderedDict()
        self._waiting: collections.Counter[str] = collections.Counter()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stand_ins: dict[int, bytes] = {}

    async def judge(
        self, users: Mapping[bytes, bytes], sent: Sequence[bytes], client: str
    ) -> Verdict:
        """Judge the values of a request's Authorization headers; ``client`` is its IP address."""
        if not sent:
            return Verdict.ABSENT
        pair = _parse(sent[0]) if len(sent) == 1 else None
        if pair is None:
            return Verdict.WRONG
        user, password = pair
        hashed = users.get(user)
        mark = self._mark(user, hashed or b"", password)
        if self._is_proven(mark):
            return Verdict.WELCOME
        site = _site(client)
        if not self._has_place(site):
            return Verdict.BUSY
        right = await self._compare(password, self._compared_with(hashed, users), site)
        if hashed is None or not right:
            return Verdict.WRONG
        self._remember(mark)
        return Verdict.WELCOME

    def close(self) -> None:
        """Let the thread end; it is not waited for."""
        self._jobs.put(None)

    def _is_proven(self, mark: bytes) -> bool:
        if mark not in self._proven:
            return False
        self._proven.move_to_end(mark)
        return True

    def _remember(self, mark: bytes) -> None:
        self._proven[mark] = None
        while len(self._proven) > _REMEMBERED:
            self._proven.popitem(last=False)

    def _mark(self, user: bytes, hashed: bytes, password: bytes) -> bytes:
        """Return what stands for proven credentials; without our secret it says nothing."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in (user, hashed, password):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def _compared_with(self, hashed: bytes | None, users: Mapping[bytes, bytes]) -> list[bytes]:
        """Return the hash that decides, and those that a wrong password is compared with besides.

        Together they take as long as the dearest of the users' hashes, whoever is named: each cost
        takes twice the time of the one before, so 8, 8, 9 and 10 take as long as 11.
        """
        costs = [values.cost_of(known.decode("ascii")) for known in users.values()]
        dearest = max(costs, default=_USUAL_COST)
        if hashed is None:
            return [self._stand_in(dearest)]
        own = values.cost_of(hashed.decode("ascii"))
        return [hashed, *map(self._stand_in, range(own, dearest))]

    def _stand_in(self, cost: int) -> bytes:
        """Return a hash that nothing matches."""
        if cost not in self._stand_ins:
            self._stand_ins[cost] = bcrypt.gensalt(cost) + b"." * 31
        return self._stand_ins[cost]

    def _has_place(self, site: str) -> bool:
        bounds = self._bounds
        return (
            self._waiting.total() < bounds.logins and self._waiting[site] < bounds.logins_per_client
        )

    async def _compare(self, password: bytes, hashes: list[bytes], site: str) -> bool:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._waiting[site] += 1
        answer.add_done_callback(lambda _: self._leave(site))
        self._jobs.put((password[:_BCRYPT_READS], hashes, loop, answer))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="web-login", daemon=True)
            self._thread.start()
        # Who hangs up does not free the place: the comparison takes its time all the same.
        return await asyncio.shield(answer)

    def _leave(self, site: str) -> None:
        self._waiting[site] -= 1
        if not self._waiting[site]:
            del self._waiting[site]

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            password, hashes, loop, answer = job
            try:
                # Until one fits, which can only be the first.
                right = any(bcrypt.checkpw(password, hashed) for hashed in hashes)
            except ValueError:  # such as a password that this version of the library refuses
                right = False
            try:
                loop.call_soon_threadsafe(answer.set_result, right)
            except RuntimeError:  # the loop is closed
                return


def _parse(header: bytes) -> tuple[bytes, bytes] | None:
    """Return the user and the password of an Authorization header, if it has them."""
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if colon else None


def _site(client: str) -> str:
    """Return what counts as one client: an IPv4 address, or a network of IPv6 addresses."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_SITE), strict=False))
