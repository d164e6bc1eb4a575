"""When sessions end, and how: each is announced once on a stream.

Written only by ``Sessions(..., events=True)``. Keys, both in one slot:
``<prefix>session-ends:{all}``, a sorted set of "<handle>:<principal>" by expiry, and
``<prefix>session-events:{all}``, a stream of at most about 10,000 entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

How = Literal["signed out", "revoked", "displaced", "expired"]
KEPT = 10_000


@dataclass(frozen=True)
class SessionEnd:
    """One session that ended. ``id``: of the entry, to go on after. ``at``: seconds since 1970.

    ``how``: "signed out" (``delete``), "revoked", "displaced" (a newer one of the same principal
    took its place), "expired" (told by ``sweep``, so up to its interval and a minute late).
    """

    id: str
    how: str
    handle: str
    principal: str
    at: float

    @classmethod
    def of(cls, id: bytes, fields: Mapping[bytes, bytes]) -> SessionEnd:
        """Of an entry of the stream, whoever wrote it: what is missing is empty."""
        text = {
            name: fields.get(name.encode(), b"").decode("utf-8", "replace")
            for name in ("how", "handle", "principal", "at")
        }
        at = float(text["at"]) / 1000 if text["at"].isdecimal() else 0.0
        return cls(id.decode(), text["how"], text["handle"], text["principal"], at)


class Ends:
    """The two keys, and the calls that write them."""

    def __init__(self, prefix: str) -> None:
        self.live = f"{prefix}session-ends:{{all}}".encode()
        self.stream = f"{prefix}session-events:{{all}}".encode()

    def member(self, handle: str, principal: str) -> bytes:
        return f"{handle}:{principal}".encode()

    def told(self, how: How, now: float, *members: bytes) -> tuple[Any, ...]:
        """The call that announces these, those of them that were not announced yet."""
        return ("session_ended", [self.live, self.stream],
                [how, int(now * 1000), KEPT, len(members), "", *members])  # fmt: skip

    def overdue(self, before: float, now: float, most: int) -> tuple[Any, ...]:
        """The call that announces what expired before that time, at most so many."""
        return ("session_ended", [self.live, self.stream],
                ["expired", int(now * 1000), KEPT, most, int(before * 1000)])  # fmt: skip
