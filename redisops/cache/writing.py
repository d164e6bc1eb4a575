"""Stored, taken away, invalidated."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redisops.cache import entry as entries
from redisops.cache.body import DOWN, MOST_AT_ONCE, _checked, _How
from redisops.cache.body import Written as Written
from redisops.cache.errors import CacheUnavailable, EndedPartly
from redisops.cache.loading import _Loading
from redisops.cache.names import ALL, Name, bytes_of, prefix_mark, tag_mark
from redisops.errors import InvalidArgument
from redisops.steps import Steps, step
from redisops.values.calls import is_cluster

SECONDS = 5.0  # for which shards are tried one by one


@dataclass(frozen=True)
class Ended:
    """In how many of ``shards`` something was ended; ``failed`` says where it was not, or where
    nobody knows, and why. It does no harm to do it once more.
    """

    shards: int
    failed: tuple[tuple[int, Exception], ...] = ()

    @property
    def is_whole(self) -> bool:
        return not self.failed


class _Writing(_Loading):
    """What changes the cache."""

    @step
    def put(
        self, key: Name, value: Any, *, tags: Iterable[Name] = (), ttl: float | None = None
    ) -> Steps[bool]:
        """Store a value that the source has now; False when it is too big or None without a TTL.

        One round trip. A load under way does not replace it. ``ttl`` in seconds instead of the
        policy's. Raises Redis's own errors, and InvalidArgument for what the codec cannot hold.
        """
        name, how = bytes_of(key), _How(tags, ttl)
        packed = self._pack(name, value, how, 0.0)
        self._ended([name])
        how_to = "put" if packed is not None else "delete"
        stored = yield from self._store(name, packed, how_to, b"-")
        self._ended([name])
        return stored and packed is not None

    @step
    def write(
        self, key: Name, value: Any, to_source: Callable[[Any], Any], *,
        tags: Iterable[Name] = (), ttl: float | None = None, strict: bool = False,
    ) -> Steps[Written]:  # fmt: skip
        """Write to the source by ``to_source(value)``, then to the cache. Two round trips.

        First the entry is taken away, then the source is called, then the value is stored: whoever
        dies in between leaves no entry, and readers ask the source. If the source raises, its error
        passes and the cache has nothing. If two write the same key at once and may have crossed,
        the cache has nothing either (``cached`` is False). If Redis does not answer, the source is
        written all the same, the result says what may still be there, and the entry is deleted as
        soon as Redis answers this process; ``strict`` raises CacheUnavailable instead, before the
        source is called.
        """
        name, how = bytes_of(key), _How(tags, ttl)
        packed = self._pack(name, value, how, 0.0)
        token, reason, stamp = secrets.token_bytes(8), "", b""
        self._ended([name])
        try:
            keys = self.keys.five(name)
            reply = yield self._fast.script("cache_take", keys, (token, self._lease_ms, b"write"))
            stamp = reply[1]
        except DOWN as error:
            if strict:
                raise CacheUnavailable(f"cache {self.namespace}: {error}") from error
            reason = str(error)
        try:
            yield to_source(value)
        except GeneratorExit:
            raise
        except BaseException:
            yield from self._finish(name, None, token)
            raise
        done, failed = yield from self._finish(name, packed, token, stamp)
        reason = failed or ("" if done or packed is None else reason or "another write crossed it")
        if packed is None and not reason:
            reason = "not to be cached: too big, or None"
        return Written(done and packed is not None, may_be_old=bool(failed), reason=reason)

    def _finish(
        self, name: bytes, packed: entries.Packed | None, token: bytes, stamp: Any = b""
    ) -> Steps[tuple[bool, str]]:
        try:
            done = yield from self._store(name, packed, "write", token, stamp)
        except DOWN as error:
            self._owed.add(name)
            return False, str(error)
        finally:
            self._ended([name])
        return done, ""

    @step
    def delete(self, *keys: Name) -> Steps[int]:
        """Take entries away; how many there were. A load under way will not bring one back.

        One round trip for up to 1,000 keys.
        """
        names = [bytes_of(key) for key in keys]
        self._ended(names)
        count = 0
        for at in range(0, len(names), MOST_AT_ONCE):
            part = names[at : at + MOST_AT_ONCE]
            replies = yield self._fast.scripts(
                [("cache_store", *self._storing(name, None, "delete", b"-")) for name in part]
            )
            count += sum(_checked(replies))
        self._ended(names)
        return count

    # --- Invalidating ---------------------------------------------------------------------------

    @step
    def invalidate_tag(self, *tags: Name) -> Steps[None]:
        """End all entries with any of these tags, in O(1), also those that are being loaded.

        One round trip (on a cluster one to each node; where a node is away one for each shard, for
        five seconds at most, so that the others are reached). Raises EndedPartly, which names the
        shards that were not reached, or where none was Redis's own errors: then it is not done, or
        nobody knows; it can be repeated.
        """
        if len(tags) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(tags)} tags are more than {MOST_AT_ONCE:,} at once")
        if tags:
            yield from self._invalidate([tag_mark(tag) for tag in tags])

    @step
    def invalidate_prefix(self, prefix: Name) -> Steps[None]:
        """End all entries whose key begins with ``prefix``, which ends with ``:``, in O(1).

        Round trips and errors as for a tag.
        """
        yield from self._invalidate([prefix_mark(prefix)])

    @step
    def invalidate_namespace(self) -> Steps[None]:
        """End all entries of the namespace, in O(1). Round trips and errors as for a tag."""
        yield from self._invalidate([ALL])

    @step
    def end(
        self, *, tag: Name | None = None, prefix: Name | None = None, seconds: float = SECONDS
    ) -> Steps[Ended]:
        """End a tag, a prefix or (neither) the namespace shard by shard: what failed is told.

        For people, who want to know where it was not done; services call ``invalidate_*``. One
        round trip for each shard; shards that ``seconds`` do not suffice for are told as failed.
        Raises InvalidArgument for both a tag and a prefix, and for what is neither.
        """
        if tag is not None and prefix is not None:
            raise InvalidArgument("a tag or a prefix, not both")
        mark = ALL if tag is None else tag_mark(tag)
        mark = mark if prefix is None else prefix_mark(prefix)
        self._ended(None)
        try:
            return (yield from self._one_by_one([mark], seconds))
        finally:
            self._ended(None)

    def _invalidate(self, marks: list[bytes]) -> Steps[None]:
        self._ended(None)
        try:
            replies = yield self._fast.scripts(self._ending(marks))
            ended = Ended(self.shards, _failed(replies))
        except DOWN:
            if not is_cluster(self.client):
                raise
            # The error of one node hides what the others said; doing it twice does no harm.
            ended = yield from self._one_by_one(marks, SECONDS)
        finally:
            self._ended(None)
        if len(ended.failed) == self.shards:
            raise ended.failed[0][1]
        if ended.failed:
            raise EndedPartly(self.namespace, ended) from ended.failed[0][1]

    def _one_by_one(self, marks: list[bytes], seconds: float) -> Steps[Ended]:
        failed: list[tuple[int, Exception]] = []
        last = time.monotonic() + seconds
        for shard, script in enumerate(self._ending(marks)):
            if failed and time.monotonic() > last:
                failed.append((shard, TimeoutError(f"not tried: {seconds:g} s were over")))
                continue
            try:
                yield self._fast.script(*script)
            except DOWN as error:
                failed.append((shard, error))
        return Ended(self.shards, tuple(failed))

    @step
    def inspect(self, key: Name) -> Steps[tuple[entries.Entry, float] | None]:
        """The entry as it is stored, and seconds of life left; None for none. Counts nothing.

        One round trip. Raises Poisoned for what is not ours.
        """
        name = bytes_of(key)
        reply = yield self._fast.script("cache_get", self.keys.three(name), repeatable=True)
        if reply.__class__ is not list:
            return None
        return entries.read(name, reply[0], self._codec), reply[1] / 1000

    @step
    def flush(self) -> Steps[None]:
        """Tell Redis now what was counted; done by itself every second."""
        follower = self._follower or self._found()
        yield from follower.tell([self])


def _failed(replies: Sequence[Any]) -> tuple[tuple[int, Exception], ...]:
    return tuple((at, reply) for at, reply in enumerate(replies) if isinstance(reply, Exception))
