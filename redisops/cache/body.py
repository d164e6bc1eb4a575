"""What both caches are: asked, loaded by one, stored, invalidated."""

from __future__ import annotations

import copy
import logging
import math
import os
import random
import secrets
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from redisops.cache import entry as entries
from redisops.cache.counts import Counts
from redisops.cache.local import SLOTS, Local
from redisops.cache.names import ALL, MOST_SHARDS, Keys, Name, bytes_of, marks_of
from redisops.cache.owed import Owed
from redisops.cache.policy import Policy, WhenDown
from redisops.cache.publishing import Document
from redisops.codecs import JSON, MessagePack, msgpack
from redisops.errors import InvalidArgument
from redisops.steps import Steps
from redisops.values.calls import is_cluster

log = logging.getLogger("redisops.cache")
AWAY = (redis.ConnectionError, redis.TimeoutError, OSError)
DOWN = (redis.RedisError, redis.RedisClusterException, OSError)
NOTHING: Any = object()
MOST_MARKS = 10_000
MOST_AT_ONCE = 1_000
MOST_REFRESHING = 64
LONGEST_OWN = 3660 * 86_400


@dataclass(frozen=True)
class Written:
    """What became of a write-through. The source has the value.

    ``cached``: Redis has it, too. ``may_be_old``: Redis could not be told, so that what it had
    before may be served until it expires; ``reason`` says why, "" when all went well.
    """

    cached: bool
    may_be_old: bool = False
    reason: str = ""


class _Cache:
    """Values of one namespace in Redis, each loaded by one process at a time.

    ``client`` is what ``connect`` gave or a plain redis-py client. The options are those of
    ``Policy``, and hold until a policy for the namespace is published (``Publishing``), which is
    obeyed within a second or two. ``local``: how many values the process keeps for itself, 0 for
    none; callers share them and must not change them. ``codec``: JSON or MessagePack, the default
    where it is installed. ``shards``: into how many slots of a cluster the namespace is spread (16
    there, else 1); all services must say the same. ``follow=False``: no listener: no published
    policies, no copies in the process, and figures are sent by ``flush`` alone. ``place`` stands
    before all keys of the namespace. ``counters``: whole numbers are stored as digits, which
    ``increase`` can add to; damage to a digit goes unnoticed.

    A hit is one round trip; in the process it is none. Values that this library did not write
    are misses, counted as ``poisoned``. ``counts`` has what this process did.
    """

    _fast: Any
    _flight: Any
    _follower: Any = None
    _bound: float | None = None

    def __init__(
        self, client: Any, namespace: str, *,
        ttl: float = 300.0, jitter: float = 0.1, stale: float = 0.0, negative_ttl: float = 0.0,
        early: float = 1.0, compress: int | None = None, max_bytes: int = 1_048_576,
        lease: float = 10.0, wait: float = 10.0, when_down: WhenDown = "load",
        local: int = 0, local_ttl: float = 60.0, codec: Any = None,
        shards: int | None = None, follow: bool = True, place: str = "", counters: bool = False,
    ) -> None:  # fmt: skip
        self.default = Policy(
            namespace, ttl, jitter, stale, negative_ttl, early, compress, max_bytes, lease, wait,
            when_down, local_ttl,
        ).check()  # fmt: skip
        self.client, self.namespace = client, namespace
        self.shards = shards or (16 if is_cluster(client) else 1)
        if not 1 <= self.shards <= MOST_SHARDS:
            raise InvalidArgument(f"{shards} shards are not between 1 and 1,024")
        self.place = place
        self.keys = Keys(namespace, self.shards, place)
        self._counters = counters
        self.codec = codec or (MessagePack() if msgpack is not None else JSON())
        self.local = Local(local if follow else 0)
        self._rows = self.local.rows
        self.counts = Counts()
        self._follows = follow
        self.policy = self.default
        self._set(self.default)
        self._anew()
        _living.add(self)

    def _anew(self) -> None:
        """Also in a forked child."""
        self._token = secrets.token_bytes(8)
        self.code_told = 0.0  # when Redis was last told what the code says
        self._turn = 0  # of what this process ended: who reads later asks by another token
        self._landed = 0
        self._flights: dict[bytes, Any] = {}
        self._refreshing: dict[bytes, float] = {}
        self._refreshes = 0  # under way: those whose source hangs among them
        self._owed = Owed()  # entries to delete when Redis is back
        self.counts.begin_anew()
        self._follower = None
        self._waits: Any = None
        self._there = bytearray(SLOTS)  # which entries are believed to be there, by their hash
        self.local.forget()

    # --- What the follower tells ----------------------------------------------------------------

    def obey(self, document: Document) -> None:
        """Hold the published policy of this namespace, or the code's own."""
        policy = document.of(self.namespace) or self.default
        if policy != self.policy:
            self._set(policy)
            self.local.clear()
            self.local.longest = self._longest()

    def hears(self, bound: float | None) -> None:
        """What ends copies is heard; with ``bound`` not everything, so they live no longer."""
        self._bound = bound
        self.local.listening(self._longest())

    def _longest(self) -> float:
        longest = self.policy.local_ttl
        return longest if self._bound is None else min(self._bound, longest)

    def changed(self, names: Any) -> None:
        """Keys of Redis changed; None: all may have."""
        for name in names if names is not None else (b"",):
            key = self._key_of(bytes_of(name))
            if key is None and (not name or bytes_of(name) in self.keys.numbers):
                self.local.clear()
            elif key is not None:
                self.local.drop(key)

    def told(self, key: bytes) -> None:
        """Somebody announced that ``key`` changed, "" all of the namespace."""
        self.local.drop(key) if key else self.local.clear()

    def _key_of(self, name: bytes) -> bytes | None:
        for prefix in self.keys.entries:
            if name.startswith(prefix):
                return name[len(prefix) :]
        return None

    def _set(self, policy: Policy) -> None:
        self._codec = self.codec
        if policy.compress is not None:
            self._codec = copy.copy(self.codec)
            self._codec.compress_over = policy.compress
        self.policy = policy
        self._lease_ms = max(1, round(policy.lease * 1000))

    # --- Storing --------------------------------------------------------------------------------

    def _pack(self, name: bytes, value: Any, how: _How, load: float) -> entries.Packed | None:
        """The entry; None for what is not to be stored."""
        policy, flags, body = self.policy, 0, b""
        ttl, stale = how.ttl, policy.stale
        if value is None:
            flags, stale = entries.NEGATIVE | (0 if ttl is None else entries.OWN), 0.0
            ttl = policy.negative_ttl if ttl is None else ttl
            if not ttl:
                return None
        elif ttl is not None:
            flags = entries.OWN
        else:
            ttl = policy.ttl
        if self._counters and value.__class__ is int:
            body = b"%d" % value
            flags |= entries.NUMBER
        elif value is not None:
            body = self._codec.dumps(value)
        if len(body) > policy.max_bytes:
            self.counts.too_big += 1
            return None
        ttl *= 1 - policy.jitter * random.random()  # noqa: S311
        return entries.pack(name, body, flags, (ttl + stale, stale, load), how.marks(name))

    def _store(
        self, name: bytes, packed: entries.Packed | None, mode: str, token: bytes, stamp: Any = b""
    ) -> Steps[bool]:
        """Whether it was stored. Redis's errors are raised but for a load, whose value is there."""
        keys, args = self._storing(name, packed, mode, token, stamp)
        try:
            done = yield self._fast.script("cache_store", keys, args)
        except DOWN as error:
            self.counts.unstored += packed is not None
            if mode == "load":
                log.debug("cache %s: not stored: %s", self.namespace, error)
                return False
            raise
        if packed is not None:
            if done:
                size = packed.size
                self.counts.bytes += size
                self._there[hash(name) % SLOTS] = 1
            else:
                self.counts.unstored += 1
        return bool(done)

    def _storing(
        self, name: bytes, packed: entries.Packed | None, mode: str, token: bytes, stamp: Any = b""
    ) -> tuple[Sequence[bytes], Sequence[Any]]:
        before, behind, life = packed or (b"", b"", 0)
        channel = self.keys.channel
        return self.keys.five(name), (
            mode, token, before, behind, life, stamp, channel, name,
        )  # fmt: skip

    def _ended(self, names: Iterable[bytes] | None) -> None:
        """This process ended these keys (None: any): who reads from now on joins no old load."""
        self._turn += 1
        if names is None:
            self._flights.clear()
            self.local.clear()
            return
        for name in names:
            self._flights.pop(name, None)
            self.local.drop(name)

    def _pay(self, wanted: Iterable[bytes], most: int = 100) -> Steps[None]:
        """Delete what could not be deleted while Redis was away. One round trip; on a cluster one
        for each shard, of those that ``wanted`` names are in, if any are.

        Raises Redis's errors where it is still away, or one of ``wanted`` may be an old one.
        """
        wanted = list(wanted)
        names, everything = self._owed.some(wanted, most)
        if everything:
            _checked((yield self._fast.scripts(self._ending([ALL]))))
            self._owed.paid({}, everything)
            self._ended(None)
            return
        trouble: Exception | None = None
        for part in self._parts(names, wanted):
            calls = [("cache_store", *self._storing(name, None, "delete", b"-")) for name in part]
            try:
                replies = yield self._fast.scripts(calls)
            except DOWN as error:
                replies = [error] * len(part)
            told = dict(zip(part, replies, strict=True))
            gone = {name: at for name, at in part.items() if not isinstance(told[name], Exception)}
            if gone:
                self._owed.paid(gone, 0)
                self._ended(gone)
            failed = [name for name in part if name not in gone]
            self._owed.put_off(len(failed))
            trouble = next((told[name] for name in failed), trouble)
            if isinstance(trouble, AWAY):
                break
        if trouble is not None and (
            any(name in self._owed for name in wanted)
            or (isinstance(trouble, AWAY) and not is_cluster(self.client))
        ):
            raise trouble

    def _parts(
        self, names: dict[bytes, int], wanted: Sequence[bytes]
    ) -> Sequence[dict[bytes, int]]:
        """What one round trip may delete: a node that is away keeps no shard from the others."""
        if not is_cluster(self.client):
            return [names]
        asked = {self.keys.shard(name) for name in wanted or names}
        parts: dict[int, dict[bytes, int]] = {shard: {} for shard in asked}
        for name, at in names.items():
            if (shard := self.keys.shard(name)) in asked:
                parts[shard][name] = at
        return [part for part in parts.values() if part]

    def _ending(self, marks: list[bytes]) -> list[tuple[str, tuple[bytes, bytes], list[Any]]]:
        """For each shard the script that ends what has any of the marks."""
        args = [MOST_MARKS, self.keys.channel, *marks]
        shards = zip(self.keys.versions, self.keys.numbers, strict=True)
        return [("cache_invalidate", keys, args) for keys in shards]

    # What the blocking and the awaiting cache do in their own ways.

    pause: Any
    _behind: Any
    _found: Any


class _How:
    """How one value is to be stored, and what is given when the source fails."""

    __slots__ = ("fallback", "tags", "ttl")

    def __init__(self, tags: Iterable[Name], ttl: float | None, fallback: Any = NOTHING) -> None:
        if ttl is not None and not (0.01 <= ttl <= LONGEST_OWN or ttl == math.inf):
            raise InvalidArgument(f"ttl {ttl!r:.40} is not between 0.01 and {LONGEST_OWN} seconds")
        self.tags, self.ttl, self.fallback = tags, ttl, fallback

    def marks(self, name: bytes) -> list[bytes]:
        return marks_of(name, self.tags)


def _checked(replies: Sequence[Any]) -> list[int]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return [int(reply) for reply in replies]


def several(keys: Iterable[Name]) -> dict[Name, bytes]:
    """The keys and their names; at most 1,000."""
    names = {key: bytes_of(key) for key in keys}
    if len(names) > MOST_AT_ONCE:
        raise InvalidArgument(f"{len(names)} keys are more than {MOST_AT_ONCE:,} at once")
    return names


_living: weakref.WeakSet[_Cache] = weakref.WeakSet()


def _in_child() -> None:
    for cache in list(_living):
        cache._anew()


os.register_at_fork(after_in_child=_in_child)
