"""One listener for each client: hears what ends copies, obeys policies, tells what was counted."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Iterable
from typing import Any

import redis

from redisops.cache.body import DOWN, MOST_AT_ONCE
from redisops.cache.counts import NAMESPACES, telling
from redisops.cache.declared import CODE_EVERY, forgetting_code, telling_code
from redisops.cache.names import bytes_of
from redisops.cache.publishing import CHANNEL, HEAD, KEY, MOST_BYTES, Document, DocumentError
from redisops.errors import RedisopsError
from redisops.pubsub.ears import CONNECTING, PATIENCE
from redisops.steps import Steps, step
from redisops.values.calls import is_cluster

log = logging.getLogger("redisops.cache")

EVERY = 2.0  # seconds between two looks at the document
TELL = 1.0  # seconds between two tellings of what was counted
BOUND = 2.0  # seconds that a copy may live where only announcements are heard
TRACKED = b"__redis__:invalidate"


class _Follower:
    """Follows for all caches of one client; ends with the last of them."""

    client: Any
    _fast: Any

    def _begin(self) -> None:
        self.caches: weakref.WeakSet[Any] = weakref.WeakSet()
        self.is_tracking = False
        self.document = Document(0)
        self._head = b""
        self._looked = self._told = 0.0
        self._anew = False

    def add(self, cache: Any) -> None:
        """Follow for this cache, too."""
        self.caches.add(cache)
        cache.obey(self.document)
        self._anew = bool(cache.local.most)
        self._looked = 0.0

    @property
    def is_listening(self) -> bool:
        """Whether what ends copies is heard."""
        return self._listens

    @is_listening.setter
    def is_listening(self, listens: bool) -> None:
        self._listens = listens
        for cache in list(self.caches):
            if listens:
                cache.hears(None if self.is_tracking else BOUND)
            else:
                cache.local.deaf()

    _listens = False

    @step
    def follow(self) -> Steps[None]:
        """Listen until the last cache is gone; without the right to listen, look alone."""
        yield self.listen()
        while not self._is_over():
            yield from self._tick()
            yield self.pause(PATIENCE)
        self.is_listening = False

    def _subscribe(self) -> Steps[None]:
        self._anew = False
        self._pool = yield from self._pool_now()
        self._link = yield self._connect()
        copying = [cache for cache in self.caches if cache.local.most]
        self.is_tracking = False
        if copying and not is_cluster(self.client):
            yield from self._track(copying)
        channels = [CHANNEL, *sorted({cache.keys.channel for cache in copying})]
        if self.is_tracking:
            channels.append(TRACKED)
        yield self._link.send_command("SUBSCRIBE", *channels)
        end, waiting = time.monotonic() + CONNECTING, len(channels)
        while waiting:
            reply = yield self._read(PATIENCE)
            if reply is None:
                if time.monotonic() > end:
                    raise redis.TimeoutError("the server does not confirm the subscription")
            elif reply[0] == b"subscribe":
                waiting -= 1
            else:
                self._take(reply)
        self._alive_at = time.time()

    def _track(self, copying: list[Any]) -> Steps[None]:
        """Ask the server to tell this link of every change below the namespaces' keys."""
        link = self._link
        if str(getattr(link, "protocol", 2)) != "2":
            return  # redis-py keeps RESP3's pushes for itself
        prefixes = {prefix for cache in copying for prefix in cache.keys.tracked()}
        words = [word for prefix in sorted(prefixes) for word in (b"PREFIX", prefix)]
        try:
            yield link.send_command("CLIENT", "ID")
            own = yield link.read_response()
            yield link.send_command("CLIENT", "TRACKING", "ON", "REDIRECT", own, "BCAST", *words)
            yield link.read_response()
        except redis.ResponseError as error:
            log.info("copies of %s live %s s at most: %s", copying[0].namespace, BOUND, error)
        else:
            self.is_tracking = True

    def _hear(self) -> Steps[None]:
        asked, last = False, time.monotonic()
        while not self.ended:
            if self._is_over():
                return
            if self._anew:
                raise redis.ConnectionError("another cache is to be followed")
            yield from self._tick()
            reply = yield self._read(PATIENCE)
            now = time.monotonic()
            if reply is not None:
                last, asked, self._alive_at = now, False, time.time()
                self._take(reply)
            elif asked and now - last > 1.0:
                raise redis.TimeoutError(f"no sign of life for {now - last:.1f} s")
            elif not asked and now - last > 0.5:
                asked = True
                yield self._link.send_command("PING")

    def _take(self, reply: Any) -> None:
        if not isinstance(reply, list | tuple) or len(reply) < 3 or reply[0] != b"message":
            return
        channel, told = reply[1], reply[2]
        if channel == CHANNEL:
            self._looked = 0.0
            return
        for cache in list(self.caches):
            if channel == TRACKED:
                cache.changed(told)
            elif channel == cache.keys.channel:
                cache.told(bytes_of(told))

    def _tick(self) -> Steps[None]:
        now = time.monotonic()
        if now - self._told >= TELL:
            self._told = now
            yield from self.pay()
            yield from self.tell()
        if now - self._looked >= EVERY:
            self._looked = now
            yield from self._look()

    def pay(self) -> Steps[None]:
        """Delete what could not be deleted while Redis was away."""
        for cache in list(self.caches):
            if cache._owed:
                try:
                    yield from cache._pay((), MOST_AT_ONCE)
                except DOWN as error:
                    log.debug("cache %s: not yet deleted: %s", cache.namespace, error)

    def tell(self, caches: Iterable[Any] | None = None) -> Steps[bool]:
        """Tell Redis what these caches (None: all) counted; False when it could not be told.

        Two round trips for all namespaces, none for nothing.
        """
        at = time.time()
        told_of = list(self.caches if caches is None else caches)
        telling_of = [(cache, cache.counts.take()) for cache in told_of]
        telling_of = [(cache, unsent) for cache, unsent in telling_of if unsent]
        if not telling_of:
            return True
        seen: list[Any] = [b"ZADD", NAMESPACES]
        rows, codes = [], []
        for cache, unsent in telling_of:
            seen += [f"{at:.0f}", cache.namespace]
            rows.append(telling(cache.namespace, unsent, at))
            if abs(at - cache.code_told) >= CODE_EVERY:
                cache.code_told = at
                codes.append(telling_code(cache.default, at, cache.shards, cache.place))
        try:
            yield self._fast.call(*seen)
            yield self._fast.scripts([*rows, *codes])
        except (*DOWN, RedisopsError) as error:
            log.debug("what was counted in the last second is lost: %s", error)
            for cache, _ in telling_of:
                cache.code_told = min(cache.code_told, at - CODE_EVERY / 2)
            return False
        return True

    def leave(self, cache: Any) -> Steps[None]:
        """Tell what it counted, and that this process no longer says how it caches."""
        told = yield from self.tell()
        says = forgetting_code(cache.default, cache.shards, cache.place)
        others = [
            forgetting_code(other.default, other.shards, other.place)
            for other in list(self.caches) if other is not cache
        ]  # fmt: skip
        if not told or not cache.code_told or says in others:
            return
        try:
            yield self._fast.call("ZREM", *says)
        except (*DOWN, RedisopsError) as error:
            log.debug("this process counts for three minutes more: %s", error)

    def _look(self) -> Steps[None]:
        try:
            head = yield self._fast.call("GETRANGE", KEY, 0, HEAD - 1)
            if bytes_of(head) == self._head:
                return
            data = yield self._fast.call("GETRANGE", KEY, 0, MOST_BYTES)
            document = Document.loads(bytes_of(data)) if data else Document(0)
        except DocumentError as error:
            self._head = bytes_of(head)  # once for each that is none
            log.warning("cache policies: %s; version %s holds", error, self.document.version)
            return
        except (*DOWN, RedisopsError) as error:
            log.debug("cache policies cannot be read: %s", error)
            return
        self._head = bytes_of(head)
        if not data and self.document.version:
            return  # flushed: what was published last holds
        self.document = document
        for cache in list(self.caches):
            cache.obey(document)

    def _nothing(self, *_: Any) -> None:
        return

    # Whether it is told to end, or has nobody to follow for: then it never begins again.
    _is_over: Any

    # Of the ear.
    ended: Any
    listen: Any
    pause: Any
    _pool_now: Any
    _connect: Any
    _read: Any
