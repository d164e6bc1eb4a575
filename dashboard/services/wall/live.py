"""The socket behind the wall: one look a second for everybody; between them, what happened.

One watch per server and process looks, however many walls with however many filters are open; each
filter is a topic of the hub that tells what changed of its own picture, part by part.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncGenerator, Hashable
from typing import Any
from weakref import WeakValueDictionary

import structlog
from django.template.loader import render_to_string

from dashboard.servers.live.consumer import Batch, LiveConsumer, Topic
from dashboard.servers.live.hub import TROUBLE
from dashboard.servers.load import watching
from dashboard.servers.models import Server
from dashboard.services.wall import asking, known
from dashboard.services.wall.asking import Ask
from dashboard.services.wall.known import Known
from dashboard.services.wall.picture import Drawing, Picture
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.pubsub import AsyncSubscriber, Message
from redisops.services.overview import AsyncOverview

log = structlog.get_logger(__name__)

EVERY = 1.0
AGAIN = 0.1
"""Seconds between two looks when something happens all the time, at least."""
EARLY = 1_000
"""Milliseconds by which a beat may miss when it was foretold: pages show whole seconds."""
SHARE, LONGEST = 3.0, 4.0
"""A look in turn that took long is followed by so many times as long a rest, of so many seconds at
most; what happened is looked at meanwhile."""
MOST_HEARD = 500
"""Services that are known to have changed; where more did, all are asked for their versions."""
PATTERN = b"service_events:{*}"


class Watch:
    """Looks at the services of one server for all topics of this event loop that ask for it.

    ``tries`` counts looks, good or not; who waits is woken by each. Runs while anybody watches.
    Each second it looks at the services in turn; when something is announced, at those alone.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.known = known.of(server)
        self.tries = 0
        self.watchers = 0
        self.error: BaseException | None = None
        self._news = asyncio.Condition()
        self._happened: set[str] = set()
        self._turn = 0.0  # when the next look in turn is due
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Watch:
        self.watchers += 1
        if self.watchers == 1:
            self._tasks = [
                asyncio.create_task(self._look(), name=f"services of {self.server.slug}"),
                asyncio.create_task(self._hear(), name=f"service events of {self.server.slug}"),
            ]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.watchers -= 1
        if not self.watchers:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []

    @property
    def is_fresh(self) -> bool:
        """Whether the last look was good, and of a moment ago."""
        return bool(self.tries) and self.error is None and self.known.is_fresh

    async def next(self, seen: int) -> int:
        """Wait for a look after so many; raises what Redis said where it does not answer."""
        async with self._news:
            while self.tries <= seen:
                await self._news.wait()
        if self.error is not None:
            raise self.error
        return self.tries

    async def _look(self) -> None:
        self._turn = 0.0
        while True:
            began = time.monotonic()
            in_turn = began >= self._turn
            happened, self._happened = self._happened, set()
            self._wake.clear()
            try:
                watching.refuse_stopped(self.server)
                overview = AsyncOverview(self.server.async_client())
                found = await overview.look(self.known.look, happened, in_turn=in_turn)
                await asyncio.to_thread(self.known.take, found)
                self.error = None
            except Exception as error:
                if not isinstance(error, TROUBLE):
                    log.exception("services cannot be looked at", server=self.server.slug)
                self.error = error
                self._happened |= happened
            self.tries += 1
            async with self._news:
                self._news.notify_all()
            took = time.monotonic() - began
            if in_turn:
                self._turn = began + max(EVERY, min(took * SHARE, LONGEST))
            await self._rest(max(AGAIN, took))

    async def _rest(self, pause: float) -> None:
        """For a pause at least; then until something happened, or the next turn is due."""
        await asyncio.sleep(min(pause, EVERY))
        if self.error is None and not self.known.look.is_whole:
            return
        if self.error is not None:
            self._turn = 0.0
            await asyncio.sleep(EVERY)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._turn - time.monotonic())):
                await self._wake.wait()

    async def _hear(self) -> None:
        """Be woken by what is announced; where that may not be heard, each second will do."""
        while True:
            try:
                client = self.server.async_client()
                async with AsyncSubscriber(client, patterns=[PATTERN], most=2_000) as subscriber:
                    while True:
                        one = await subscriber.get()
                        if isinstance(one, Message) and len(self._happened) < MOST_HEARD:
                            name = one.channel[len(PATTERN) - 2 : -1]
                            self._happened.add(name.decode("ascii", "replace"))
                        else:  # too much happened to tell what: the versions do
                            self._turn = 0.0
                        self._wake.set()
            except TROUBLE as error:
                log.info("service events are not heard", error=repr(error))
            except Exception:
                # Nobody awaits this task before its end; each second's look goes on without it.
                log.exception("service events are not heard", server=self.server.slug)
            await asyncio.sleep(5.0)


_watches: WeakValueDictionary[tuple[int, str], Watch] = WeakValueDictionary()


def watch_of(server: Server) -> Watch:
    """The running loop's watch of a server."""
    key = (id(asyncio.get_running_loop()), server.digest)
    found = _watches.get(key)
    if found is None:
        found = _watches[key] = Watch(server)
    return found


class WallTopic:
    """One filter and order of the wall: parts of its picture, as they change.

    ``now`` the server's clock in ms; ``shape`` the keys of groups, cards and lines in their order;
    ``verdict``, ``banners``, ``changes``, ``g <group>``, ``c <card>`` and ``l <line>`` HTML;
    ``b <card> <instance>`` what moves by itself, ``e <line>`` when a beat of it is due and how far
    beats are apart, told again only when one does not come as it was foretold. None: it is gone.
    """

    def __init__(self, server: Server, ask: Ask) -> None:
        self.server, self.ask = server, ask
        self._told: dict[str, Any] = {}
        self._made: dict[str, tuple[Any, str]] = {}
        self._drawing = Drawing(ask)
        self.rendered: tuple[str, ...] = ()  # of the last look, the parts that were made anew

    @property
    def key(self) -> Hashable:
        return ("services", self.server.slug, self.server.digest, self.ask.group, self.ask.text)

    async def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        async with watch_of(self.server) as watch:
            seen = watch.tries - 1 if watch.is_fresh else watch.tries
            while True:
                seen = await watch.next(seen)
                # Thousands of instances take milliseconds, as templates do: they are not taken
                # from the sockets.
                yield Batch(state=await asyncio.to_thread(self._parts, watch.known))

    async def since(self, after: str, until: str, limit: int) -> Batch:
        """Nothing is ever missed: what is so now is all there is."""
        return Batch()

    def _parts(self, known: Known) -> dict[str, Any]:
        picture = self._drawing.of(known)
        wanted = pieces(picture)
        made, todo = {}, []
        for name, (template, value) in wanted.items():
            before = self._made.get(name)
            if before is not None and before[0] == value:
                made[name] = before
            else:
                todo.append((name, template, value))
        self.rendered = tuple(name for name, _, _ in todo)
        if todo:
            texts = self._rendered(todo)
            made |= {name: (value, texts[name]) for name, _, value in todo}
        self._made = made
        parts: dict[str, Any] = {name: text for name, (_, text) in made.items()}
        parts |= as_told(moving(picture), self._told)
        gone = {name: None for name in self._told if name not in parts}
        self._told = parts
        return parts | gone

    def _rendered(self, todo: list[tuple[str, str, Any]]) -> dict[str, str]:
        return {
            name: render_to_string(
                f"services/wall/{template}.html", {"server": self.server, "it": value}
            )
            for name, template, value in todo
        }


def pieces(picture: Picture) -> dict[str, tuple[str, Any]]:
    """The parts of a picture that are HTML: each with its template and what it is made of."""
    found: dict[str, tuple[str, Any]] = {
        "verdict": ("_verdict", picture.verdict),
        "banners": ("_banners", picture.banners),
        "changes": ("_changes", picture.changes),
    }
    for group in picture.groups:
        found[f"g {group.key}"] = (
            "_group", dataclasses.replace(group, cards=[], calm=[])
        )  # fmt: skip
        for card in group.cards:
            found[f"c {card.key}"] = ("_card", _still(card))
        for line in group.calm:
            found[f"l {line.key}"] = ("_line", _still(line))
    return found


def _still(it: Any) -> Any:
    """A card or line without what moves by itself: it is made anew only when something changed."""
    if hasattr(it, "rows"):
        rows = [dataclasses.replace(row, end=0, slots="", check="") for row in it.rows]
        return dataclasses.replace(it, rows=rows)
    return dataclasses.replace(it, pulse=(0, 0))


def moving(picture: Picture) -> dict[str, Any]:
    """The parts of a picture that are data."""
    parts: dict[str, Any] = {
        "now": picture.now,
        "shape": [
            [group.key, [card.key for card in group.cards], [line.key for line in group.calm]]
            for group in picture.groups
        ],
        "about": {
            "empty": picture.is_empty,
            "services": picture.services,
            "instances": picture.instances,
            "found": picture.found,
        },
    }
    for group in picture.groups:
        for card in group.cards:
            for row in card.rows:
                parts[f"b {card.key} {row.id}"] = row.live
        for line in group.calm:
            if line.pulse[1]:
                parts[f"e {line.key}"] = line.pulse
    return parts


def as_told(parts: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The parts, with beats that come as they were foretold left as they were told: what a page
    counts down by itself is not sent again with every beat."""
    for name, part in parts.items():
        told = before.get(name)
        if name.startswith("e ") and told is not None and told[1] == part[1]:
            off = (part[0] - told[0]) % part[1]
            if min(off, part[1] - off) <= EARLY:
                parts[name] = told
    return parts


class WallConsumer(LiveConsumer):
    """The wall, for whoever may see services."""

    permission = "services.read"

    async def follow(self) -> Topic:
        try:
            text = str(self.params["text"])
            asked = "" if text == "-" else keys.from_url(text).decode("utf-8", "replace")
        except InvalidArgument as error:
            raise LookupError(str(error)) from error
        return WallTopic(self.server, asking.understood(asked, str(self.params["group"])))
