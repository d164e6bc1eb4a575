"""A session engine for Django: a sealed hash in Redis, and a sealed copy in SQL.

Redis is asked first. SQL carries a signed-in person through a Redis that is down, stopped,
loading or empty, repairs it when it answers again, and has the last word on who was revoked.
Nobody is ever signed out because a server did not answer.

Subclass ``SessionStore``, say which model and which ``Sessions``, and name the module in
``SESSION_ENGINE``; ``docs/redisops/sessions.md`` shows the whole of it.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import redis
from django.contrib.sessions.backends.base import (
    VALID_KEY_CHARS,
    CreateError,
    SessionBase,
    UpdateError,
)
from django.db import IntegrityError, connections, router
from django.utils import timezone
from django.utils.crypto import get_random_string

from redisops.contrib.django.records import SessionRecord
from redisops.contrib.django.watch import NO_SQL, SessionsUnavailable, Watch
from redisops.errors import InvalidArgument
from redisops.sessions import Session, SessionGone, SessionInvalid, Sessions, handle_of
from redisops.sessions.listing import TOUCH_SECONDS
from redisops.sessions.packing import pack, unpack

log = logging.getLogger(__name__)

__all__ = ["SessionStore", "SessionsUnavailable"]


class SessionStore(SessionBase):
    """Django's session, kept by ``redisops.sessions`` with a copy in SQL.

    Per request of a signed-in person: one round trip to Redis, no SQL but the process's
    snapshot once a second, and one write of each at most once a minute (last seen). A save
    goes to Redis first and to SQL second, so that no crash in between leaves an older hash
    that wins.
    """

    _touch_again_at: ClassVar[float] = 0.0

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.address = ""
        self.agent = ""
        self.unavailable = False
        self._in_redis: Session | None = None
        self._row: SessionRecord | None = None
        self._redis_is_away = False
        self._is_damaged = False
        self._is_fresh = session_key is None
        self._origin: tuple[float, float] | None = None

    # --- What a project says --------------------------------------------------------------
    # As Django's own SessionStore has it: no ABC, because Django makes instances by name.

    @classmethod
    def get_model_class(cls) -> type[SessionRecord]:
        """The model of the SQL copy."""
        raise NotImplementedError("get_model_class: a project's SessionStore gives it")

    @classmethod
    def get_sessions(cls) -> Sessions:
        """The library's sessions, on a client with short timeouts and a breaker of its own."""
        raise NotImplementedError("get_sessions: a project's SessionStore gives it")

    @classmethod
    def get_watch(cls) -> Watch:
        """This process's one snapshot of revoked and stale rows."""
        raise NotImplementedError("get_watch: a project's SessionStore gives it")

    def principal_of(self, data: dict[str, Any]) -> str:
        """Whose session it is: the user's id, empty for nobody."""
        return str(data.get("_auth_user_id", ""))

    def row_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """More columns of the model's own."""
        return {}

    # --- Loading --------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        """The session's data; empty, and without a key, when there is no such session."""
        assert self.session_key is not None
        handle = handle_of(self.session_key)
        try:
            marks = self.get_watch().marks()
            if handle in marks.revoked:
                return self._nobody()
            session = None if handle in marks.stale else self._read_redis()
            session = session or self._read_sql(handle)
        except SessionsUnavailable:
            self.unavailable = True
            raise
        if session is None:
            return self._nobody()
        self._origin = (session.created, session.ends)
        self.address = str(session.about.get("address", ""))
        self.agent = str(session.about.get("agent", ""))
        if time.time() - session.seen >= TOUCH_SECONDS:
            self.modified = True  # the middleware saves last seen, and slides the cookie
        return dict(session)

    def _nobody(self) -> dict[str, Any]:
        self._session_key = None
        self._is_fresh = True
        return {}

    def _read_redis(self) -> Session | None:
        assert self.session_key is not None
        try:
            self._in_redis = self.get_sessions().load(self.session_key)
        except redis.RedisError as error:
            self._away(error)
        except SessionInvalid as error:
            self._is_damaged = True
            log.warning("session in Redis is not ours, the copy in SQL decides: %s", error)
        return self._in_redis

    def _read_sql(self, handle: str) -> Session | None:
        try:
            rows = self.get_model_class()._default_manager
            row = rows.filter(pk=handle, revoked_at=None, expire_date__gt=timezone.now()).first()
        except NO_SQL as error:
            raise SessionsUnavailable("neither Redis nor the database has the session") from error
        if row is None:
            return None
        try:
            session = self._opened(row)
        except SessionInvalid as error:
            log.warning("the SQL copy of session %s cannot be read: %s", handle, error)
            return None
        self._row = row
        return self._repair(session, row)

    def _opened(self, row: SessionRecord) -> Session:
        assert self.session_key is not None
        sealed = base64.b64decode(row.session_data)
        data, created, ends = unpack(self._sql_place(row.pk).open(b"copy", sealed))
        about = {"address": row.address, "agent": row.agent}
        sessions = self.get_sessions()
        session = sessions.new(row.principal, id=self.session_key, **about)
        session.created, session.ends = created, ends
        session.seen = row.last_seen.timestamp()
        session.update(data)
        return session

    def _repair(self, session: Session, row: SessionRecord) -> Session:
        """Give Redis its hash back; if it does not take it, the next load tries again."""
        if self._redis_is_away:
            return session
        seen = session.seen
        try:
            self.get_sessions().save(session, replace=row.stale or self._is_damaged)
        except InvalidArgument:  # another process was faster, its hash is at least as new
            return self._read_redis() or session
        except redis.RedisError as error:
            self._away(error)
            return session
        session.seen = seen  # a repair is no visit: last seen in SQL is still due
        self._in_redis = session
        if row.stale:
            self._unmark(row)
        return session

    def _unmark(self, row: SessionRecord) -> None:
        rows = type(row)._default_manager.filter(pk=row.pk, session_data=row.session_data)
        try:
            repaired = rows.update(stale=False)
        except NO_SQL as error:
            log.warning("session %s stays marked stale: %s", row.pk, error)
            return
        if not repaired:
            # Another process saved meanwhile: what we wrote may be the older of the two.
            self._in_redis = None
            self._forget_in_redis(row.principal, row.pk)

    # --- Saving ---------------------------------------------------------------------------

    def create(self) -> None:
        """A new key and an empty session. Nothing is written before ``save``."""
        self._session_key = get_random_string(32, VALID_KEY_CHARS)
        self._session_cache: dict[str, Any] = {}
        self._in_redis = self._row = None
        self._is_fresh = True
        self.modified = True

    def cycle_key(self) -> None:
        """The same data under a new key; the absolute end does not move."""
        origin = self._origin
        super().cycle_key()
        self._origin = origin

    def flush(self) -> None:
        """End the session and forget whose it was."""
        key, principal = self.session_key, self.principal_of(getattr(self, "_session_cache", {}))
        self.clear()
        if key is not None:
            self.revoke(principal, handle_of(key))
        self._session_key = None
        self._in_redis = self._row = self._origin = None
        self._is_fresh = True

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Write what changed to Redis, then the copy to SQL. Nothing when nothing changed."""
        has_no_copy = must_create
        if self.session_key is None:
            self._session_key = get_random_string(32, VALID_KEY_CHARS)
            self._is_fresh = has_no_copy = True
        data = dict(self._get_session(no_load=has_no_copy))  # type: ignore[attr-defined]
        session = self._session_with(data)
        changed, deleted = session.changes()
        is_new = self._is_fresh or must_create
        data_changed = is_new or bool(changed or deleted) or session.about_is_due
        if not data_changed and time.time() - session.seen < TOUCH_SECONDS:
            return

        kept, gone = self._write_redis(session)
        if is_new:
            self._insert(session, data, stale=not kept)
        else:
            self._update(session, data, kept=kept, gone=gone, data_changed=data_changed)
        self._in_redis = session if kept else None
        self._is_fresh = False

    def _session_with(self, data: dict[str, Any]) -> Session:
        """The library's session, holding ``data``."""
        assert self.session_key is not None
        session = self._in_redis
        if session is None and self._row is not None:  # loaded from SQL while Redis was away
            session = self._opened(self._row)
            session.restored(session.everything(), self._row.last_seen.timestamp())
        elif session is None:
            session = self.get_sessions().new(id=self.session_key)
            if self._origin is not None:
                session.created, session.ends = self._origin
        session.principal = self.principal_of(data)
        session.about = {"address": self.address, "agent": self.agent}
        for key in [key for key in session if key not in data]:
            del session[key]
        session.update(data)
        return session

    def _write_redis(self, session: Session) -> tuple[bool, bool]:
        """(Redis holds this session now, Redis has lost it)."""
        if self._redis_is_away:
            return False, False
        whole = self._in_redis is None
        try:
            self.get_sessions().save(session, replace=whole)
        except SessionGone:
            return False, True
        except redis.RedisError as error:
            self._away(error)
            return False, False
        return True, False

    def _insert(self, session: Session, data: dict[str, Any], *, stale: bool) -> None:
        created = datetime.fromtimestamp(session.created, UTC)
        ends = datetime.fromtimestamp(session.ends, UTC)
        fields = self._columns(session, data) | {"created": created, "ends": ends, "stale": stale}
        try:
            self.get_model_class()._default_manager.create(session_key=session.handle, **fields)
        except IntegrityError as error:
            raise CreateError from error
        except NO_SQL:
            self._forget_in_redis(session.principal, session.handle)
            raise

    def _update(
        self,
        session: Session,
        data: dict[str, Any],
        *,
        kept: bool,
        gone: bool,
        data_changed: bool,
    ) -> None:
        if not data_changed and time.monotonic() < SessionStore._touch_again_at:
            return
        fields = self._columns(session, data)
        if data_changed and not kept and not gone:  # what is gone cannot win later
            fields["stale"] = True
        rows = self.get_model_class()._default_manager.filter(pk=session.handle, revoked_at=None)
        try:
            with contextlib.nullcontext() if data_changed else _impatient(rows.db):
                found = rows.update(**fields)
        except NO_SQL as error:
            if data_changed and not kept:
                raise
            # Redis has it, or only the time of last seen is lost: no reason to fail a page.
            log.warning("the SQL copy of session %s was not written: %s", session.handle, error)
            SessionStore._touch_again_at = time.monotonic() + 5
            return
        if not found:
            self._forget_in_redis(session.principal, session.handle)
            if data_changed:
                raise UpdateError
            return  # only last seen was due, and the next request finds nobody
        if fields.get("stale"):
            self.get_watch().stale_here(session.handle)
        if gone:
            self._bring_back(session)

    def _bring_back(self, session: Session) -> None:
        # Redis was emptied between load and save, and SQL says that the session lives.
        try:
            self.get_sessions().save(session, replace=True)
        except redis.RedisError as error:
            self._away(error)

    def _columns(self, session: Session, data: dict[str, Any]) -> dict[str, Any]:
        now = timezone.now()
        ends = datetime.fromtimestamp(session.ends, UTC)
        idle = timedelta(seconds=self.get_sessions().idle + TOUCH_SECONDS)
        copy = pack([data, session.created, session.ends])
        sealed = self._sql_place(session.handle).seal(b"copy", copy)
        return {
            "session_data": base64.b64encode(sealed).decode(),
            "expire_date": min(ends, now + idle),
            "last_seen": now,
            "principal": session.principal,
            "address": self.address,
            "agent": self.agent,
            **self.row_fields(data),
        }

    # --- Ending ---------------------------------------------------------------------------

    def delete(self, session_key: str | None = None) -> None:
        """Revoke the session. A database that does not answer raises: sign-out must not lie."""
        key = session_key or self.session_key
        if key is None:
            return
        data = getattr(self, "_session_cache", {})
        self.revoke(self.principal_of(data), handle_of(key))

    @classmethod
    def revoke(cls, principal: str, *handles: str) -> int:
        """End these sessions everywhere, within the age of the other processes' snapshots.

        How many were alive. It works while Redis is away: the mark in SQL is what counts.
        """
        rows = cls.get_model_class()._default_manager.filter(pk__in=handles, revoked_at=None)
        ended = rows.update(revoked_at=timezone.now())
        cls.get_watch().revoked_here(*handles)
        cls._forget_in_redis(principal, *handles)
        return ended

    def exists(self, session_key: str) -> bool:
        rows = self.get_model_class()._default_manager
        return rows.filter(pk=handle_of(session_key)).exists()

    @classmethod
    def clear_expired(cls) -> None:
        """Django's name for ``remove_expired``; ``manage.py clearsessions`` calls it."""
        cls.remove_expired()

    @classmethod
    def remove_expired(cls) -> int:
        """Remove rows past their expiry, a thousand at a time; how many."""
        removed = 0
        rows = cls.get_model_class()._default_manager
        while True:
            expired = rows.filter(expire_date__lt=timezone.now()).values_list("pk", flat=True)
            batch = list(expired[:1000])
            if not batch:
                return removed
            removed += rows.filter(pk__in=batch).delete()[0]

    def is_empty(self) -> bool:
        """False while nobody can say: an answer must not take the cookie away."""
        return not self.unavailable and super().is_empty()

    # --- Helpers --------------------------------------------------------------------------

    @classmethod
    def _sql_place(cls, handle: str) -> Any:
        return cls.get_sessions().seal.place(b"sql:" + handle.encode())

    @classmethod
    def _forget_in_redis(cls, principal: str, *handles: str) -> None:
        try:
            cls.get_sessions().revoke(principal, *handles)
        except redis.RedisError as error:
            log.info("revoked in SQL, Redis will be told when it answers: %s", error)

    def _away(self, error: redis.RedisError) -> None:
        # Once away, it is not asked again for this request: one short wait is enough.
        self._redis_is_away = True
        log.info("session Redis is away, SQL answers: %s", error)


@contextlib.contextmanager
def _impatient(alias: str, milliseconds: int = 250) -> Iterator[None]:
    """A write that may be skipped does not queue behind SQLite's lock for seconds."""
    connection = connections[alias or router.db_for_write(SessionRecord)]
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (patience,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(patience)}")
