"""The socket behind a board: one look for all who watch the same rows in this process.

The rows are parts of a state, one for each line of the page: the hub hands on those that changed,
and of several changes of one line only the newest. A look is one round trip of O(page); details
are asked for, and rows made, only when it differs from the look before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Hashable, Sequence
from typing import Any

import redis
from channels.db import database_sync_to_async
from django.http import Http404

from dashboard.leaderboards.boards import places, reading, showing
from dashboard.leaderboards.boards.places import Place
from dashboard.leaderboards.boards.reading import NEAR, ROWS, View
from dashboard.servers.live.consumer import Batch, LiveConsumer, Topic
from dashboard.servers.load import watching
from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.leaderboards import AsyncLeaderboard, Standing
from redisops.resilience import deadline

EVERY = 0.14
"""Seconds between two looks: a little longer than the hub's tick, so that what a look finds never
waits for the tick, and is on its way as soon as it is found."""
CALM = 1.0
"""The same while there is nothing to look at."""
ALIVE = 2.5
TITLES = 10.0
"""Seconds for which a member's details are believed."""
LINES = max(ROWS, 2 * NEAR + 1)


class BoardTopic:
    """Some rows of a board: parts ``r0``, ``r1``, ... (None below the last row) and ``about``."""

    def __init__(self, place: Place, view: View) -> None:
        self.place = place
        self.view = view
        self._known: AsyncLeaderboard | None = None
        self._last: Any = None
        self._titles: dict[bytes, tuple[float, bytes | None]] = {}

    @property
    def key(self) -> Hashable:
        return ("leaderboard", *self.place.digest, self.view.text)

    async def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        self._last = None
        while True:
            # The row is as old as the reader; the guard knows what people decided since.
            watching.refuse_stopped(self.place.server)
            with deadline(ALIVE):
                state = await self._look()
            yield Batch(state=state)
            await asyncio.sleep(CALM if self._last is not None and not self._last[0] else EVERY)

    async def since(self, after: str, until: str, limit: int) -> Batch:
        """Nothing is ever missed: what is so now is all there is."""
        return Batch()

    async def _look(self) -> dict[str, Any]:
        """What is to be told; nothing when all is as it was."""
        library = self._library()
        try:
            if self.view.around is None:
                found = await library.look(self.view.start, ROWS)
                seen: tuple[int, Sequence[Standing]] = (found.size, found.standings)
            else:
                around = await library.overview(member=self.view.around, neighbours=NEAR)
                seen = (around.size, around.near)
            if seen == self._last:
                return {}
            titles = await self._told(library, [one.member for one in seen[1]])
        except redis.ResponseError as error:
            page = reading.troubled(error)
            self._last = (0, page.state)
            return {"about": page.about}
        self._last = seen
        state, words = reading.state_of(seen[0], self.view, len(seen[1]))
        parts: dict[str, Any] = {"about": {"state": state, "size": seen[0], "words": words}}
        if state == "ok":  # else what was there stays, marked as such
            rows = showing.rows(seen[1], titles)
            for line in range(LINES):
                parts[f"r{line}"] = rows[line].as_list() if line < len(rows) else None
        return parts

    async def _told(self, library: AsyncLeaderboard, members: list[bytes]) -> dict[bytes, bytes]:
        """The details of these members, of which most were asked for a moment ago."""
        if not self.place.details or not members:
            return {}
        now = time.monotonic()
        kept = {m: self._titles[m] for m in members if m in self._titles}
        missing = [m for m in members if m not in kept or kept[m][0] < now - TITLES]
        try:
            found = await library.details(missing)
        except redis.ResponseError:
            found = [None] * len(missing)
        kept.update({m: (now, text) for m, text in zip(missing, found, strict=True)})
        self._titles = kept
        return {m: text for m, (_, text) in kept.items() if text is not None}

    def _library(self) -> AsyncLeaderboard:
        client = self.place.server.async_client()
        if self._known is None or self._known.client is not client:
            self._known = self.place.async_library(client)
        return self._known


class BoardConsumer(LiveConsumer):
    """The rows of a board, for whoever may see leaderboards."""

    permission = "leaderboards.read"

    async def follow(self) -> Topic:
        view = reading.view_of(str(self.params["view"]))
        key, order = str(self.params["key"]), str(self.params["order"])
        return BoardTopic(await _find(self.server, key, order), view)


@database_sync_to_async
def _find(server: Server, key: str, order: str) -> Place:
    try:
        return places.of_key(server, keys.from_url(key), order)
    except (Http404, InvalidArgument) as error:
        raise LookupError(str(error)) from error
