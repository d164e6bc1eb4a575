"""What a plain cache does besides: stored unless there, touched, counted, many at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import redis

from redisops.cache.body import MOST_AT_ONCE, _How
from redisops.cache.names import Name, bytes_of
from redisops.cache.writing import _Writing
from redisops.errors import InvalidArgument
from redisops.steps import Steps, step


class _Amending(_Writing):
    """Changes that look at what is there, each in one round trip and atomic.

    All raise Redis's own errors.
    """

    @step
    def put_new(
        self, key: Name, value: Any, *, tags: Iterable[Name] = (), ttl: float | None = None
    ) -> Steps[bool]:
        """As ``put``, unless there is an entry that still holds; False when there is."""
        name = bytes_of(key)
        packed = self._pack(name, value, _How(tags, ttl), 0.0)
        if packed is None:
            return False
        self._ended([name])
        stored = yield from self._store(name, packed, "new", b"-")
        self._ended([name])
        return stored

    @step
    def put_many(
        self, values: Mapping[Name, Any], *, tags: Iterable[Name] = (), ttl: float | None = None
    ) -> Steps[list[Name]]:
        """``put`` of up to 1,000 values in one round trip; the keys that were not stored."""
        if len(values) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(values)} values are more than {MOST_AT_ONCE:,} at once")
        how, calls, packs = _How([*tags], ttl), [], []
        names = {key: bytes_of(key) for key in values}
        for key, name in names.items():
            packed = self._pack(name, values[key], how, 0.0)
            packs.append(packed)
            mode = "put" if packed is not None else "delete"
            calls.append(("cache_store", *self._storing(name, packed, mode, b"-")))
        self._ended(names.values())
        replies = yield self._fast.scripts(calls)
        self._ended(names.values())
        missed = []
        for key, packed, reply in zip(names, packs, replies, strict=True):
            if packed is None or isinstance(reply, Exception) or not reply:
                missed.append(key)
                self.counts.unstored += packed is not None
            else:
                self.counts.bytes += packed.size
        return missed

    @step
    def touch(self, key: Name, ttl: float) -> Steps[bool]:
        """Let an entry live for ``ttl`` seconds from now, ``math.inf`` for ever; False for none."""
        name = bytes_of(key)
        ms = 0 if ttl == math.inf else max(1, round(ttl * 1000))
        args = (ms, self.keys.channel, name)
        done = yield self._fast.script("cache_touch", self.keys.three(name), args)
        self._ended([name])
        return bool(done)

    @step
    def increase(self, key: Name, by: int = 1) -> Steps[int | None]:
        """Add to a whole number that was stored with ``counters``; the sum, None for no entry.

        Its TTL stays. Raises InvalidArgument for what is no whole number of 64 bits.
        """
        name = bytes_of(key)
        keys = (*self.keys.three(name), self.keys.sum_of(name))
        try:
            total = yield self._fast.script("cache_add", keys, (by, self.keys.channel, name))
        except redis.ResponseError as error:
            if "not an integer" in str(error) or "overflow" in str(error):
                raise InvalidArgument(f"{key!r:.80} cannot be increased by {by}: {error}") from None
            raise
        self._ended([name])
        return None if total is None else int(total)
