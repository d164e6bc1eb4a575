"""The peer of ``live_sockets``: what a page of Channels alone does, one group for all sockets.

An ASGI application for a worker of its own, on the console's own channel layer (channels_redis,
pub/sub). No sign-in and no checks: they would be a cost that ours has and this has not.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

import django

django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - the apps must be there
from channels.routing import URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

GROUP = "bench"


class Told(AsyncWebsocketConsumer):
    """Sends on what the group is told."""

    groups = [GROUP]

    async def tell(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


application = URLRouter([path("ws/bench/", Told.as_asgi())])
