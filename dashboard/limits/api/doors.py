"""The doors that this process keeps: for each server its policies, a guard and a recorder.

A door is made when a server is first asked about, again when the way to the server changes, and
shut when nobody used it for ten minutes, or asks after console work was stopped there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.limits.policies import protected
from dashboard.servers.models import HOME, Server
from redisops.limits import Limiter
from redisops.limits.book import Book
from redisops.limits.deciding import TAG
from redisops.limits.document import Document
from redisops.limits.guard import Guard
from redisops.limits.matching import Asked, Matched, Matcher
from redisops.limits.recorder import Recorder
from redisops.steps import Steps

DEFAULTS = Document(0, protected.defaults())
UNUSED_SECONDS = 600.0
FIRST_SECONDS = 0.5  # a new door waits so long for the published policies, then goes by defaults


class DoorsBook(Book):
    """The book of a door, which looks after the doors: nobody else may come by any more."""

    def _look(self) -> Steps[bool]:
        with _lock:
            _shut_unused(time.monotonic())
        return (yield from super()._look())


class OwnBook(DoorsBook):
    """The book of the console's own door: what protects the console is in it, whatever else is.

    Policies that are missing in the published document, or weaker than may be, are those that
    the console was seeded with.
    """

    _of: Document | None = None
    _matcher: Matcher

    def match(self, asked: Asked) -> tuple[Matched, ...]:
        """The protected policies that the request falls under. No I/O."""
        return self._sound().match(asked)

    def _sound(self) -> Matcher:
        document = self.document
        if document is not self._of:
            self._matcher = Matcher(protected.safe(document).policies, protected.SERVICE)
            self._of = document
        return self._matcher


@dataclass
class Door:
    """One server's policies as they are enforced here."""

    digest: str
    client: Any
    book: Book
    recorder: Recorder
    guard: Guard
    used: float
    hesitates_until: float  # whoever comes before waits for the published policies

    @property
    def limiter(self) -> Limiter:
        """For what a guard does not do: looking, and forgetting a subject."""
        tag = TAG if self.client.topology == "cluster" else ""
        return Limiter(self.client, tag=self.book.document.tag or tag)

    def close(self) -> None:
        """Stop its threads; what was counted and not yet sent is sent."""
        self.book.close()
        self.recorder.close()


_doors: dict[str, Door] = {}
_lock = threading.RLock()
Make = Callable[[Any], Book]


def of(server: Server) -> Door:
    """The door of ``server``, for any service; raises ``WorkStopped``, ``SecretUnreadable``."""
    return _door(server.slug, server, lambda client: DoorsBook(client, "*"))


def own() -> Door:
    """The console's own door, on home; no query. It is there while Redis is away, too."""
    home = Server(slug=HOME)
    return _door("", home, lambda client: OwnBook(client, protected.SERVICE, DEFAULTS))


def forget_all() -> None:
    """Shut every door of this process; the next use makes new ones."""
    with _lock:
        for name in list(_doors):
            _shut(name)


def _door(name: str, server: Server, make: Make) -> Door:
    with _lock:
        try:
            client = server.client()
        except Exception:
            _shut(name)  # stopped, or not to be reached any more: nothing here goes on asking it
            raise
        now, digest = time.monotonic(), server.digest
        door = _doors.get(name)
        if door is None or door.digest != digest or door.client is not client:
            _shut(name)
            # Waited for outside of the lock, which other servers' doors need, too.
            door = _doors[name] = _made(digest, client, make(client), now)
        door.used = now
        _shut_unused(now)
    still = door.hesitates_until - now
    if still > 0:
        door.book.wait(still)
    return door


def _made(digest: str, client: Any, book: Book, now: float) -> Door:
    recorder = Recorder(client)
    guard = Guard(client, book, recorder)
    return Door(digest, client, book, recorder, guard, now, now + FIRST_SECONDS)


def _shut_unused(now: float) -> None:
    for unused in [one for one, kept in _doors.items() if now - kept.used > UNUSED_SECONDS]:
        _shut(unused)


def _shut(name: str) -> None:
    door = _doors.pop(name, None)
    if door is not None:  # aside: its last words may wait for a Redis that does not answer
        threading.Thread(target=door.close, name="shut a door", daemon=True).start()


def _after_fork() -> None:
    """A child has none of its parent's threads."""
    global _lock
    _lock = threading.RLock()
    _doors.clear()


os.register_at_fork(after_in_child=_after_fork)
