"""Which sessions a server has, without walking all of it for a page.

A look is at most ``SCANS`` calls of SCAN or about a second, and goes on where the one before
stopped; home remembers up to ``MOST`` names for a day. Pages look by themselves while what is
known is older than ``FRESH`` seconds and one look walks through everything; beat looks on for a
week after somebody last opened the page, so that there is something to plot.
"""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from dashboard.servers.models import HOME, Server
from dashboard.servers.secrets import SecretUnreadable
from redisops.errors import InvalidArgument, RedisopsError
from redisops.sessions import Seal, SessionBrowser
from redisops.sessions.layouts import Named, named

log = structlog.get_logger(__name__)

SCANS = 20
MOST = 5_000
KEPT = 8 * 24 * 3600
FRESH = 10.0
FOLLOWED = 7 * 24 * 3600.0
HOME_TROUBLE = (RedisError, RedisopsError, OSError)


@dataclass(frozen=True)
class Known:
    """What is known of a server's sessions, and how.

    ``counts`` and ``endless``: by layout, of the last whole walk, or of the one under way until
    there was one. ``looked`` of ``total`` keys were looked at by the walk under way, or by the
    last one. ``opened``: when somebody last opened the page. Names are remembered up to ``MOST``.
    """

    names: tuple[bytes, ...] = ()
    endless_names: frozenset[bytes] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
    endless: dict[str, int] = field(default_factory=dict)
    looked: int = 0
    total: int = 0
    at: float = 0.0
    opened: float = 0.0
    is_complete: bool = False
    cursor: str | None = None
    round: dict[str, Any] = field(default_factory=dict)

    @property
    def may_look_on(self) -> bool:
        return self.cursor is not None

    @property
    def sum(self) -> int:
        return sum(self.counts.values())

    @property
    def endless_sum(self) -> int:
        return sum(self.endless.values())

    @property
    def is_full(self) -> bool:
        return self.sum > len(self.names)

    @property
    def found(self) -> list[Named]:
        return [one for one in map(named, self.names) if one]


def browser(server: Server) -> SessionBrowser:
    """The library on this server, with the keys that the console was given for it."""
    return SessionBrowser(server.client(), opening(server).seal)


@dataclass(frozen=True)
class Opening:
    """What opens a server's sealed sessions: its own keys, else those of SESSION_KEYS, else none.

    ``trouble``: why its own cannot be used; then nothing is opened by others' keys in their place.
    """

    seal: Seal | None
    is_own: bool = False
    trouble: str = ""


def opening(server: Server) -> Opening:
    """The keys that hold for this server."""
    if server.has_secret("session_keys"):
        try:
            return Opening(Seal((server.secret("session_keys") or "").split(",")), is_own=True)
        except (SecretUnreadable, InvalidArgument) as error:
            return Opening(None, is_own=True, trouble=str(error))
    keys = settings.SESSION_KEYS
    return Opening(Seal(keys) if keys else None)


def known(server: Server, *, look_on: bool = False) -> Known:
    """For a page: what is remembered, after one more look where one is due.

    One or two commands on home. Raises what the server raises when nothing is known.
    """
    before = recall(server)
    was = before or Known()
    now = time.time()
    small = was.is_complete and was.total <= SCANS * 1000 // 2
    due = before is None or not was.at or look_on or (small and not 0 <= now - was.at < FRESH)
    if not due:
        if now - was.opened > 3600:
            _remember(server, replace(was, opened=now))
        return was
    try:
        seen = look(server, was)
    except HOME_TROUBLE:
        if not was.at or look_on:
            raise
        return was
    seen = replace(seen, opened=now)
    _remember(server, seen)
    return seen


def look(server: Server, was: Known) -> Known:
    """What is known after one more part of the walk, which begins anew after a whole one."""
    library = browser(server)
    round_, cursor = (was.round, was.cursor) if was.cursor else ({}, None)
    try:
        part = library.find(cursor, SCANS)
    except InvalidArgument:  # a cursor of another version of the library
        round_, part = {}, library.find(None, SCANS)
    counts, endless = Counter(round_.get("counts", {})), Counter(round_.get("endless", {}))
    own = [one for one in part.found if not server.protects(one.name)]
    counts.update(one.kind for one in own)
    endless.update(one.kind for one in own if one.name in part.endless)
    if len(own) < len(part.found):
        counts["console"] += len(part.found) - len(own)
    fresh = {one.name for one in part.found}
    sofar = {*map(_bytes, round_.get("names", ())), *fresh}
    open_ended = {*map(_bytes, round_.get("open", ())), *(part.endless & fresh)}
    is_done = part.cursor is None
    names = sofar if is_done else {*was.names, *sofar}
    # Those without an expiry first: they are what people look for, and they stay.
    order = sorted(names, key=lambda name: (name not in open_ended, name))[:MOST]
    whole = is_done or not was.is_complete
    return replace(
        was, names=tuple(order),
        endless_names=frozenset(order) & (open_ended | (was.endless_names - fresh)),
        counts=dict(counts) if whole else was.counts,
        endless=dict(endless) if whole else was.endless,
        looked=part.scanned, total=part.total, at=time.time(),
        is_complete=is_done or was.is_complete, cursor=part.cursor,
        round={} if is_done else {
            "counts": dict(counts), "endless": dict(endless),
            "names": [_text(name) for name in sorted(sofar)[:MOST]],
            "open": [_text(name) for name in sorted(open_ended)[:MOST]],
        },
    )  # fmt: skip


def strike(server: Server, gone: set[bytes]) -> None:
    """Forget names that are gone. Two commands on home."""
    was = recall(server) if gone else None
    if was is not None:
        lost = [one for one in was.found if one.name in gone]
        names = tuple(name for name in was.names if name not in gone)
        endless = [one for one in lost if one.name in was.endless_names]
        _remember(server, replace(
            was, names=names, endless_names=was.endless_names - gone,
            counts=_without(was.counts, lost), endless=_without(was.endless, endless),
        ))  # fmt: skip


def _without(counts: dict[str, int], lost: list[Named]) -> dict[str, int]:
    fewer = Counter[str](one.kind for one in lost)
    return {kind: max(many - fewer[kind], 0) for kind, many in counts.items()}


def keep(server: Server, seen: Known) -> None:
    """Remember what beat saw."""
    _remember(server, seen)


# --- Remembering --------------------------------------------------------------------------


def home() -> Any:
    return Server(slug=HOME, name="Home").client()


def _place(server: Server) -> str:
    return f"{settings.HOME_PREFIX}found:sess:{server.pk}:{server.digest[:16]}"


def recall(server: Server) -> Known | None:
    """What is remembered; None when nothing is, or home is away. One command on home."""
    try:
        text = home().get(_place(server))
    except HOME_TROUBLE as error:
        log.info("found sessions are not remembered", error=repr(error))
        return None
    if not text:
        return None
    kept = json.loads(text)
    names, open_ended = (tuple(map(_bytes, kept.pop(name))) for name in ("names", "open"))
    return Known(names=names, endless_names=frozenset(open_ended), **kept)


def _remember(server: Server, seen: Known) -> None:
    kept = {
        "names": [_text(name) for name in seen.names],
        "open": [_text(name) for name in seen.endless_names],
        "counts": seen.counts, "endless": seen.endless, "looked": seen.looked,
        "total": seen.total, "at": seen.at, "opened": seen.opened,
        "is_complete": seen.is_complete, "cursor": seen.cursor, "round": seen.round,
    }  # fmt: skip
    try:
        home().set(_place(server), json.dumps(kept, separators=(",", ":")), ex=KEPT)
    except HOME_TROUBLE as error:
        log.info("found sessions are not remembered", error=repr(error))


def _text(name: bytes) -> str:
    return base64.b64encode(name).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
