"""What the tests of live things share."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator

import pytest

from dashboard.servers import clients
from dashboard.servers.live.guard import Guard
from dashboard.servers.live.hub import Hub
from dashboard.servers.models import Server


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """The loop's hub; all that it and the loop's clients hold open is closed at the end."""
    yield Hub.here()
    await Hub.here().close()
    for socket in list(Guard.here().sockets):
        Guard.here().remove(socket)
    loop = asyncio.get_running_loop()
    for link in clients._links.values():
        client = link.loops.pop(loop, None)
        if client is not None:
            await client.aclose()


@pytest.fixture
def server(server: Server) -> Server:
    """The server as one that was added a while ago: nobody waits for its first look."""
    server.created -= datetime.timedelta(hours=1)
    server.save()
    return server
