"""Sessions in Redis: load, save, rotate, list and revoke."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from typing import Any, Literal

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.fast.packing import pack
from redisops.sessions.ends import Ends
from redisops.sessions.errors import SessionGone, SessionInvalid, TooManySessions
from redisops.sessions.hashes import DELETED, METADATA, field_of, opened, whole_of
from redisops.sessions.listing import MAX_LISTED, TOUCH_SECONDS, Listing, told_apart
from redisops.sessions.seal import Place, Seal
from redisops.sessions.session import ABOUT, SEEN, WHOLE, Session, handle_of
from redisops.steps import Awaiting, Blocking, Steps, step

MAX_FIELDS = 1_000
_LOAD = (  # the two commands of a load as the server reads them
    b"*4\r\n$10\r\nHRANDFIELD\r\n$%%d\r\n%%b\r\n$%d\r\n%d\r\n$10\r\nWITHVALUES\r\n"
    b"*3\r\n$7\r\nPEXPIRE\r\n$%%d\r\n%%b\r\n$%%d\r\n%%b\r\n"
) % (len(str(MAX_FIELDS + 1)), MAX_FIELDS + 1)
_STAYS = (  # the last two of three commands of a save
    b"*3\r\n$7\r\nPEXPIRE\r\n$%%d\r\n%%b\r\n$%%d\r\n%%b\r\n"
    b"*3\r\n$7\r\nHEXISTS\r\n$%%d\r\n%%b\r\n$%d\r\n%b\r\n"
) % (len(WHOLE), WHOLE)


class _Sessions(Listing):
    """Sessions as encrypted hashes, one field per top-level key, with two expiries.

    ``redis`` is a client (bytes in, bytes out), ``seal`` encrypts. A session ends ``idle``
    seconds after its last load, and ``absolute`` seconds after it began: the latter is sealed
    inside and cannot be moved by whoever can write to that Redis. Last seen is written at
    most once a minute. ``redis.RedisError`` passes through: a session that could not be read
    is not a session that does not exist.

    Keys: ``<prefix>session:{<handle>}`` and, for each principal,
    ``<prefix>sessions:{<principal>}``, a sorted set of handles by expiry; with a ``limit`` also
    the set ``<prefix>sessions:{<principal>}:ending``, with ``events`` those of ``ends``.

    ``limit``: so many sessions of one principal at most (0: no limit). When one more signs in,
    ``when_full`` "end" ends those that were seen the longest ago, "refuse" raises
    TooManySessions. ``events``: announce when a session of a principal ends, and how.
    """

    _kind: Any  # of the fast path

    def __init__(
        self,
        redis: Any,
        seal: Seal,
        *,
        prefix: str = "",
        idle: float = 30 * 60,
        absolute: float = 12 * 3600,
        limit: int = 0,
        when_full: Literal["end", "refuse"] = "end",
        events: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if limit < 0:
            raise InvalidArgument(f"limit {limit} must be 0 (none) or the most sessions of one")
        if when_full not in ("end", "refuse"):
            raise InvalidArgument(f'when_full {when_full!r} must be "end" or "refuse"')
        if not 0 < idle <= absolute:
            raise InvalidArgument(f"idle {idle} s must be above 0 and at most absolute {absolute}")
        self.redis = redis
        self.seal = seal
        self.prefix = prefix
        self.idle = idle
        self.absolute = absolute
        self.limit = limit
        self.when_full = when_full
        self.clock = clock
        self.ends = Ends(prefix) if events else None
        self._fast = self._kind.of(redis)
        idle_ms = b"%d" % self._idle_ms
        self._idle_packed = len(idle_ms), idle_ms

    def new(self, principal: str = "", *, id: str | None = None, **about: Any) -> Session:
        """A session that is nowhere yet; ``save`` creates it. No command."""
        now = self.clock()
        return Session(
            id or secrets.token_urlsafe(32),
            principal=principal,
            created=now,
            ends=now + self.absolute,
            about=about,
        )

    @step
    def load(self, id: str, *, fields: Collection[str] | None = None) -> Steps[Session | None]:
        """The session, its idle expiry pushed along; None when there is none. One round trip.

        ``fields``: only these top-level keys travel and are opened; see ``Session.loaded``.
        Raises SessionInvalid when any field does not open: it was tampered with, moved here
        from another session, or sealed with a key that is not known.
        """
        handle = handle_of(id)
        place = self._place(handle)
        name = place.name
        asked: list[bytes] = []
        packed: bytes | None = None
        if fields is None:
            # All there is, as HGETALL gives, unless there is more than anybody's session has.
            question: tuple[Any, ...] = ("HRANDFIELD", name, MAX_FIELDS + 1, "WITHVALUES")
            packed = _LOAD % (len(name), name, len(name), name, *self._idle_packed)
        else:
            asked = [*METADATA, *map(field_of, fields)]
            question = ("HMGET", name, *asked)
        # A server that refuses writes (a replica, MISCONF) still says whose session it is.
        reply, _ = yield self._fast.together((question, ("PEXPIRE", name, self._idle_ms)), packed)
        if isinstance(reply, Exception):
            if "WRONGTYPE" in str(reply):
                raise SessionInvalid(f"{name!r} is not a hash") from reply
            raise reply
        if fields is not None:
            pairs = zip(asked, reply, strict=True)
            found = {field: sealed for field, sealed in pairs if sealed is not None}
        elif reply and reply[0].__class__ is list:  # RESP3
            found = dict(reply)
        else:
            found = dict(zip(reply[::2], reply[1::2], strict=True))
        if not found:
            return None
        if len(found) > MAX_FIELDS and fields is None:
            raise SessionInvalid(f"{name!r} has more than {MAX_FIELDS} fields")
        session = opened(id, handle, place, found, fields)
        if self._has_ended(session.seen, session.ends):
            yield self.redis.unlink(place.name)
            return None
        return session

    @step
    def save(self, session: Session, *, replace: bool = False) -> Steps[bool]:
        """Write what changed; True when there was anything to write. One round trip, or none.

        Only changed and deleted fields travel, so that two requests which change different
        keys do not undo each other. A new session is created whole. ``replace`` writes
        everything whether or not a hash is there (a copy kept elsewhere repairs Redis so).
        Raises SessionGone when a loaded session has been revoked meanwhile, TooManySessions
        when a new one is refused. With a ``limit`` a new one costs two round trips more.
        """
        now = self.clock()
        if replace:
            self._check_whole(session)
        changed, deleted = session.changes()
        whole = replace or session.is_new
        about = session.packed_about() if whole else session.about_to_write()
        seen = now if whole or now - session.seen >= TOUCH_SECONDS else session.seen
        is_touched = seen != session.seen
        old = {} if whole else session.old
        is_due = about is not None or is_touched or WHOLE in old or ABOUT in old
        if not (whole or changed or deleted or is_due):
            return False
        place = session.place or self._place(session.handle)
        if not (whole or deleted or old or is_due):
            return (yield from self._save_values(session, place, changed, now))

        bundled: frozenset[str] | None = None
        if whole:
            values = session.everything()
            fields, bundled = whole_of(about or b"", seen, values)
            gone: list[bytes] = []
        else:
            values = changed
            fields = {field_of(key): data for key, data in changed.items()}
            gone = []
            for key in deleted:
                if session.bundled is None or key in session.bundled:
                    fields[field_of(key)] = DELETED
                else:
                    gone.append(field_of(key))
            if about is not None:
                fields[ABOUT] = about
            if is_touched:
                fields[SEEN] = b"%d" % (seen * 1000)
        mode = "replace" if replace else "create" if session.is_new else "update"
        arguments: list[Any] = [mode, self._ttl_ms(session, now), len(gone), *gone]
        for field, data in fields.items():
            arguments += (field, place.seal(field, data))
        calls = [("session_save", [place.name], arguments)]
        if old:
            again = [
                part for field, (begins, data) in old.items()
                if field not in fields and field not in gone
                for part in (field, begins, place.seal(field, data))
            ]  # fmt: skip
            calls.append(("session_reseal", [place.name], again))

        indexed = bool(session.principal) and (whole or is_touched)
        index = self._index_commands(session, seen, placed=whole) if indexed else []
        if whole and session.principal:
            index += yield from self._admit(session, seen)
        if index or old:
            written, *_ = yield from self._send(calls, index)
        else:
            written = yield self._fast.script(*calls[0])
        if not written:
            if session.is_new:
                raise InvalidArgument(f"session {session.handle} exists already")
            if indexed:
                yield self.redis.zrem(self._index(session.principal), session.handle)
            raise _gone(session)
        if whole and session.principal:
            yield from self._stay(session, seen)
        session.saved(values, deleted, seen, about, bundled)
        return True

    def _save_values(
        self, session: Session, place: Place, changed: dict[str, bytes], now: float
    ) -> Steps[bool]:
        """What most saves are: values of a loaded session changed, and nothing else is due.

        Without the script, which would take longer than the rest of it. A session that is gone
        has no ``@whole``: what was written for it goes again. Nobody can load that meanwhile, and
        it has an expiry should this process end here.
        """
        ttl, name = self._ttl_ms(session, now), place.name
        sealed = [(field_of(key), data) for key, data in changed.items()]
        fields = [part for field, data in sealed for part in (field, place.seal(field, data))]
        if not session.has_whole:
            is_there = yield self._fast.script("session_save", [name], ["update", ttl, 0, *fields])
        else:
            write, size, lasts = ("HSET", name, *fields), len(name), b"%d" % ttl
            replies = yield self._fast.together(
                (write, ("PEXPIRE", name, ttl), ("HEXISTS", name, WHOLE)),
                pack(write) + _STAYS % (size, name, len(lasts), lasts, size, name),
                again=False,
            )
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            is_there = replies[2]
            if not is_there:
                yield self._fast.call("HDEL", name, *fields[::2])
        if not is_there:
            raise _gone(session)
        session.saved_values(changed)
        return True

    @step
    def rotate(self, session: Session, id: str | None = None) -> Steps[Session]:
        """The same data under a new id; the old id is worthless from here on. One round trip.

        Call it when a session's rights grow (sign-in above all). Raises SessionGone when the
        session was revoked meanwhile; nothing is left behind then.
        """
        self._check_whole(session)
        fresh = self.new(session.principal, id=id, **session.about)
        fresh.created, fresh.ends = session.created, session.ends
        fresh.update(session)
        now = self.clock()
        place = self._place(fresh.handle)
        arguments: list[Any] = ["create", self._ttl_ms(fresh, now), 0]
        values, about = fresh.everything(), fresh.packed_about()
        fields, bundled = whole_of(about, now, values)
        for field, data in fields.items():
            arguments += [field, place.seal(field, data)]
        index = self._index_commands(fresh, now, placed=True) if fresh.principal else []
        if fresh.principal:
            index += yield from self._admit(fresh, now, instead=session.handle)
        if session.principal:
            index.append(("ZREM", self._index(session.principal), session.handle))
            if self.ends:
                old = self.ends.member(session.handle, session.principal)
                index.append(("ZREM", self.ends.live, old))
        removed = ("DEL", self._name(session.handle))
        save = ("session_save", [place.name], arguments)
        written, *others = yield from self._send([save], [*index, removed])
        if not written or (not session.is_new and not others[-1]):
            yield from self._end("revoked", fresh.principal, fresh.handle)
            raise _gone(session)
        if fresh.principal:
            yield from self._stay(fresh, now)
        fresh.saved(values, set(), now, about, bundled)
        return fresh

    @step
    def delete(self, session: Session) -> Steps[None]:
        """End a session: sign-out. One round trip; harmless when it is gone already."""
        yield from self._end("signed out", session.principal, session.handle)

    # --- Places and times ------------------------------------------------------------------

    @property
    def _idle_ms(self) -> int:
        return int(self.idle * 1000)

    def _ttl_ms(self, session: Session, now: float) -> int:
        return max(1, int(min(self.idle, session.ends - now) * 1000))

    @staticmethod
    def _check_whole(session: Session) -> None:
        if session.loaded is not None:
            raise InvalidArgument("a session that was loaded with fields= cannot be written whole")

    def _admit(
        self, session: Session, seen: float, *, instead: str = ""
    ) -> Steps[list[tuple[Any, ...]]]:
        """Ask for a place among the principal's sessions: what else to send then.

        One script decides and takes the place, so that two sign-ins at once do not both get the
        last one. Those that have to go are named until they are gone.
        """
        if not self.limit:
            return []
        index = self._index(session.principal)
        ending = index + b":ending"
        arguments = [
            self._oldest(seen), int(min(session.ends, seen + self.idle) * 1000), session.handle,
            instead, self.limit, self.when_full, int((self.idle + TOUCH_SECONDS) * 1000),
            MAX_LISTED,
        ]  # fmt: skip
        admit = ("session_admit", [index, ending], arguments)
        [[admitted, *due]] = yield from self._send([admit])
        if not admitted and (yield from self._prune(index)):
            [[admitted, *due]] = yield from self._send([admit])
        if not admitted:
            raise TooManySessions(
                f"{session.principal!r} has {self.limit} sessions, and that is the most"
            )
        handles, odd = told_apart(due)
        done: list[str | bytes] = [*odd]
        if handles:
            were = yield from self._end("displaced", session.principal, *handles)
            # Who was not there stays named: it is being written, and reads that it has to go.
            done += [handle for handle, was in zip(handles, were, strict=True) if was]
        return [("SREM", ending, *done)] if done else []

    def _stay(self, session: Session, seen: float) -> Steps[None]:
        """See, now that a new session is written, whether it kept the place that it was given.

        Who took it before the session was there could not end it, but named it: it ends itself,
        as it would have been ended a moment later. Who takes it from now on finds it.
        """
        if not self.limit:
            return
        index = self._index(session.principal)
        ending = index + b":ending"
        held, named = yield from self._send(
            [], [("ZSCORE", index, session.handle), ("SISMEMBER", ending, session.handle)]
        )
        if named:
            yield from self._end("displaced", session.principal, session.handle)
            yield self._fast.call("SREM", ending, session.handle)
        elif held is None and (yield self._fast.call("EXISTS", self._name(session.handle))):
            # Somebody who listed the sessions struck it out before it was there.
            try:
                after = yield from self._admit(session, seen)
            except TooManySessions:
                yield from self._end("displaced", session.principal, session.handle)
                raise
            if after:
                yield from self._send([], after)

    def _prune(self, index: bytes) -> Steps[int]:
        """Strike handles whose hash is gone from a principal's list; how many. Two round trips."""
        handles, odd = told_apart((yield self.redis.zrange(index, 0, MAX_LISTED)))
        pipe = self.redis.pipeline(transaction=False)
        for handle in handles:
            pipe.exists(self._name(handle))
        exist = yield pipe.execute()
        gone: list[str | bytes] = list(odd)
        gone += [handle for handle, is_there in zip(handles, exist, strict=True) if not is_there]
        return int((yield self.redis.zrem(index, *gone))) if gone else 0


def _gone(session: Session) -> SessionGone:
    return SessionGone(f"session {session.handle} was revoked or has expired")


class Sessions(_Sessions, Blocking):
    __doc__ = _Sessions.__doc__
    _kind = Fast


class AsyncSessions(_Sessions, Awaiting):
    __doc__ = _Sessions.__doc__
    _kind = AsyncFast
