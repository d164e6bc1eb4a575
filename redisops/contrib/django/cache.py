"""A cache backend for Django that never pickles and survives its Redis."""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from redisops.cache import Cache, CacheUnavailable
from redisops.cache.policy import LARGEST
from redisops.codecs import JSON, MessagePack
from redisops.connection import Timeouts, connect
from redisops.errors import InvalidArgument
from redisops.keys import glob_escape
from redisops.resilience import CircuitBreaker

log = logging.getLogger(__name__)
T = TypeVar("T")

CODECS = {"msgpack": MessagePack, "json": JSON}
SCAN_COUNT = 500
AT_ONCE = 1000
_MISSING: Any = object()


class RedisCache(BaseCache):
    """``BACKEND = "redisops.contrib.django.cache.RedisCache"``, ``LOCATION`` a Redis URL.

    A ``redisops.cache.Cache`` (``library``) with Django's words. Values are what MessagePack (or
    ``OPTIONS = {"CODEC": "json"}``) can hold: no pickle, so that whoever can write to this Redis
    cannot run code here. Whole numbers are stored as digits, for ``incr``. While Redis is away
    reads miss, writes are dropped, the log says so once, and a page loses at most
    ``OPTIONS["DEADLINE"]`` seconds (0.5) before the breaker opens, then nothing. ``clear`` ends
    what is below ``KEY_PREFIX`` at once, then removes it. ``OPTIONS["NAMESPACE"]`` ("django"):
    under which name its use is counted. ``OPTIONS["FOLLOW"]``: a thread for each process tells
    what was counted and obeys published policies; ``OPTIONS["LOCAL"]`` values (then it follows)
    are kept in the process, shared, so that callers must not change them.

    Keys: ``<KEY_PREFIX>:cache:{<NAMESPACE>}:<version>:<key>`` and those beside it that
    ``redisops.cache`` names.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = {
            "CODEC": "msgpack", "DEADLINE": 0.5, "NAMESPACE": "django", "FOLLOW": False, "LOCAL": 0,
        } | params.get("OPTIONS", {})  # fmt: skip
        if options["CODEC"] not in CODECS:
            raise InvalidArgument(f'CODEC "{options["CODEC"]}" is not one of {", ".join(CODECS)}')
        self._home = functools.partial(_Home.of, server, float(options["DEADLINE"]))
        local = int(options["LOCAL"])
        self._options = (
            self.key_prefix, options["NAMESPACE"], options["CODEC"],
            local if options["FOLLOW"] or local else None,
        )  # fmt: skip

    @property
    def library(self) -> Cache:
        """The cache itself, for tags, ``get_or_load`` and ``invalidate_prefix``.

        Its keys are Django's with their version before them: ``"1:cart"``.
        """
        return self._home().cache(*self._options)

    # --- Reading --------------------------------------------------------------------------

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        name = self._name(key, version)
        return self._try(lambda cache: cache.get(name, default), default)

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        names = {self._name(key, version): key for key in keys}
        asked = [*names]

        def read(cache: Cache) -> dict[Any, Any]:
            found: dict[Any, Any] = {}
            for at in range(0, len(asked), AT_ONCE):
                found |= cache.get_many(asked[at : at + AT_ONCE])
            return found

        found: dict[Any, Any] = self._try(read, {}) if asked else {}
        return {names[name]: value for name, value in found.items()}

    def has_key(self, key: str, version: int | None = None) -> bool:
        return self.get(key, _MISSING, version) is not _MISSING

    # --- Writing --------------------------------------------------------------------------

    def set(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        self.set_many({key: value}, timeout, version)

    def set_many(
        self,
        data: Mapping[str, Any],
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[str]:
        """Store all, a thousand in one round trip; the keys that were not stored."""
        ttl = self._ttl(timeout)
        names = {self._name(key, version): key for key in data}
        asked = [*names]

        def write(cache: Cache) -> list[Any]:
            missed: list[Any] = []
            for at in range(0, len(asked), AT_ONCE):
                part = asked[at : at + AT_ONCE]
                if ttl is None:
                    cache.delete(*part)
                else:
                    missed += cache.put_many({one: data[names[one]] for one in part}, ttl=ttl)
            return missed

        return [names[name] for name in self._try(write, asked)] if asked else []

    def add(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store unless the key exists. False while Redis is away: nobody got the key."""
        name, ttl = self._name(key, version), self._ttl(timeout)
        if ttl is None:
            return not self.has_key(key, version)
        return self._try(lambda cache: cache.put_new(name, value, ttl=ttl), False)  # noqa: FBT003

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        name, ttl = self._name(key, version), self._ttl(timeout)
        if ttl is None:
            return self.delete(key, version)
        return self._try(lambda cache: cache.touch(name, ttl), False)  # noqa: FBT003

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError when the key does not exist, cannot be asked, or is no number."""
        name = self._name(key, version)
        try:
            total = self._try(lambda cache: cache.increase(name, delta), None)
        except InvalidArgument as error:
            raise ValueError(f'"{key}" cannot be incremented by {delta}: {error}') from None
        if total is None:
            raise ValueError(f'Key "{key}" not found')
        return total

    def delete(self, key: str, version: int | None = None) -> bool:
        name = self._name(key, version)
        return bool(self._try(lambda cache: cache.delete(name), 0))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        names = [self._name(key, version) for key in keys]
        if names:
            self._try(lambda cache: cache.delete(*names), 0)

    def clear(self) -> None:
        """End every value of this cache, every version, in one step; then remove them."""

        def write(cache: Cache) -> None:
            cache.invalidate_namespace()
            for node in cache.client.primaries():
                for prefix in cache.keys.entries:
                    cursor = 0
                    while True:
                        cursor, names = node.scan(
                            cursor, match=glob_escape(prefix) + b"*", count=SCAN_COUNT
                        )
                        if names:
                            pipe = cache.client.pipeline(transaction=False)
                            for name in names:
                                pipe.unlink(name)
                            pipe.execute()
                        if int(cursor) == 0:
                            break

        self._try(write, None)

    def close(self, **kwargs: Any) -> None:
        """Connections are the process's, not the request's: kept."""

    # --- Helpers --------------------------------------------------------------------------

    def _try(self, call: Callable[[Cache], T], otherwise: T) -> T:
        home = self._home()
        return home.attempt(lambda: call(home.cache(*self._options)), otherwise)

    def _name(self, key: str, version: int | None) -> str:
        made: str = self.make_and_validate_key(key, version=version)
        return made.removeprefix(f"{self.key_prefix}:")

    def _ttl(self, timeout: Any) -> float | None:
        """Seconds, infinite for ever; None for "already over"."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if seconds is None:
            return math.inf
        return max(0.01, float(seconds)) if seconds > 0 else None


class _Home:
    """A process's client for one cache server, and whether the log knows that it is away."""

    def __init__(self, url: str, deadline: float) -> None:
        self.client = connect(
            url,
            name="redisops-cache",
            timeouts=Timeouts(connect=deadline / 2, read=deadline / 2, deadline=deadline),
            breaker=CircuitBreaker("cache", failures=2, probe_every=1.0),
        )
        self.caches: dict[tuple[Any, ...], Cache] = {}
        self.is_away = False

    @classmethod
    def of(cls, url: str, deadline: float) -> _Home:
        return _home(os.getpid(), url, deadline)

    def cache(self, prefix: str, namespace: str, codec: str, local: int | None) -> Cache:
        """The one of these options; ``local`` None: nothing is followed."""
        options = (prefix, namespace, codec, local)
        known = self.caches.get(options)
        if known is None:
            made = Cache(
                self.client, namespace, ttl=300, jitter=0, early=0, max_bytes=LARGEST,
                when_down="raise", codec=CODECS[codec](compress_over=4096), counters=True,
                follow=local is not None, local=local or 0, place=f"{prefix}:" if prefix else "",
            )  # fmt: skip
            known = self.caches.setdefault(options, made)
        return known

    def attempt(self, call: Callable[[], T], otherwise: T) -> T:
        try:
            result = call()
        except (redis.RedisError, CacheUnavailable) as error:
            if not self.is_away:
                self.is_away = True
                log.warning("the cache is away: reads miss, writes are dropped: %s", error)
            return otherwise
        if self.is_away:
            self.is_away = False
            log.warning("the cache is back")
        return result


@functools.lru_cache(maxsize=64)
def _home(pid: int, url: str, deadline: float) -> _Home:
    """``pid``, because a forked worker must not share its parent's sockets."""
    return _Home(url, deadline)
