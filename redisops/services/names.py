"""The names of all services, looked at again and again: those that live, however many are named."""

from __future__ import annotations

from typing import Any

from redisops.fast import AsyncFast, Fast
from redisops.replies import text
from redisops.services.naming import SERVICES, is_service, vital_keys
from redisops.steps import Awaiting, Blocking, Steps, step

MOST = 10_000
"""Names of which one list is made."""
PAGE = 1_000


class _Names:
    """The services of one Redis, for who lists them every few seconds; ``most`` of them.

    ``look`` goes on where the last one ended, ``MOST`` names further. Up to ``most`` names are
    taken as they are; where ``svc:services`` has more (whoever may write there may name services
    without end), those of which Redis holds nothing are left out, and a service that begins to
    live is found within as many looks as there are ``MOST`` names. ``more``: more than ``most``
    live; who was listed first stays listed, and the others are left alone. ``is_whole``: all
    names were looked at once. Errors of connection and server pass through.
    """

    _fast: Any
    most: int
    is_whole = False
    _known: frozenset[str] = frozenset()
    _walked: frozenset[str] = frozenset()
    _cursor = "0"
    more = False

    @step
    def look(self) -> Steps[list[str]]:
        """Names in order. One round trip for each thousand that are looked at, two beyond most."""
        cursor, seen, is_over = self._cursor, 0, False
        found: set[str] = set()
        while not is_over and seen < MOST:
            at, page = yield self._fast.call("SSCAN", SERVICES, cursor, "COUNT", PAGE)
            cursor, seen = text(at), seen + len(page)
            found |= {name for name in map(text, page) if is_service(name)}
            is_over = cursor == "0"
        if not is_over or self._cursor != "0" or len(found) > self.most:
            found = yield from self._alive(found - self._walked)  # there is no room for others
        walked = self._walked | found
        listed = walked if is_over else self._known | walked
        self.more = len(listed) > self.most or (self.more and not is_over)
        self._walked = frozenset() if is_over else self._first(walked, self.most + 1)
        self._known = self._first(listed, self.most)
        self._cursor, self.is_whole = cursor, is_over or self.is_whole
        return sorted(self._known)

    def _first(self, several: frozenset[str], count: int) -> frozenset[str]:
        """So many of them: those that are listed already before those that are new."""
        if len(several) <= count:
            return several
        return frozenset(sorted(several, key=lambda name: (name not in self._known, name))[:count])

    def _alive(self, names: set[str]) -> Steps[set[str]]:
        """Of these, those of which Redis holds anything; refusals count as that."""
        alive: set[str] = set()
        ordered = sorted(names)
        for start in range(0, len(ordered), PAGE):
            part = ordered[start : start + PAGE]
            replies = yield self._fast.calls([whether_alive(name) for name in part])
            alive |= {name for name, there in zip(part, replies, strict=True) if there != 0}
        return alive


def whether_alive(service: str) -> tuple[bytes | str, ...]:
    """The command that asks whether Redis holds anything of a service: 0 for nothing."""
    return "EXISTS", *vital_keys(service)


class Names(_Names, Blocking):
    __doc__ = _Names.__doc__

    def __init__(self, client: Any, most: int | None = None) -> None:
        self.most = MOST if most is None else most
        self._fast = Fast.of(client)


class AsyncNames(_Names, Awaiting):
    __doc__ = _Names.__doc__

    def __init__(self, client: Any, most: int | None = None) -> None:
        self.most = MOST if most is None else most
        self._fast = AsyncFast.of(client)
