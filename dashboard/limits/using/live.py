"""The socket behind a policy's live use: one look a second for all who watch it in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable

import structlog
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import Error as SqlError
from django.http import Http404

from dashboard.limits import policies
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.using import reading, showing
from dashboard.limits.using.reading import Reading
from dashboard.servers.live.consumer import Batch, Gap, LiveConsumer, Row, Topic
from dashboard.servers.load import watching
from dashboard.servers.models import Server
from redisops.limits.use import AsyncUse
from redisops.resilience import deadline

log = structlog.get_logger(__name__)

EVERY = 1.0
ALIVE = 2.5
"""Seconds within which a look must have come back."""


class UseTopic:
    """The use of one policy: a row for each second once it is complete, and the parts as they are,
    with the mode and the exceptions that people decided on since.

    A row's data is ``[second, allowed, denied, would have denied]``, its id the second.
    """

    def __init__(self, server: Server, row: LimitPolicy) -> None:
        self.server = server
        self.name = row.name
        self._row = row
        self._known: AsyncUse | None = None

    @property
    def key(self) -> Hashable:
        return ("limit use", self.server.pk, self.server.digest, self.name)

    async def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        """A look a second; what came while Redis or the console was away is caught up."""
        seen = None if after is None else int(after)
        while True:
            found = await self._look()
            batch = Batch(position=str(found.until)) if seen is None else _after(found, seen)
            shown = await sync_to_async(showing.parts, thread_sensitive=False)(
                self.server, await self._policy(), found
            )
            yield Batch(batch.rows, batch.gap, batch.position, shown)
            seen = max(found.until, seen or 0)
            await asyncio.sleep(EVERY)

    async def since(self, after: str, until: str, limit: int) -> Batch:
        """The newest ``limit`` seconds of those; raises ValueError for what is no second."""
        first, last = int(after), int(until)
        found = await self._look()
        batch = _after(found, first)
        rows = [row for row in batch.rows if int(row.id) <= last]
        missed = max(len(rows) - limit, 0)
        if not missed:
            return Batch(rows, batch.gap)
        trimmed = batch.gap.missed or 0 if batch.gap is not None else 0
        return Batch(rows[-limit:], Gap(after, "more", missed + trimmed))

    async def _policy(self) -> LimitPolicy:
        """The policy as people decided it by now; as it was known while SQL does not answer."""
        try:
            self._row = await database_sync_to_async(policies.find)(self.server, self.name)
        except (SqlError, Http404) as error:
            log.warning("limits.use_of_a_known_policy", error=type(error).__name__)
        return self._row

    async def _look(self) -> Reading:
        # The row is as old as the reader; the guard knows what people decided since.
        watching.refuse_stopped(self.server)
        with deadline(ALIVE):
            return await reading.follow(self._use(), self.name)

    def _use(self) -> AsyncUse:
        """One for all looks, so that the server is asked for its time once a minute alone."""
        client = self.server.async_client()
        if self._known is None or self._known.redis is not client:
            self._known = AsyncUse(client)
        return self._known


class UseConsumer(LiveConsumer):
    """The live use of one policy, for whoever may see policies."""

    permission = "limits.read"

    async def follow(self) -> Topic:
        name = str(self.params["name"])
        return UseTopic(self.server, await database_sync_to_async(_find)(self.server, name))


def _find(server: Server, name: str) -> LimitPolicy:
    try:
        found: LimitPolicy = policies.find(server, name)
    except Http404 as error:
        raise LookupError(str(error)) from error
    return found


def _after(found: Reading, seen: int) -> Batch:
    """The seconds after ``seen``; a gap where they are counted no more."""
    rows = [Row(str(step.at), list(step)) for step in found.seconds if step.at > seen]
    lost = found.seconds[0].at - 1 - seen
    gap = Gap(str(seen), "trimmed", lost) if lost > 0 else None
    return Batch(rows, gap, str(max(found.until, seen)))
