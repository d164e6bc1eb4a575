"""Reading keys as dumps: by a script where scripts may run, by plain commands elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from redisops.dumps.model import Dump, OutOfReach, Taken, TooBig
from redisops.dumps.sending import CALL_KEYS, TRIP_BYTES, Batch, grouped, run
from redisops.resilience.causes import words_of
from redisops.steps import Steps
from redisops.values.calls import checked, is_out_of_reach, is_refused, node_of, nodes, send

LEAST_BYTES = 64 * 1024  # a call's share of a trip, however many calls travel
UNBOUNDED = 1 << 52  # for a call whose key was let through by its size
SAMPLES = 5
# Above this multiple of the bound (in memory) a key is not even dumped to see how big it gets.
HOPELESS = 2


def take_trip(
    redis: Any, keys: Sequence[bytes], most: int, budget: int = UNBOUNDED
) -> Steps[list[Taken]]:
    """Some keys in one trip, and what is too large for company in trips of about 16 MiB.

    Once the dumps make up ``budget`` bytes no more large ones are read; the list then ends
    before the first key that was not read. It has one at least.
    """
    yield from nodes(redis)
    trip = _Trip(redis, keys, most)
    groups = grouped(redis, [(key, 0) for key in keys])
    share = max(min(TRIP_BYTES, budget) // max(len(groups), 1), LEAST_BYTES)
    yield from trip.read(groups, share)
    if trip.refused:
        plain = yield from take_plainly(redis, [keys[n] for n in trip.refused], most)
        trip.found.update(zip(trip.refused, plain, strict=True))
    while trip.left and (trip.size() < budget or 0 not in trip.found):
        room = max(min(TRIP_BYTES, budget - trip.size()), 1)
        yield from trip.read([[n] for n in trip.next_of_the_large(room)], UNBOUNDED)
    return [trip.found[n] for n in range(min(trip.left, default=len(keys)))]


class _Trip:
    """The keys of one trip by position: found, left for later by their size, or refused."""

    def __init__(self, redis: Any, keys: Sequence[bytes], most: int) -> None:
        self.redis = redis
        self.keys = keys
        self.most = most
        self.found: dict[int, Taken] = {}
        self.left: dict[int, int] = {}
        self.refused: list[int] = []

    def read(self, groups: Sequence[list[int]], share: int) -> Steps[None]:
        """One script call per group, with ``share`` bytes of dumps each."""
        batches = [Batch([self.keys[n] for n in group], (self.most, share)) for group in groups]
        replies = yield from run(self.redis, "dump_keys", batches, read_only=True)
        for group, reply in zip(groups, replies, strict=True):
            if not isinstance(reply, Exception):
                self._sort(group, reply)
            elif is_refused(reply) or "ACL failure" in str(reply):
                self.refused += group
            else:
                raise reply

    def _sort(self, group: Sequence[int], rows: Sequence[Any]) -> None:
        keys = self.keys
        for n, dump, kind, at in zip(group, rows[::3], rows[1::3], rows[2::3], strict=True):
            if type(dump) is bytes:
                expires = None if at < 0 else at
                self.found[n] = Dump(keys[n], dump, expires, kind.decode(), len(dump))
            elif dump is None:
                self.found[n] = None
            elif dump >= 0:
                self.found[n] = TooBig(keys[n], dump, kind.decode())
            else:
                self.left[n] = -dump

    def size(self) -> int:
        """Bytes of the dumps so far."""
        return sum(one.size for one in self.found.values() if isinstance(one, Dump))

    def next_of_the_large(self, room: int) -> list[int]:
        """Take from what is left, in order, what fits into ``room`` bytes; at least one."""
        trip: list[int] = []
        for n in sorted(self.left):
            size = self.left[n]
            if trip and (size > room or len(trip) >= CALL_KEYS):
                break
            trip.append(n)
            room -= size
        for n in trip:
            del self.left[n]
        return trip


def take_plainly(redis: Any, keys: Sequence[bytes], most: int) -> Steps[list[Taken]]:
    """Without scripts: a trip for the sizes, then the dumps of what is not too big."""
    asked = [("MEMORY", "USAGE", key, "SAMPLES", SAMPLES) for key in keys]
    sizes = yield from send(redis, [(node_of(redis, command[2]), command) for command in asked])
    found: dict[bytes, Taken] = {}
    waiting: list[bytes] = []
    room = TRIP_BYTES
    for key, size in zip(keys, sizes, strict=True):
        if isinstance(size, Exception) and not isinstance(size, ResponseError):
            raise size
        known = size if isinstance(size, int) else 0  # refused: the dump itself will tell
        if known > HOPELESS * most + 1024:
            found[key] = TooBig(key, known)
            continue
        if waiting and known > room:
            found.update((yield from _dump(redis, waiting, most)))
            waiting, room = [], TRIP_BYTES
        waiting.append(key)
        room -= known
    found.update((yield from _dump(redis, waiting, most)))
    return [found[key] for key in keys]


def _dump(redis: Any, keys: Sequence[bytes], most: int) -> Steps[dict[bytes, Taken]]:
    """DUMP, type and expiry of each key in one trip; a second one before Redis 7."""
    parts = ("DUMP", "TYPE", "PEXPIRETIME")
    replies = yield from send(
        redis, [(node_of(redis, key), (part, key)) for key in keys for part in parts]
    )
    expiries = replies[2::3]
    if any(isinstance(one, ResponseError) and "unknown" in str(one).lower() for one in expiries):
        expiries = yield from _expiries_by_ttl(redis, keys)
    found: dict[bytes, Taken] = {}
    for key, dump, kind, at in zip(keys, replies[::3], replies[1::3], expiries, strict=True):
        if is_out_of_reach(dump):
            found[key] = OutOfReach(key, words_of(dump))
        elif checked(dump) is None:
            found[key] = None
        elif len(dump) > most:
            found[key] = TooBig(key, len(dump), checked(kind).decode())
        else:
            expires = None if checked(at) < 0 else at
            found[key] = Dump(key, dump, expires, checked(kind).decode(), len(dump))
    return found


def _expiries_by_ttl(redis: Any, keys: Sequence[bytes]) -> Steps[list[int]]:
    asked = [
        (node_of(redis, key), (command)) for key in keys for command in (("PTTL", key), ("TIME",))
    ]
    replies = yield from send(redis, asked)
    return [
        checked(ttl) if ttl < 0 else ttl + milliseconds(checked(now))
        for ttl, now in zip(replies[::2], replies[1::2], strict=True)
    ]


def milliseconds(now: Sequence[Any]) -> int:
    """TIME's reply as Unix milliseconds."""
    return int(now[0]) * 1000 + int(now[1]) // 1000
