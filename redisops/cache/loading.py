"""Asked once: the one who loads, those who wait for it, and what holds without Redis."""

from __future__ import annotations

import logging
import time
from typing import Any

from redisops.cache.body import DOWN, MOST_REFRESHING, NOTHING, _How
from redisops.cache.local import SLOTS
from redisops.cache.names import Name, bytes_of
from redisops.cache.reading import _Reading
from redisops.connection.waiting import LONGEST, waiting
from redisops.steps import Steps

log = logging.getLogger("redisops.cache")


class _Loading(_Reading):
    """One load of a key at a time, in all processes."""

    def _asked(self, key: Name, load: Any, how: _How) -> Steps[Any]:
        name = bytes_of(key)
        if self._owed:
            try:
                yield from self._pay([name])
            except DOWN as error:
                return (yield from self._loaded_without(key, load, how, error))
        if self._there[hash(name) % SLOTS]:
            try:
                found = yield from self._quickly(key, name, self.local.begin(name))
            except DOWN as error:
                return (yield from self._loaded_without(key, load, how, error))
            if found is not NOTHING and found is not None:
                if found[1]:
                    self._refresh(key, load, how)
                return found[0]
        ends = 0.0
        mode = b""
        prevented = False
        while True:
            self._outlive(name)
            until = time.monotonic() + self.policy.lease
            begun, landed, turn = self.local.begin(name), self._landed, self._turn
            try:
                token = self._mine()
                reply = yield self._taken(name, mode, token)
            except DOWN as error:
                return (yield from self._loaded_without(key, load, how, error))
            first = reply[0]
            if first.__class__ is bytes:
                found = self._read(key, name, reply, begun)
                if found is not None:
                    if found[1]:
                        self._refresh(key, load, how)
                    self.counts.prevented += prevented
                    return found[0]
                mode = b"again"
                continue
            mode = b""
            now = time.monotonic()
            if not ends:
                self.counts.misses += 1
                ends = now + self.policy.wait
            flight: Any = self._flights.get(name)
            joins = flight is not None and turn == self._turn
            if now >= ends and (first == 2 or joins):
                self.counts.unstored += 1
                return (yield from self._from_source(load, how))
            if joins:
                yield flight.wait(ends - now)
                if first == 2 or flight.stamp != reply[1]:
                    continue  # it began before something was ended: what it brings may be old
                if flight.state == "done":
                    self.counts.prevented += 1
                    return flight.value
                if flight.state == "failed":
                    return self._fallen_back(how, flight.value)
                continue  # its leader went away, or this has waited long enough
            if first == 1 and landed != self._landed and turn == self._turn:
                continue  # another of this process was done between the two: look again
            flight = self._flights[name] = self._flight()
            try:
                if first == 1:
                    flight.stamp, flight.until = reply[1], until
                    value = yield from self._lead(name, load, how, reply[1], token)
                    flight.end("done", value)
                    return value
                prevented = True
                yield from self._woken(name, min(reply[1] / 1000 + 0.01, ends - now))
            except Exception as error:
                flight.end("failed", error)
                raise
            finally:
                self._landed += 1
                if self._flights.get(name) is flight:
                    del self._flights[name]
                if not flight.state:
                    flight.end("left")

    def _lead(self, name: bytes, load: Any, how: _How, stamp: int, token: bytes) -> Steps[Any]:
        """Ask the source, store what it has, wake who waits."""
        began = time.perf_counter()
        try:
            value = yield from self._from_source(load, how, fall_back=False)
            packed = self._pack(name, value, how, time.perf_counter() - began)
        except GeneratorExit:
            raise
        except BaseException as error:
            yield from self._store(name, None, "load", token)
            if isinstance(error, Exception):
                return self._fallen_back(how, error)
            raise
        yield from self._store(name, packed, "load", token, stamp)
        return value

    def _from_source(self, load: Any, how: _How, *, fall_back: bool = True) -> Steps[Any]:
        began = time.perf_counter()
        try:
            value = yield load()
        except Exception as error:
            self.counts.failures += 1
            if not fall_back:
                raise
            return self._fallen_back(how, error)
        took = int((time.perf_counter() - began) * 1e6)
        self.counts.loads += 1
        self.counts.load_us += took
        return value

    def _fallen_back(self, how: _How, error: Exception) -> Any:
        if how.fallback is NOTHING:
            raise error
        self.counts.fallbacks += 1
        return how.fallback(error) if callable(how.fallback) else how.fallback

    def _loaded_without(self, key: Name, load: Any, how: _How, error: Exception) -> Steps[Any]:
        known = self._without(key, error, NOTHING)
        if known is not NOTHING:
            return known
        name = bytes_of(key)
        flight: Any = self._flights.get(name)
        if flight is not None:
            yield flight.wait(self.policy.wait)
            if flight.state == "done":
                self.counts.prevented += 1
                return flight.value
            return (yield from self._from_source(load, how))
        flight = self._flights[name] = self._flight()
        try:
            value = yield from self._from_source(load, how)
            flight.end("done", value)
            return value
        except Exception as failed:
            flight.end("failed", failed)
            raise
        finally:
            if self._flights.get(name) is flight:
                del self._flights[name]
            if not flight.state:
                flight.end("left")

    def _refresh(self, key: Name, load: Any, how: _How) -> None:
        """Load it anew behind the caller's back, unless that is under way."""
        name, now = bytes_of(key), time.monotonic()
        if self._refreshing.get(name, 0.0) > now or self._refreshes >= MOST_REFRESHING:
            return  # a source that hangs takes no more threads than that, for however long
        self._refreshing[name] = now + self.policy.lease
        self._refreshes += 1
        try:
            self._behind(self._refreshed(name, load, how), lambda: self._refresh_over(name))
        except RuntimeError as error:  # no thread is to be had: the value that there is will do
            log.warning("cache %s: %r is not refreshed: %s", self.namespace, name[:80], error)
            self._refresh_over(name)

    def _refresh_over(self, name: bytes) -> None:
        """Also for a task that was cancelled before it began."""
        self._refreshes -= 1
        self._refreshing.pop(name, None)

    def _refreshed(self, name: bytes, load: Any, how: _How) -> Steps[None]:
        try:
            token = self._mine()
            reply = yield self._taken(name, b"refresh", token)
            if reply[0] == 1:
                yield from self._lead(name, load, _How(how.tags, how.ttl), reply[1], token)
        except Exception as error:
            log.warning("cache %s: %r was not refreshed: %s", self.namespace, name[:80], error)

    def _taken(self, name: bytes, mode: bytes, token: bytes) -> Any:
        return self._fast.script(
            "cache_take", self.keys.five(name), (token, self._lease_ms, mode),
            repeatable=True,
        )  # fmt: skip

    def _outlive(self, name: bytes) -> None:
        """Forget a load of this process whose lease is over: another token than its, from now on.

        Something may have been ended since, which nobody could tell a lease that was gone.
        """
        flight = self._flights.get(name)
        if flight is not None and flight.until < time.monotonic():
            self._ended([name])

    def _mine(self) -> bytes:
        return self._token + b"%d" % self._turn

    def _woken(self, name: bytes, seconds: float) -> Steps[None]:
        """Wait until the one who loads is done; a moment where that cannot be waited for."""
        if self._waits is None:
            self._waits = waiting(self.client)
        most = min(seconds, 2.0 if self._waits is self.client else LONGEST - 1.0)
        try:
            yield self._waits.blpop([self.keys.five(name)[3]], timeout=max(0.01, round(most, 3)))
        except DOWN as error:
            log.debug("cache %s: cannot wait: %s", self.namespace, error)
            yield self.pause(min(0.05, seconds))
