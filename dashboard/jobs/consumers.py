"""The socket behind a job's page: each time the job moved, the page's parts as they are then."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from channels.db import database_sync_to_async

from dashboard.jobs import showing, telling
from dashboard.jobs.models import Job
from dashboard.servers.live.consumer import Batch, LiveConsumer, Row, StreamTopic, Topic
from dashboard.servers.models import Server
from dashboard.servers.sampling import samples
from redisops.tail import AsyncTail, Catch, Entry


class JobTopic(StreamTopic):
    """The stream on home that says when a job moved; what it says is read from SQL."""

    def __init__(self, server: Server, pk: int) -> None:
        self.pk = pk
        self.of = server
        self._shown = False
        super().__init__(samples.home(), telling.stream(pk))

    @property
    def key(self) -> Hashable:
        return ("job", self.of.pk, self.pk, self.server.digest)

    def row(self, entry: Entry) -> Row:
        return Row(entry.id, [])

    async def batch(self, catch: Catch, tail: AsyncTail | None = None) -> Batch:
        """A trimmed past is no gap: the parts say all that is so now."""
        batch = await super().batch(catch, tail)
        if tail is None or not (batch.rows or not self._shown):
            return Batch(batch.rows, None, batch.position)
        return Batch(batch.rows, None, batch.position, await self._parts())

    async def _parts(self) -> dict[str, Any]:
        # In a thread of its own: other pages' queries are not to wait behind the templates.
        found = await database_sync_to_async(parts, thread_sensitive=False)(self.of.pk, self.pk)
        self._shown = True
        return found


class JobConsumer(LiveConsumer):
    """One job of one server, for whoever may see its jobs."""

    permission = "jobs.view"

    async def follow(self) -> Topic:
        return JobTopic(self.server, int(self.params["pk"]))


def parts(server: int, pk: int) -> dict[str, str]:
    """The page's parts, {} for a job that this server does not have."""
    job = Job.objects.filter(server=server, pk=pk).select_related("server").first()
    return showing.parts(job) if job is not None else {}
