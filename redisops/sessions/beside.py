"""What else goes when a session of any layout is ended: indexes, markers, and who is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redisops.sessions.ends import Ends
from redisops.sessions.found import Row
from redisops.sessions.layouts import Named


def announced(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """The calls that tell of these ends; each does nothing where nobody asked to be told."""
    by_place: dict[str, list[bytes]] = {}
    for row in rows:
        if row.kind == "redisops" and row.content.who:
            member = f"{row.named.id}:{row.content.who}".encode()
            by_place.setdefault(row.named.before.decode("utf-8", "replace"), []).append(member)
    now = time.time()
    return [Ends(before).told("revoked", now, *told) for before, told in by_place.items()]


def beside(row: Row) -> list[tuple[Any, ...]]:
    """What else goes with a session: its place in the index of its person, Spring's expiry."""
    one, calls = row.named, list[tuple[Any, ...]]()
    if one.kind == "spring":
        calls.append(("UNLINK", b"%bsessions:expires:%b" % (one.before, one.id.encode())))
    index = one.index_of(row.content.who) if row.content.who else None
    if index is not None:
        calls.append(("ZREM" if one.kind == "redisops" else "SREM", index, *_ids(one)))
    return calls


def _ids(one: Named) -> list[bytes]:
    """How an index may hold an id: as it is, and as Java writes it."""
    id = one.id.encode()
    if one.kind == "redisops":
        return [id]
    return [id, b"\xac\xed\x00\x05t" + len(id).to_bytes(2, "big") + id]
