"""What each web process reads for live pages, told on home every two seconds while it reads.

One document for each process, at most TOPICS of its topics, forgotten after KEPT seconds; the
names of the processes in one sorted set by time. Where home does not hear it, the page of watched
topics shows less, and nothing else is lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import time
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from dashboard.servers.live.ending import ended
from redisops import keys
from redisops.errors import RedisopsError

if TYPE_CHECKING:
    from dashboard.servers.live.hub import Reader

log = structlog.get_logger(__name__)

EVERY = 2.0
STALE = 3 * EVERY
KEPT = 30
TOPICS = 200
PROCESSES = 64
LONGEST = 200
HOME_TROUBLE = (RedisError, RedisopsError, OSError)
WORDS = {
    "samples": "Server's figures", "stream": "Stream", "limit use": "Rate limit", "job": "Job",
    "jobs": "Jobs", "board": "Leaderboard", "pubsub": "Pub/sub",
}  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """One topic of one process. Rates are per second; ``since`` is when its reader began.

    ``left_out`` counts what a topic left out so that it can be read, ``dropped`` what sockets
    lost that could not keep up; both are told on their pages. ``trouble`` is why its source does
    not answer.
    """

    kind: str
    server: str
    name: str
    viewers: int
    rate: float
    rows: int
    left_out: int
    dropped: int
    since: float
    trouble: str = ""


@dataclass(frozen=True)
class Process:
    """A web process and what it reads; ``more`` topics are not listed."""

    name: str
    at: float
    topics: list[Watched] = field(default_factory=list)
    more: int = 0

    @property
    def viewers(self) -> int:
        return sum(one.viewers for one in self.topics)


class Telling:
    """Tells on home what the hub of one event loop reads; runs while it reads anything."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:60]}, process {os.getpid()}"
        self._id = secrets.token_hex(6)
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def begin(self, readers: Mapping[Hashable, Reader]) -> None:
        """Go on telling, or begin to."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell(readers), name="live figures")

    async def end(self) -> None:
        await ended(self._task)
        self._task = None

    async def _tell(self, readers: Mapping[Hashable, Reader]) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self._write(self.process(readers))
            except HOME_TROUBLE as error:
                log.info("watched topics were not told", error=repr(error))
            except Exception:
                # Nobody awaits this task; live pages do not depend on it.
                log.exception("watched topics were not told")
            if not readers:
                return

    def process(self, readers: Mapping[Hashable, Reader]) -> Process:
        """What is read now, most watched first; rates since the last call."""
        now, seen = time.time(), {}
        found = []
        for key, reader in list(readers.items()):
            at, rows = self._seen.get(key, (reader.since, 0))
            seen[key] = (now, reader.things)
            rate = max(0, reader.things - rows) / max(now - at, 0.001)
            found.append(_watched(reader, rate))
        self._seen = seen
        found.sort(key=lambda one: (-one.viewers, -one.rate, one.server, one.kind, one.name))
        return Process(self.name, now, found[:TOPICS], max(0, len(found) - TOPICS))

    async def _write(self, process: Process) -> None:
        from dashboard.servers.models import HOME, Server

        pipe = Server(slug=HOME, name="Home").async_client().pipeline(transaction=False)
        pipe.set(_place(self._id), json.dumps(asdict(process)), ex=KEPT)
        pipe.zadd(_place(), {self._id: process.at})
        pipe.zremrangebyscore(_place(), "-inf", process.at - KEPT)
        pipe.zremrangebyrank(_place(), 0, -PROCESSES - 1)
        pipe.expire(_place(), KEPT)
        await pipe.execute()


def told() -> list[Process]:
    """What the web processes told last, those that went silent left out. Two round trips on home.

    Raises what home raises.
    """
    from dashboard.servers.models import HOME, Server

    client: Any = Server(slug=HOME, name="Home").client()
    now = time.time()
    ids = client.zrange(_place(), now - STALE, "+inf", byscore=True)
    if not ids:
        return []
    pipe = client.pipeline(transaction=False)
    for one in ids:
        pipe.get(_place(one.decode()))
    found = []
    for text in pipe.execute():
        if text is not None:
            kept = json.loads(text)
            topics = [Watched(**one) for one in kept.pop("topics")]
            found.append(Process(topics=topics, **kept))
    return sorted(found, key=lambda one: one.name)


def _place(process: str = "") -> str:
    """The set of processes, or one of them; on one slot."""
    start = f"{settings.HOME_PREFIX}{{live}}:"
    return f"{start}process:{process}" if process else f"{start}processes"


def _watched(reader: Reader, rate: float) -> Watched:
    topic: Any = reader.topic
    key = topic.key if isinstance(topic.key, tuple) else (topic.key,)
    kind = str(key[0])
    server = getattr(topic, "watched", None) or getattr(topic, "server", None)
    return Watched(
        WORDS.get(kind, kind.capitalize()), str(server or ""), _name(key[1:], server),
        len(reader.queues), round(rate, 2), reader.things, reader.left_out, reader.dropped,
        reader.since, str(reader.lost["sentence"]) if reader.lost is not None else "",
    )  # fmt: skip


def _name(parts: tuple[Any, ...], server: Any) -> str:
    """What of a topic's key names the thing: not the server, nor how it is reached."""
    skipped = {getattr(server, "slug", None), getattr(server, "pk", None)}
    skipped.add(getattr(server, "digest", None))
    named = [one for one in parts if isinstance(one, str | bytes) and one not in skipped and one]
    told = " ".join(
        keys.printable(one[:LONGEST]) if isinstance(one, bytes) else one[:LONGEST] for one in named
    )
    return told[: 2 * LONGEST]
