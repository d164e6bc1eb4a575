"""Look at the sessions of any service in a Redis, and end them, whatever framework wrote them.

>>> browser = SessionBrowser(redis)
>>> part = browser.find()                     # a bounded part of a walk through the keys
>>> rows = browser.read([one.name for one in part.found])
>>> browser.end(rows[:1])

Nothing that is stored is ever run. Sealed sessions show their person and times when ``seal`` has
a key of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from redisops.fast import AsyncFast, Fast
from redisops.fast.sources import by_digest, in_full
from redisops.sessions import foreign
from redisops.sessions.beside import announced, beside
from redisops.sessions.errors import SessionInvalid
from redisops.sessions.foreign import READ, Content
from redisops.sessions.found import Part as Part
from redisops.sessions.found import Row as Row
from redisops.sessions.hashes import METADATA, told_in
from redisops.sessions.held import values_of
from redisops.sessions.layouts import PATTERN, PRINCIPAL, Named, index_of, name_of, named
from redisops.sessions.seal import Seal
from redisops.sessions.session import ABOUT, SEEN
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.walks import Walk

AT_ONCE = 500
MOST_FIELDS = 500
LONGEST_VALUE = 16 * 1024
SEALED = "sealed by its service: no key for it is known here"
_SPRING = (b"creationTime", b"lastAccessedTime", b"sessionAttr:" + PRINCIPAL)


class _SessionBrowser:
    """Sessions of one server or cluster; ``seal`` opens those of Redisops that it has a key of."""

    _kind: Any

    def __init__(self, redis: Any, seal: Seal | None = None) -> None:
        self.redis = redis
        self.seal = seal

    @step
    def find(self, cursor: str | None = None, max_scans: int = 20) -> Steps[Part]:
        """A part of a walk: at most ``max_scans`` SCAN calls or about a second, and one trip for
        the expiries of every 500 names. InvalidArgument for a foreign cursor."""
        walk = Walk(self.redis, cursor, PATTERN, None, max_scans)
        found: dict[bytes, Named] = {}
        while walk.goes_on():
            fresh = yield from walk.scan()
            for name in fresh:
                one = named(name)
                if one:
                    found[name] = one
        endless = set()
        names = list(found)
        for at in range(0, len(names), AT_ONCE):
            pipe = self.redis.pipeline(transaction=False)
            for name in names[at : at + AT_ONCE]:
                pipe.pttl(name)
            replies = yield pipe.execute(raise_on_error=False)
            endless |= {name for name, left in zip(names[at:], replies, strict=False) if left == -1}
        return Part(
            list(found.values()), frozenset(endless), walk.cursor(), walk.scanned, walk.total
        )

    @step
    def read(self, names: Sequence[bytes]) -> Steps[list[Row | None]]:
        """What these sessions say, in their order; None for what is gone, or is no session.

        One round trip for each 500. At most 64 KB of a value are read. Raises what the server
        refuses, such as a command that this account lacks.
        """
        rows: list[Row | None] = []
        for at in range(0, len(names), AT_ONCE):
            asked = [named(name) for name in names[at : at + AT_ONCE]]
            pipe = self.redis.pipeline(transaction=False)
            for one in asked:
                self._ask(pipe, one)
            replies = yield pipe.execute(raise_on_error=False)
            for place, one in enumerate(asked):
                rows.append(self._row(one, *replies[3 * place : 3 * place + 3]))
        return rows

    def _ask(self, pipe: Any, one: Named | None) -> None:
        name = one.name if one else b""
        pipe.pttl(name)
        if one and one.is_hash:
            pipe.hlen(name)
            pipe.hmget(name, list(METADATA if one.kind == "redisops" else _SPRING))
        else:
            pipe.strlen(name)
            pipe.getrange(name, 0, READ - 1)

    def _row(self, one: Named | None, left: Any, size: Any, value: Any) -> Row | None:
        for reply in (left, size, value):
            if isinstance(reply, ResponseError) and "WRONGTYPE" in str(reply):
                return None
            if isinstance(reply, RedisError):
                raise reply
        if one is None or left == -2 or not size:
            return None
        kind: str = one.kind
        if kind == "redisops":
            if value[0] is None and value[1] is None:
                return None
            content = self._opened(one, value)
        elif kind == "spring":
            if value[0] is None:
                return None
            content = foreign.spring(*value)
        else:
            kind, content = foreign.read(kind, value, is_cut=size > READ)
        return (
            Row(one, kind, None if left < 0 else left / 1000, size, content)
            if (content.is_session)
            else None
        )

    def _opened(self, one: Named, sealed: list[bytes | None]) -> Content:
        if self.seal is None:
            return Content(why=SEALED)
        place = self.seal.place(one.name)
        try:
            (principal, created, _, about), last = told_in(place, sealed)
        except (SessionInvalid, ValueError, TypeError):
            return Content(why=SEALED)
        told = foreign.about(about)
        return Content(principal, created, last, told.address, told.agent)

    @step
    def of(self, kind: str, before: bytes, who: str) -> Steps[list[bytes]]:
        """The keys of one person's sessions by the layout's own index, at most 1,000.

        One round trip; nothing for layouts without an index.
        """
        index = index_of(kind, before, who)
        if index is None:
            return []
        if kind == "redisops":
            ids = yield self.redis.zrevrange(index, 0, 999)
        else:
            _, ids = yield self.redis.sscan(index, count=1000)
        texts = [_bare(id) for id in ids]
        return [name_of(kind, before, id) for id in texts[:1000] if id]

    @step
    def values(self, row: Row) -> Steps[dict[str, bytes | None]]:
        """What a hash session holds: each field's bytes; None for one above 16 KB, or sealed.

        At most 500 fields. Three round trips. A string's values are in ``content`` already.
        """
        if not row.named.is_hash or row.size > MOST_FIELDS:
            return {}
        # Bounded whatever the hash became since it was measured, as HKEYS would not be.
        names = yield self.redis.hrandfield(row.name, MOST_FIELDS)
        names = sorted(name for name in names if name not in (ABOUT, SEEN))
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.hstrlen(row.name, name)
        sizes = yield pipe.execute()
        small = [name for name, size in zip(names, sizes, strict=True) if size <= LONGEST_VALUE]
        found = yield self.redis.hmget(row.name, small) if small else []
        held = dict(zip(small, found, strict=True))
        place = self.seal.place(row.name) if self.seal and row.kind == "redisops" else None
        if row.kind == "redisops":
            return values_of(place, {name: held.get(name) for name in names})
        return {name.decode("utf-8", "replace"): held.get(name) for name in names}

    @step
    def end(self, rows: Sequence[Row]) -> Steps[int]:
        """End these sessions with what their layouts keep beside them; how many there were.

        One round trip for each 500. Announced where the service announces its ends
        (``Sessions(events=True)``). A session whose service has a copy elsewhere (Django's
        cached_db) comes back from there.
        """
        ended = 0
        fast = self._kind.of(self.redis)
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            commands: list[tuple[Any, ...]] = [("UNLINK", row.name) for row in some]
            commands += [call for row in some for call in beside(row)]
            replies = yield fast.calls(commands)
            for reply in replies:
                if isinstance(reply, RedisError):
                    raise reply
            ended += sum(replies[: len(some)])
            calls = announced(some)
            if calls:
                told = yield fast.calls(by_digest(calls))
                if any(isinstance(one, RedisError) for one in told):
                    told = yield fast.calls(in_full(calls))
                for reply in told:
                    if isinstance(reply, RedisError):
                        raise reply
        return ended


def _bare(id: bytes) -> str:
    """The id that a member of an index holds; "" for what is none."""
    text = foreign.java_text(id) or id.decode("utf-8", "replace")
    return text if text.replace("-", "").replace("_", "").isalnum() and len(text) <= 64 else ""


class SessionBrowser(_SessionBrowser, Blocking):
    __doc__ = _SessionBrowser.__doc__
    _kind = Fast


class AsyncSessionBrowser(_SessionBrowser, Awaiting):
    __doc__ = _SessionBrowser.__doc__
    _kind = AsyncFast
