"""A person's sessions: list them, end them, tell how they ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import redis as redis_py

from redisops.errors import InvalidArgument
from redisops.fast.sources import by_digest, in_full
from redisops.sessions.ends import Ends, How, SessionEnd
from redisops.sessions.errors import SessionInvalid
from redisops.sessions.hashes import METADATA, told_in
from redisops.sessions.seal import Place, Seal
from redisops.sessions.session import Session, SessionInfo
from redisops.steps import Steps, step

TOUCH_SECONDS = 60
MAX_LISTED = 1_000


class Listing:
    """What ``Sessions`` knows of those of one principal, and how it ends them."""

    redis: Any
    seal: Seal
    prefix: str
    idle: float
    clock: Callable[[], float]
    ends: Ends | None
    limit: int
    _fast: Any

    @step
    def revoke(self, principal: str, *handles: str) -> Steps[int]:
        """End these sessions of a principal; how many there were. One round trip."""
        if not handles:
            return 0
        return sum((yield from self._end("revoked", principal, *handles)))

    @step
    def revoke_all(self, principal: str, *, keep: str = "") -> Steps[int]:
        """End every session of a principal but the handle ``keep``; how many there were.

        Two round trips for each thousand sessions.
        """
        ended = 0
        while True:
            found = yield self.redis.zrange(self._index(principal), 0, MAX_LISTED)
            handles, odd = told_apart(found)
            handles = [handle for handle in handles if handle != keep]
            if odd:
                yield self.redis.zrem(self._index(principal), *odd)
            if handles:
                ended += sum((yield from self._end("revoked", principal, *handles)))
            if not (handles or odd):
                return ended

    @step
    def of(self, principal: str) -> Steps[list[SessionInfo]]:
        """A principal's sessions, last seen first, at most 1,000. Two round trips.

        Members whose session is gone are pruned on the way (one more round trip when any).
        """
        index = self._index(principal)
        found = yield self.redis.zrevrangebyscore(
            index, "+inf", self._oldest(self.clock()), start=0, num=MAX_LISTED
        )
        if not found:
            return []
        handles, odd = told_apart(found)
        pipe = self.redis.pipeline(transaction=False)
        for handle in handles:
            pipe.hmget(self._name(handle), list(METADATA))
        replies = yield pipe.execute(raise_on_error=False)
        rows, gone = [], list[str | bytes](odd)
        for handle, reply in zip(handles, replies, strict=True):
            row = self._row(handle, reply)
            if row is None:
                gone.append(handle)
            else:
                rows.append(row)
        if gone:
            yield self.redis.zrem(index, *gone)
        return sorted(rows, key=lambda row: row.seen, reverse=True)

    @step
    def sweep(self, most: int = 1_000) -> Steps[int]:
        """Announce what expired by itself since the last sweep; how many. One round trip.

        Call it every few seconds in any number of processes: each end is announced once.
        Raises InvalidArgument without ``events=True``.
        """
        ends, now = self._announced(), self.clock()
        [told] = yield from self._send([ends.overdue(now - TOUCH_SECONDS, now, most)])
        return int(told)

    @step
    def ended(self, after: str = "0", count: int = 100) -> Steps[list[SessionEnd]]:
        """Sessions that ended after the entry ``after``, oldest first. One round trip.

        Raises InvalidArgument without ``events=True``. To be told at once, read the stream
        ``Sessions.ends.stream`` with ``redisops.tail``.
        """
        stream = self._announced().stream
        entries = yield self.redis.xrange(stream, f"({after}", count=count)
        return [SessionEnd.of(id, fields) for id, fields in entries]

    # --- Names and times ------------------------------------------------------------------

    def _name(self, handle: str) -> bytes:
        return f"{self.prefix}session:{{{handle}}}".encode()

    def _index(self, principal: str) -> bytes:
        return f"{self.prefix}sessions:{{{principal}}}".encode()

    def _place(self, handle: str) -> Place:
        return self.seal.place(self._name(handle))

    def _oldest(self, now: float) -> int:
        # A load pushes the hash's expiry along but not the index's: one touch of grace.
        return int((now - TOUCH_SECONDS) * 1000)

    def _has_ended(self, seen: float, ends: float) -> bool:
        now = self.clock()
        return now >= ends or now - seen >= self.idle + TOUCH_SECONDS

    def _index_commands(
        self, session: Session, seen: float, *, placed: bool = False
    ) -> list[tuple[Any, ...]]:
        """``placed``: where there is a limit it has its place already, or has lost it again."""
        index = self._index(session.principal)
        expires = int(min(session.ends, seen + self.idle) * 1000)
        commands: list[tuple[Any, ...]] = [
            ("ZREMRANGEBYSCORE", index, "-inf", self._oldest(seen)),
            ("ZADD", index, *(("XX",) if placed and self.limit else ()), expires, session.handle),
            ("PEXPIRE", index, int((self.idle + TOUCH_SECONDS) * 1000)),
        ]
        if self.ends:
            member = self.ends.member(session.handle, session.principal)
            commands.append(("ZADD", self.ends.live, expires, member))
        return commands

    def _row(self, handle: str, reply: Any) -> SessionInfo | None:
        if isinstance(reply, list) and reply[0] is None and reply[1] is None:
            return None
        place = self._place(handle)
        try:
            if not isinstance(reply, list):
                raise SessionInvalid(f"{place.name!r} is not a hash")
            (principal, created, ends, about), seen = told_in(place, reply)
        except SessionInvalid:
            return SessionInfo(handle, "", 0, 0, 0, {}, readable=False)
        if self._has_ended(seen, ends):
            return None
        return SessionInfo(handle, principal, created, seen, ends, about)

    # --- Commands --------------------------------------------------------------------------

    def _end(self, how: How, principal: str, *handles: str) -> Steps[list[int]]:
        """End them; for each 1 if it was there, else 0."""
        commands: list[tuple[Any, ...]] = [("UNLINK", self._name(handle)) for handle in handles]
        if principal:
            commands.append(("ZREM", self._index(principal), *handles))
        calls = []
        if self.ends and principal:
            members = [self.ends.member(handle, principal) for handle in handles]
            calls = [self.ends.told(how, self.clock(), *members)]
        replies = yield from self._send(calls, commands)
        return replies[len(calls) :][: len(handles)]

    def _announced(self) -> Ends:
        if self.ends is None:
            raise InvalidArgument("these sessions announce nothing: make them with events=True")
        return self.ends

    def _send(
        self, calls: Sequence[tuple[Any, ...]], commands: Sequence[tuple[Any, ...]] = ()
    ) -> Steps[list[Any]]:
        """Scripts and then ``commands`` in one write; the replies of all, or the first error.

        A write carries keys of other hash slots on a cluster, a script cannot. Scripts that the
        server does not know are sent again in full; the commands have run by then, and are such
        that the order does not matter.
        """
        if len(calls) == 1 and not commands:
            return [(yield self._fast.script(*calls[0]))]
        replies = yield self._fast.calls([*by_digest(calls), *commands])
        lost = [
            at for at, reply in enumerate(replies)
            if isinstance(reply, redis_py.exceptions.NoScriptError)
        ]  # fmt: skip
        if lost:
            again = yield self._fast.calls(in_full([calls[at] for at in lost]))
            for at, reply in zip(lost, again, strict=True):
                replies[at] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return list(replies)


def told_apart(members: Sequence[bytes]) -> tuple[list[str], list[bytes]]:
    """A list's handles, and what nobody of ours wrote among them: names are bytes of anybody."""
    odd = [member for member in members if not member.isascii()]
    return [member.decode() for member in members if member.isascii()], odd
