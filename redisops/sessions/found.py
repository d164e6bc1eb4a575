"""What a browser finds: a part of a walk through the keys, and one session of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from redisops.sessions.foreign import Content
from redisops.sessions.layouts import Named


@dataclass(frozen=True)
class Part:
    """Some keys that are named as sessions, and where the walk goes on; see ``keyspace.Names``.

    ``endless``: the names of those of them that have no expiry.
    """

    found: list[Named]
    endless: frozenset[bytes]
    cursor: str | None
    scanned: int
    total: int


@dataclass(frozen=True)
class Row:
    """One session. ``left``: seconds until it expires, None when it never does.

    ``kind`` is the layout by what it holds, which may differ from what its name says.
    """

    named: Named
    kind: str
    left: float | None
    size: int
    content: Content = field(default_factory=Content)

    @property
    def name(self) -> bytes:
        return self.named.name
