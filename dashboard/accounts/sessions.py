"""The console's session engine: who is signed in, and since when they are not."""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.utils import timezone

from redisops.connection import Timeouts, connect
from redisops.contrib.django import sessions as engine
from redisops.contrib.django.watch import NO_SQL, SessionsUnavailable, Watch
from redisops.resilience import CircuitBreaker
from redisops.sessions import Seal, Sessions, handle_of

if TYPE_CHECKING:
    from dashboard.accounts.models import Session, User

__all__ = ["SessionStore", "SessionsUnavailable", "is_live", "is_live_async", "revoke_all"]

PREFIX = f"{settings.HOME_PREFIX}"
# A page that finds home away loses this long once, and nothing after the breaker opened.
TIMEOUTS = Timeouts(connect=0.25, read=0.25, deadline=0.4)


class SessionStore(engine.SessionStore):
    """Sessions in home Redis with their copy in ``accounts.Session``."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        from dashboard.accounts.models import Session

        return Session

    @classmethod
    def get_sessions(cls) -> Sessions:
        return _sessions(os.getpid(), settings.REDIS_URL)

    @classmethod
    def get_watch(cls) -> Watch:
        return _watch(os.getpid())

    def row_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"user_id": data.get(SESSION_KEY)}


@functools.lru_cache(maxsize=2)
def _sessions(pid: int, url: str) -> Sessions:
    """One client and one breaker per process; ``pid`` because a fork must not share sockets."""
    client = connect(
        url,
        name="redisops-sessions",
        timeouts=TIMEOUTS,
        breaker=CircuitBreaker("sessions", failures=2, probe_every=1.0),
    )
    return Sessions(
        client,
        Seal(settings.ENCRYPTION_KEYS),
        prefix=PREFIX,
        idle=settings.SESSION_COOKIE_AGE,
        absolute=max(settings.SESSION_ABSOLUTE_AGE, settings.SESSION_COOKIE_AGE),
    )


@functools.lru_cache(maxsize=1)
def _watch(pid: int) -> Watch:
    return Watch(SessionStore.get_model_class())


def revoke_all(user: User, *, keep: str | None = None) -> int:
    """End every session of a person, but that of the session key ``keep``; how many."""
    rows = user.sessions.filter(revoked_at=None)
    if keep:
        rows = rows.exclude(pk=handle_of(keep))
    handles = list(rows.values_list("pk", flat=True))
    return SessionStore.revoke(str(user.pk), *handles) if handles else 0


# --- For sockets: is the session that opened this socket still good? ------------------------

_EXPIRY_IS_GOOD_FOR = 30.0
_expiries: dict[str, tuple[float, float]] = {}


def is_live(session_key: str | None) -> bool:
    """Whether a session is neither revoked nor expired. False when nobody can say.

    Revocation is known within a second. Costs no query while the process's snapshot is
    fresh; the session's expiry is read again after 30 s.
    """
    if not session_key:
        return False
    handle = handle_of(session_key)
    try:
        if handle in SessionStore.get_watch().marks().revoked:
            _expiries.pop(handle, None)
            return False
        return _expiry(handle) > time.time()
    except SessionsUnavailable:
        return False


async def is_live_async(session_key: str | None) -> bool:
    """``is_live`` for consumers; a thread is used only when SQL has to be asked."""
    if not session_key:
        return False
    known = _expiries.get(handle_of(session_key))
    if SessionStore.get_watch().is_fresh and known and _is_recent(known):
        return is_live(session_key)
    ask = database_sync_to_async(is_live, thread_sensitive=False)
    return bool(await ask(session_key))


def _is_recent(known: tuple[float, float]) -> bool:
    return time.monotonic() - known[1] < _EXPIRY_IS_GOOD_FOR


def _expiry(handle: str) -> float:
    known = _expiries.get(handle)
    if known and _is_recent(known):
        return known[0]
    rows = SessionStore.get_model_class().objects.filter(
        pk=handle, revoked_at=None, expire_date__gt=timezone.now(), user__is_active=True
    )
    try:
        expires = rows.values_list("expire_date", flat=True).first()
    except NO_SQL:
        if known is None:
            raise SessionsUnavailable("the database does not say when the session ends") from None
        return known[0]
    if len(_expiries) > 10_000:
        _expiries.clear()
    if expires is None:
        _expiries.pop(handle, None)
        return 0.0
    _expiries[handle] = (expires.timestamp(), time.monotonic())
    return expires.timestamp()
