"""What a Discovery tells of itself every few seconds, in a round trip that it makes anyway."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import logging
import os
import random
import secrets
import socket
import time
import tomllib
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from redis.exceptions import NoPermissionError

from redisops.fast.sources import Script
from redisops.services.local import Local
from redisops.services.naming import keys_of
from redisops.services.readers import EVERY, WINDOW, Saw, Told, leaving

log = logging.getLogger("redisops.services")

UNNAMED = ("", "redisops")
"""Names of clients that say nothing of whose they are."""
AGAIN_AFTER = 60.0
"""Seconds after which is tried again what was refused."""
Counts = dict[tuple[str, int], tuple[int, int, float]]
"""By instance and fence: calls that ended, how many failed, until when it gets none (monotonic)."""


class Counting(Protocol):
    """What is known of a Balancer here."""

    picks: int

    def counted(self) -> Counts:
        """What it counted since it was made."""


class _Service:
    """One service that is told of: when the next time, and what was counted at the last ones."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.due = begun
        self.balancers: tuple[weakref.ref[Counting], ...] = ()
        self.past: deque[tuple[float, int, Counts]] = deque([(begun, 0, {})])

    def counted(self, now: float) -> tuple[int, float, list[tuple[str, Saw]]]:
        """Picks, seconds, and what was seen of instances within them: about a minute."""
        picks, counts = 0, Counts()
        for balancer in filter(None, (known() for known in self.balancers)):
            picks += balancer.picks
            for who, (calls, failed, until) in balancer.counted().items():
                before = counts.get(who, (0, 0, 0.0))
                counts[who] = before[0] + calls, before[1] + failed, max(before[2], until)
        while len(self.past) > 1 and now - self.past[0][0] > WINDOW:
            self.past.popleft()
        at, picked, then = self.past[0]
        self.past.append((now, picks, counts))
        seen = []
        for (id, fence), (calls, failed, until) in counts.items():
            was = then.get((id, fence), (0, 0, 0.0))
            some, bad, rest = max(0, calls - was[0]), max(0, failed - was[1]), max(0.0, until - now)
            if some or rest:
                seen.append((id, Saw(some, min(bad, some), min(rest, 86_400.0))))
        return max(0, picks - picked), min(max(0.0, now - at), 86_400.0), seen


class Telling:
    """Of one Discovery. ``is_on``: whether it tells at all; ``refused``: why Redis does not keep
    it, "" while it does (or was not asked yet)."""

    def __init__(self, name: str, *, is_on: bool) -> None:
        self.name, self.is_on = name, is_on
        self.refused = ""
        self._services: dict[str, _Service] = {}
        self.begin()

    def begin(self) -> None:
        """Be somebody: at first, and again in a child of a fork."""
        self.id = secrets.token_hex(8)
        now = time.monotonic()
        for one in self._services.values():
            one.begun = one.due = now

    def follow(self, service: str) -> None:
        """Tell of this service from now on."""
        self._services.setdefault(service, _Service(time.monotonic()))

    def let_go(self, service: str) -> None:
        """Tell of it no more; its word runs out by itself."""
        self._services.pop(service, None)

    def count(self, service: str, balancer: Counting) -> None:
        """Tell what this balancer sees, as long as it is used."""
        one = self._services.get(service)
        if one is not None:
            live = [known for known in one.balancers if known() is not None]
            one.balancers = (*live, weakref.ref(balancer))

    def due(self, several: Iterable[Local], *, hears: bool) -> list[Script]:
        """What is to be said now of these; it is not due again for some ten seconds."""
        if not self.is_on:
            return []
        now, found = time.monotonic(), []
        for one in several:
            service = self._services.get(one.copy.service)
            if service is None or now < service.due:
                continue
            wait = AGAIN_AFTER if self.refused else EVERY
            service.due = now + wait * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load
            version = one.reading.version if one.reading is not None else 0
            told = Told(
                self.id, self.name, library(), round((now - service.begun) * 1000), version, hears,
                *service.counted(now),
            )  # fmt: skip
            found.append(told.script(one.keys))
        return found

    def answered(self, replies: Sequence[Any]) -> None:
        """What Redis said to it; what it refuses is logged once, and is no trouble of reading."""
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        if errors:
            right = isinstance(errors[0], NoPermissionError)
            if not self.refused:
                words = "has no right to say so" if right else "is not kept"
                log.info("who reads services %s: %s", words, errors[0])
            self.refused = str(errors[0])[:200]
        elif replies:
            self.refused = ""

    def leaving(self) -> list[Script]:
        """What takes its words back."""
        if not self.is_on or self.refused:
            return []
        return [leaving(self.id, keys_of(service)) for service in self._services]


def named(client: Any) -> str:
    """What a client is called where that says something; else the host and the process."""
    pool = getattr(client, "connection_pool", None)
    said = getattr(pool, "connection_kwargs", {}).get("client_name") or ""
    if said in UNNAMED:
        return f"{socket.gethostname()[:60]}:{os.getpid()}"
    return str(said)[:100]


@functools.cache
def library() -> str:
    """This library with its version."""
    try:
        return f"redisops {importlib.metadata.version('redisops')}"
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        with contextlib.suppress(OSError, ValueError, LookupError):
            said = (Path(__file__).parents[2] / "pyproject.toml").read_text()
            return f"redisops {tomllib.loads(said)['project']['version']}"
        return "redisops"
