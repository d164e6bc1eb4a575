"""Which keys of one type a server has, without walking all of it for a page.

    seen = found(server, "stream")                  # a page: mostly one read from home
    seen = found(server, "stream", look_on=True)    # "Look on": the next part of the walk

A look is at most ``SCANS`` calls of SCAN ... TYPE or about a second, and goes on where the one
before stopped. Home remembers up to ``MOST`` names for ``KEPT`` seconds; while it is away each
page begins its own walk. A server so small that one look walks through all of it is walked
anew as soon as what is known is older than ``FRESH`` seconds, so new keys appear by themselves;
of a larger one people ask to look on, or again. A count of the keys tells those it measured
(``learn``). The console's own keys are never among them, nor the sorted sets that the library
keeps beside sessions, services and cached values: nobody looks for those as boards.

Names are bytes in the order of their bytes. A key may be gone by now, or be of another type:
whoever reads them sees it, and may call ``strike``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from dashboard.servers import beside
from dashboard.servers.models import HOME, Server
from redisops.errors import InvalidArgument, RedisopsError
from redisops.keyspace import Keyspace

log = structlog.get_logger(__name__)

Kind = Literal["stream", "zset"]

SCANS = 20
MOST = 2_000
LONGEST = 512 * 1024  # bytes of all remembered names together
KEPT = 24 * 3600
FRESH = 10.0
HOME_TROUBLE = (RedisError, RedisopsError, OSError)


@dataclass(frozen=True)
class Found:
    """The names that are known, and how they came to be known.

    ``looked`` of ``total`` keys were looked at by the walk under way, or by the last one when
    that is complete. ``at`` is when the last look was (seconds since 1970). ``is_complete``: a
    walk has been through every key. ``is_full``: there are more than are remembered.
    ``is_remembered`` is False when home could not keep this.
    """

    names: tuple[bytes, ...] = ()
    looked: int = 0
    total: int = 0
    at: float = 0.0
    is_complete: bool = False
    is_full: bool = False
    is_remembered: bool = True
    cursor: str | None = None
    round: tuple[bytes, ...] = ()

    @property
    def may_look_on(self) -> bool:
        """Whether a walk is under way, so that "Look on" finds more; else it looks again."""
        return self.cursor is not None and not self.is_full


def found(server: Server, kind: Kind, *, look_on: bool = False) -> Found:
    """The keys of that type as far as they are known; looks itself as the module says.

    One command on home; a look adds at most ``SCANS`` calls on the server and one write on home.
    Raises what the server raises when it does not answer or refuses SCAN and nothing is known.
    """
    known, is_remembered = _recall(server, kind)
    if not look_on and known is not None and known.at and not _is_stale(known):
        return known
    try:
        seen = _look(server, kind, known or Found())
    except HOME_TROUBLE:
        if known is None or look_on:
            raise
        return known
    is_remembered = _remember(server, kind, seen) and is_remembered
    return replace(seen, is_remembered=is_remembered)


def remembered(server: Server, kind: Kind) -> tuple[bytes, ...]:
    """The names that are known by now, and no look. One command on home; () while it is away."""
    known, _ = _recall(server, kind)
    return known.names if known is not None else ()


def strike(server: Server, kind: Kind, gone: Iterable[bytes]) -> None:
    """Forget names that turned out to be gone or of another type. Two commands on home."""
    lost = set(gone)
    known, _ = _recall(server, kind) if lost else (None, True)
    if known is not None:
        names = tuple(name for name in known.names if name not in lost)
        rest = tuple(name for name in known.round if name not in lost)
        _remember(server, kind, replace(known, names=names, round=rest))


def add(server: Server, kind: Kind, name: bytes) -> None:
    """Remember one key that somebody has just made or opened. Two commands on home."""
    known, _ = _recall(server, kind)
    if known is None or name in known.names or not _is_shown(server, kind, name):
        return
    _remember(server, kind, _bounded(replace(known, names=_merged(known.names, [name]))))


def learn(server: Server, kind: Kind, names: Iterable[bytes]) -> None:
    """Remember names that something else came by; the next page looks all the same.

    So the large ones of a large server are there before anybody has looked through all of it.
    Two commands on home, none without names.
    """
    fresh = [name for name in names if _is_shown(server, kind, name)]
    if not fresh:
        return
    known, _ = _recall(server, kind)
    known = known or Found()
    _remember(server, kind, _bounded(replace(known, names=_merged(known.names, fresh))))


def _is_shown(server: Server, kind: Kind, name: bytes) -> bool:
    return not server.protects(name) and not (kind == "zset" and beside.is_librarys(name))


# --- Looking ------------------------------------------------------------------------------


def _is_stale(known: Found) -> bool:
    """Whether a page looks again by itself: only where one look walks through everything."""
    is_small = known.is_complete and known.total <= SCANS * 1000 // 2
    return is_small and not 0 <= time.time() - known.at < FRESH


def _look(server: Server, kind: Kind, known: Found) -> Found:
    """What is known after one more look, which begins anew after a walk that is complete."""
    keyspace = Keyspace(server.client())
    try:
        page = keyspace.names(type=kind, cursor=known.cursor, max_scans=SCANS)
    except InvalidArgument:  # a cursor of another version of this library
        page = keyspace.names(type=kind, cursor=None, max_scans=SCANS)
        known = replace(known, round=())
    fresh = [name for name in page.names if _is_shown(server, kind, name)]
    seen = _merged(known.round if known.cursor is not None else (), fresh)
    is_done = page.cursor is None
    # A walk that is through knows what is gone; until then what was known stays.
    names = seen if is_done else _merged(known.names, seen)
    return _bounded(
        Found(
            names, page.scanned, page.total, time.time(), is_done or known.is_complete,
            cursor=page.cursor, round=() if is_done else seen,
        )
    )  # fmt: skip


def _merged(known: Iterable[bytes], fresh: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted({*known, *fresh}))


def _bounded(seen: Found) -> Found:
    """No more than home should keep; a walk whose names do not fit ends there."""
    names, room = [], LONGEST
    for name in seen.names[:MOST]:
        room -= len(name)
        if room < 0:
            break
        names.append(name)
    if len(names) == len(seen.names):
        return seen
    return replace(seen, names=tuple(names), is_full=True, cursor=None, round=())


# --- Remembering --------------------------------------------------------------------------


def _place(server: Server, kind: str) -> str:
    """The key on home: another address of the row is another server with other keys."""
    which = hashlib.sha256(f"{server.slug} {server.digest}".encode()).hexdigest()[:24]
    return f"{settings.HOME_PREFIX}found:{kind}:{which}"


def _recall(server: Server, kind: str) -> tuple[Found | None, bool]:
    """What is remembered, and whether home answered."""
    try:
        text = Server(slug=HOME, name="Home").client().get(_place(server, kind))
    except HOME_TROUBLE as error:
        log.info("found keys are not remembered", error=repr(error))
        return None, False
    if not text:
        return None, True
    kept: dict[str, Any] = json.loads(text)
    return Found(
        _names(kept["names"]), kept["looked"], kept["total"], kept["at"], kept["complete"],
        kept["full"], cursor=kept["cursor"], round=_names(kept["round"]),
    ), True  # fmt: skip


def _remember(server: Server, kind: str, seen: Found) -> bool:
    kept = {
        "names": _texts(seen.names), "looked": seen.looked, "total": seen.total, "at": seen.at,
        "complete": seen.is_complete, "full": seen.is_full, "cursor": seen.cursor,
        "round": _texts(seen.round),
    }  # fmt: skip
    try:
        client = Server(slug=HOME, name="Home").client()
        client.set(_place(server, kind), json.dumps(kept, separators=(",", ":")), ex=KEPT)
    except HOME_TROUBLE as error:
        log.info("found keys are not remembered", error=repr(error))
        return False
    return True


def _texts(names: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(name).decode() for name in names]


def _names(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(text) for text in texts)
