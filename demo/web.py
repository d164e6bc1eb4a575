"""The shop's doors on a port, to look at with curl: ``uvicorn --factory demo.web:app``."""

from __future__ import annotations

import os

from demo.catalog import Catalog
from demo.door import Door
from demo.orders import Orders
from demo.payments import Payments
from redisops.contrib.asgi import App, Receive, Scope, Send


def app() -> App:
    """An ASGI application on REDIS_URL; each path is answered by its service."""
    url = os.environ["REDIS_URL"]
    doors: list[Door] = [Orders(url), Payments(url), Catalog(url)]
    by_path = {door.route[1]: door for door in doors}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            if (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await receive()
            for door in doors:
                await door.close()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await by_path.get(scope["path"], doors[0]).app(scope, receive, send)

    return answer
