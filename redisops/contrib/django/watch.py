"""What SQL says about sessions that Redis must not be believed on, at most a second old."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError
from django.db.models import Q
from django.utils import timezone

from redisops.contrib.django.records import SessionRecord
from redisops.errors import RedisopsError

log = logging.getLogger(__name__)

NO_SQL = (DatabaseError, InterfaceError)


class SessionsUnavailable(RedisopsError):
    """Nobody can say who this is: SQL and Redis are both away. Answer 503, sign nobody out."""


@dataclass(frozen=True)
class Marks:
    """Handles of sessions that were revoked, and of those whose hash in Redis is out of date."""

    revoked: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()


@dataclass
class _Snapshot:
    marks: Marks = field(default_factory=Marks)
    read_at: float = float("-inf")
    asked_at: float = float("-inf")


class Watch:
    """A process's snapshot of the marked rows, read again when it is older than ``max_age``.

    One short indexed query a second and process, however many sessions and sockets there are.
    While SQL does not answer, the last snapshot is believed for ``trust`` seconds more; after
    that ``marks`` raises SessionsUnavailable, because a revocation could have been missed.
    """

    def __init__(
        self, model: type[SessionRecord], *, max_age: float = 1.0, trust: float = 60.0
    ) -> None:
        self.model = model
        self.max_age = max_age
        self.trust = trust
        self._snapshot = _Snapshot()
        self._own: dict[str, float] = {}
        self._own_stale: dict[str, float] = {}
        self._lock = threading.Lock()

    def marks(self) -> Marks:
        """The marked sessions as of at most ``max_age`` ago."""
        if not self.is_fresh:
            with self._lock:
                if not self.is_fresh:
                    self._read()
        if time.monotonic() - self._snapshot.read_at > self.trust:
            raise SessionsUnavailable(
                "the database has not answered for so long that a revocation could be missed"
            )
        return self._snapshot.marks

    @property
    def is_fresh(self) -> bool:
        """Whether ``marks`` answers without a query (a failed one is not repeated at once)."""
        return time.monotonic() - self._snapshot.asked_at < self.max_age

    def revoked_here(self, *handles: str) -> None:
        """This process revoked these: it need not wait for its own snapshot."""
        with self._lock:
            now = time.monotonic()
            self._own = {handle: at for handle, at in self._own.items() if now - at < 5}
            self._own.update(dict.fromkeys(handles, now))
            old = self._snapshot
            marks = Marks(old.marks.revoked | set(handles), old.marks.stale)
            self._snapshot = _Snapshot(marks, old.read_at, old.asked_at)

    def stale_here(self, handle: str) -> None:
        """This process could not give Redis its last save: it asks SQL from now on."""
        with self._lock:
            now = time.monotonic()
            self._own_stale = {one: at for one, at in self._own_stale.items() if now - at < 5}
            self._own_stale[handle] = now
            old = self._snapshot
            marks = Marks(old.marks.revoked, old.marks.stale | {handle})
            self._snapshot = _Snapshot(marks, old.read_at, old.asked_at)

    def expire(self) -> None:
        """Read again at the next question."""
        with self._lock:
            self._snapshot = _Snapshot(self._snapshot.marks, self._snapshot.read_at)

    def _read(self) -> None:
        began = time.monotonic()
        rows = self.model._default_manager.filter(expire_date__gt=timezone.now())
        marked = rows.filter(Q(revoked_at__isnull=False) | Q(stale=True))  # as the index says
        try:
            found = list(marked.values_list("session_key", "revoked_at"))
        except NO_SQL as error:
            log.warning("session marks could not be read: %s", error)
            # Asked again in a second: a page must not wait for a database that is away.
            old = self._snapshot
            self._snapshot = _Snapshot(old.marks, old.read_at, time.monotonic())
            return
        revoked = {handle for handle, revoked_at in found if revoked_at is not None}
        stale = {handle for handle, revoked_at in found if revoked_at is None}
        # What we committed while the query ran is not in its answer.
        revoked |= {handle for handle, at in self._own.items() if began - at < 2}
        stale |= {handle for handle, at in self._own_stale.items() if at > began}
        self._snapshot = _Snapshot(Marks(frozenset(revoked), frozenset(stale)), began, began)
