"""Which counters of unique members a server has, found by bounded walks and remembered on home.

A look is at most ``SCANS`` calls of SCAN for strings, and the first four bytes of some of them:
of keys whose names differ in a date alone a few stand for all, of names without a date at most
``SINGLE`` are looked into each time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.conf import settings

from dashboard.servers.finding import HOME_TROUBLE
from dashboard.servers.models import HOME, Server
from redisops.errors import InvalidArgument
from redisops.keyspace import Keyspace
from redisops.uniques import Counters, series_of
from redisops.windows import Window

log = structlog.get_logger(__name__)

SCANS = 20
SINGLE, DATED, SAMPLES = 400, 200, 3
MOST = 300
LONGEST = 1_000
"""Bytes of a name that is remembered."""
KEPT = 24 * 3600


@dataclass(frozen=True)
class Counter:
    """One counter by its pattern; of several windows the first and last label and how many."""

    pattern: bytes
    kind: str = "all"
    first: str = ""
    last: str = ""
    count: int = 1


@dataclass(frozen=True)
class Known:
    """What the walks have found; ``looked`` of ``total`` keys were looked at by the last one."""

    counters: tuple[Counter, ...] = ()
    looked: int = 0
    total: int = 0
    at: float = 0.0
    cursor: str | None = None
    is_complete: bool = False
    is_full: bool = False
    passed: int = field(default=0)
    """Names that one look had no time for."""


def known(server: Server, *, look_on: bool = False) -> Known:
    """The counters as far as they are known; looks itself the first time, or when asked to."""
    seen = _recall(server)
    if seen is not None and not look_on:
        return seen
    seen = _look(server, seen or Known())
    _remember(server, seen)
    return seen


def remembered(server: Server, pattern: bytes) -> Counter | None:
    """What the last looks met of one counter; None when they met none. The server is not asked."""
    seen = _recall(server)
    return next((one for one in seen.counters if one.pattern == pattern), None) if seen else None


def _look(server: Server, before: Known) -> Known:
    client = server.client()
    keyspace = Keyspace(client)
    try:
        page = keyspace.names(type="string", cursor=before.cursor, max_scans=SCANS)
    except InvalidArgument:  # a cursor of another version of this library
        before = Known()
        page = keyspace.names(type="string", cursor=None, max_scans=SCANS)
    named: dict[bytes, list[tuple[Window, bytes]]] = {}
    single: list[bytes] = []
    for name in page.names:
        if server.protects(name) or len(name) > LONGEST:
            continue
        series, window = series_of(name)
        if window is None:
            single.append(name)
        else:
            named.setdefault(series.pattern, []).append((window, name))
    dated = list(named.items())[:DATED]
    asked = [name for _, windows in dated for _, name in windows[:SAMPLES]] + single[:SINGLE]
    counters = Counters(client).which(asked) if asked else set()
    found = {one.pattern: one for one in before.counters}
    for pattern, windows in dated:
        if any(name in counters for _, name in windows[:SAMPLES]):
            found[pattern] = _joined(found.get(pattern), pattern, [one for one, _ in windows])
    found |= {name: Counter(name) for name in single if name in counters}
    kept = sorted(found.values(), key=lambda one: (one.kind == "all", one.pattern))
    passed = max(len(named) - DATED, 0) + max(len(single) - SINGLE, 0)
    return Known(
        tuple(kept[:MOST]), page.scanned, page.total, time.time(), page.cursor,
        page.cursor is None or before.is_complete, len(kept) > MOST,
        passed + (before.passed if before.cursor else 0),
    )  # fmt: skip


def _joined(known: Counter | None, pattern: bytes, windows: list[Window]) -> Counter:
    """A series with the windows that this look met; a window may be met in two looks."""
    labels = sorted(window.label for window in windows)
    first, last, count = labels[0], labels[-1], len(labels)
    if known is not None:
        first, last = min(first, known.first), max(last, known.last)
        count = max(count, known.count)
    return Counter(pattern, windows[0].kind, first, last, count)


def _place(server: Server) -> str:
    which = hashlib.sha256(f"{server.slug} {server.digest}".encode()).hexdigest()[:24]
    return f"{settings.HOME_PREFIX}uniques:{which}"


def _recall(server: Server) -> Known | None:
    try:
        text = Server(slug=HOME, name="Home").client().get(_place(server))
    except HOME_TROUBLE as error:
        log.info("found counters are not remembered", error=repr(error))
        return None
    if not text:
        return None
    kept: dict[str, Any] = json.loads(text)
    counters = [Counter(base64.b64decode(one[0]), *one[1:]) for one in kept.pop("counters")]
    return replace(Known(**kept), counters=tuple(counters))


def _remember(server: Server, seen: Known) -> None:
    kept = {
        **seen.__dict__,
        "counters": [
            [base64.b64encode(one.pattern).decode(), one.kind, one.first, one.last, one.count]
            for one in seen.counters
        ],
    }
    try:
        client = Server(slug=HOME, name="Home").client()
        client.set(_place(server), json.dumps(kept, separators=(",", ":")), ex=KEPT)
    except HOME_TROUBLE as error:
        log.info("found counters are not remembered", error=repr(error))
