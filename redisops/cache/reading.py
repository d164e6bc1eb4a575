"""What is read: without a script where nothing was invalidated since, judged by the policy."""

from __future__ import annotations

import logging
import math
import random
from typing import Any

import redis

from redisops.cache import entry as entries
from redisops.cache.body import DOWN, NOTHING, _Cache
from redisops.cache.errors import CacheUnavailable, Poisoned
from redisops.cache.local import SLOTS, Begun
from redisops.cache.names import Name, bytes_of
from redisops.steps import Steps

log = logging.getLogger("redisops.cache")


class _Reading(_Cache):
    """How one value is read."""

    def _got(self, key: Name, default: Any) -> Steps[Any]:
        name = bytes_of(key)
        begun = self.local.begin(name)
        try:
            if self._owed:
                yield from self._pay([name])
            found = yield from self._quickly(key, name, begun)
            if found is NOTHING:
                reply = yield self._fast.script("cache_get", self.keys.three(name), repeatable=True)
                found = self._read(key, name, reply, begun) if reply.__class__ is list else None
                self.counts.poisoned += reply == 2
        except DOWN as error:
            return self._without(key, error, default)
        if found is not None:
            return found[0]
        self.counts.misses += 1
        return default

    def _quickly(self, key: Name, name: bytes, begun: Begun) -> Steps[Any]:
        """The value and whether to refresh it, without a script; None when there is none.

        NOTHING when something was invalidated since the entry was last looked at by a script,
        which must judge again, or where this user may not read like this.
        """
        entry, number = self.keys.two(name)
        try:
            (data, last), left = yield self._fast.two(("MGET", entry, number), ("PTTL", entry))
        except redis.exceptions.NoPermissionError as error:
            log.info("cache %s: each read runs a script: %s", self.namespace, error)
            self._quickly = self._never  # type: ignore[method-assign]
            return NOTHING
        if data is None or left == -2:
            self._there[hash(name) % SLOTS] = 0
            return None
        return self._read(key, name, (data, left), begun) if data[2:10] == last else NOTHING

    def _never(self, key: Name, name: bytes, begun: Begun) -> Steps[Any]:
        return NOTHING
        yield

    def _read(self, key: Name, name: bytes, reply: Any, begun: Begun) -> tuple[Any, bool] | None:
        """The value and whether to refresh it; None when it is not ours."""
        counts, policy = self.counts, self.policy
        self._there[hash(name) % SLOTS] = 1
        try:
            value, flags, life, stale, load, _ = entries.read_value(name, reply[0], self._codec)
        except Poisoned as error:
            if not counts.poisoned:
                log.warning("cache %s: %r is not ours: %s", self.namespace, name[:80], error)
            counts.poisoned += 1
            return None
        left = reply[1]  # ms of life by the server's clock, -1 when somebody made it live for ever
        fresh = policy.fresh_for(
            left, life, stale,
            is_negative=bool(flags & entries.NEGATIVE), is_own=bool(flags & entries.OWN),
        )  # fmt: skip
        if fresh is None:
            return None
        if fresh <= 0:
            counts.stale += 1
            return value, True
        counts.hits += 1
        if flags:
            counts.negative += flags & 1
        if self.local.most:
            lives = math.inf if left < 0 else left / 1000
            self.local.keep(key, value, begun, fresh / 1000, lives)
        # XFetch: A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache
        # Stampede Prevention", PVLDB 8(8), 2015: early by -load * beta * ln(random).
        eager = load * policy.early / 1000
        if fresh < eager * 20 and -eager * math.log(1.0 - random.random()) >= fresh:  # noqa: S311
            counts.early += 1
            return value, True
        return value, False

    def _without(self, key: Name, error: Exception, default: Any) -> Any:
        """What a read gives while Redis does not answer, and there is no source to ask."""
        self.counts.down += 1
        if self.policy.when_down == "raise":
            raise CacheUnavailable(f"cache {self.namespace}: {error}") from error
        if self.policy.when_down == "stale":
            known = self.local.last(key)
            if known is not None:
                self.counts.stale += 1
                return known[0]
        return default
