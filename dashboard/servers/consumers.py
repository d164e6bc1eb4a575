"""The sockets behind a server's own pages."""

from __future__ import annotations

from dashboard.servers.live.consumer import LiveConsumer, SamplesTopic, Topic
from dashboard.servers.overview import figures as overview


class OverviewConsumer(LiveConsumer):
    """What the sampler sees of one server: a row per look, and the page's parts as they are."""

    permission = "servers.view"

    async def follow(self) -> Topic:
        return SamplesTopic(self.server, overview.parts)
