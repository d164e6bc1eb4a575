"""What one consumer of a group asks of Redis: read, acknowledge, keep, take over, give up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from redisops.fast import AsyncFast, Fast
from redisops.fast.packing import pack
from redisops.keys import slot
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.dead import dead_fields
from redisops.streams.model import Entry, entries
from redisops.streams.stream import beside, trimming
from redisops.values.calls import is_cluster

AT_ONCE = 200  # ids that one script looks at


class _Member:
    """One consumer. Every method is one round trip unless it says otherwise.

    ``waiting`` is a client for what blocks, which nobody else uses meanwhile. Raises
    redis.ResponseError (NOGROUP) when the stream or the group is not there.
    """

    _fast: Any
    _slow: Any

    def __init__(self, redis: Any, waiting: Any, key: bytes, group: bytes, consumer: bytes) -> None:
        self.redis = redis
        self.waiting = waiting
        self.key, self.group, self.consumer = key, group, consumer
        self._is_cluster = is_cluster(redis)

    @step
    def create(self, start: str) -> Steps[bool]:
        """Create the group, and the stream if there is none; False when it was there."""
        try:
            yield self._fast.call("XGROUP", "CREATE", self.key, self.group, start, "MKSTREAM")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
            return False
        return True

    @step
    def read(self, count: int, done: Sequence[str] = ()) -> Steps[list[Entry]]:
        """Up to ``count`` new entries, now; ``done`` are acknowledged in the same write."""
        read = ("XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count, "STREAMS",
                self.key, ">")  # fmt: skip
        if not done:
            reply = yield self._fast.call(*read)
            return _of_one(reply)
        ack = ("XACK", self.key, self.group, *done)
        acked, reply = yield self._fast.calls((ack, read))
        for one in (acked, reply):
            if isinstance(one, Exception):
                raise one
        return _of_one(reply)

    @step
    def wait(self, count: int, milliseconds: int) -> Steps[list[Entry]]:
        """Up to ``count`` new entries; waits for the first for so long."""
        read = ("XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count,
                "BLOCK", milliseconds, "STREAMS", self.key, ">")  # fmt: skip
        reply = yield self._slow._lines.ask(pack(read), read, again=False)
        return _of_one(reply)

    @step
    def ack(self, ids: Sequence[str]) -> Steps[int]:
        """These are done; how many of them were pending."""
        count = yield self._fast.call("XACK", self.key, self.group, *ids)
        return int(count)

    @step
    def hold(self, ids: Sequence[str]) -> Steps[set[str]]:
        """Show that these are being worked on; those that are still this consumer's.

        One round trip for each 200.
        """
        kept: set[str] = set()
        for at in range(0, len(ids), AT_ONCE):
            reply = yield self._keep("hold", 0, ids[at : at + AT_ONCE])
            kept.update(one.decode() for one in reply)
        return kept

    @step
    def again(self, ids: Sequence[str]) -> Steps[list[Entry]]:
        """Have these, at most 200, delivered once more, as far as they are this consumer's."""
        reply = yield self._keep("again", 0, ids)
        return _counted(reply)

    @step
    def release(self, ids: Sequence[str], idle: int) -> Steps[None]:
        """Let others take these at once: they were not worked on. One round trip for each 200."""
        for at in range(0, len(ids), AT_ONCE):
            yield self._keep("release", idle, ids[at : at + AT_ONCE])

    @step
    def claim(self, idle: int, start: str, count: int) -> Steps[tuple[str, list[Entry]]]:
        """Take over what has been idle for so many ms; where to go on ("0-0": that was all)."""
        args = (self.group, self.consumer, idle, start, count)
        cursor, taken = yield self._fast.script("stream_claim", (self.key,), args)
        return cursor.decode(), _counted(taken)

    @step
    def bury(self, dead: bytes, entry: Entry, cause: str, most: int) -> Steps[bool]:
        """Move an entry to the dead letters; False when it was no longer pending.

        One transaction where both streams share a slot. On a cluster where they do not, the
        letter is written first: a crash in between leaves it there twice, never nowhere.
        """
        words = dead_fields(self.key, entry, self.group, cause, consumer=self.consumer)
        add = ("XADD", dead, *trimming(most, None, approximate=True), "*", *words)
        ack = ("XACK", self.key, self.group, entry.id)
        if self._is_cluster and slot(dead) != slot(self.key):
            letter = yield self._fast.call(*add)
            acked = yield self._fast.call(*ack)
        else:
            pipe = self.redis.pipeline(transaction=True)
            pipe.execute_command(*add)
            pipe.execute_command(*ack)
            letter, acked = yield pipe.execute()
        if not acked:  # another worker was faster
            yield self._fast.call("XDEL", dead, letter)
        return bool(acked)

    @step
    def was_done(self, name: bytes) -> Steps[bool]:
        """Whether something with this idempotency key was handled within its window."""
        found = yield self._fast.call("EXISTS", self._once(name))
        return bool(found)

    @step
    def done_once(self, name: bytes, window: float, ids: Sequence[str]) -> Steps[None]:
        """Remember the idempotency key and acknowledge, in one write and that order."""
        remember = ("SET", self._once(name), ids[0], "PX", max(1, int(window * 1000)))
        replies = yield self._fast.calls((remember, ("XACK", self.key, self.group, *ids)))
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply

    @step
    def lag(self) -> Steps[tuple[int | None, int]]:
        """Entries that the group has not been handed yet (None: the server cannot tell), pending.

        Raises nothing when the group is gone: (None, 0).
        """
        rows = yield self._fast.call("XINFO", "GROUPS", self.key)
        for row in rows:
            about = row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))
            if about.get(b"name") == self.group:
                lag = about.get(b"lag")
                return None if lag is None else int(lag), int(about[b"pending"])
        return None, 0

    @step
    def leave(self) -> Steps[bool]:
        """Delete this consumer if nothing is pending for it; whether it went."""
        args = (self.group, self.consumer, 0)
        gone = yield self._fast.script("stream_leave", (self.key,), args)
        return bool(gone)

    @step
    def tidy(self, idle: int, most: int = 20) -> Steps[int]:
        """Delete consumers with nothing pending that have been idle for so many ms. Two trips."""
        rows = yield self._fast.call("XINFO", "CONSUMERS", self.key, self.group)
        names: list[bytes] = []
        for row in rows:
            about = row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))
            if not about[b"pending"] and about[b"idle"] >= idle and len(names) < most:
                names.append(about[b"name"])
        if not names:
            return 0
        wanted = [("stream_leave", (self.key,), (self.group, name, idle)) for name in names]
        replies = yield self._fast.scripts(wanted)
        return sum(reply == 1 for reply in replies)

    @step
    def newest(self) -> Steps[str]:
        """The newest id the stream has had; "0-0" when there is no stream."""
        try:
            row = yield self._fast.call("XINFO", "STREAM", self.key)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return "0-0"
        about = row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))
        return str(about[b"last-generated-id"].decode())

    def _keep(self, mode: str, idle: int, ids: Sequence[str]) -> Any:
        args = (self.group, self.consumer, mode, idle, *ids)
        return self._fast.script("stream_keep", (self.key,), args)

    def _once(self, name: bytes) -> bytes:
        return beside(self.key, b":done:", self.group + b"\0" + name)


class Member(_Member, Blocking):
    __doc__ = _Member.__doc__

    def __init__(self, redis: Any, waiting: Any, key: bytes, group: bytes, consumer: bytes) -> None:
        super().__init__(redis, waiting, key, group, consumer)
        self._fast, self._slow = Fast.of(redis), Fast(waiting)


class AsyncMember(_Member, Awaiting):
    __doc__ = _Member.__doc__

    def __init__(self, redis: Any, waiting: Any, key: bytes, group: bytes, consumer: bytes) -> None:
        super().__init__(redis, waiting, key, group, consumer)
        self._fast, self._slow = AsyncFast.of(redis), AsyncFast(waiting)


def _of_one(reply: Any) -> list[Entry]:
    """The entries of XREADGROUP's one stream, in RESP2 and RESP3."""
    if not reply:
        return []
    found = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
    return entries(found, 1)


def _counted(reply: Any) -> list[Entry]:
    return [
        Entry(one.decode(), tuple(zip(it := iter(fields), it, strict=True)), int(count))
        for one, fields, count in reply
    ]
