"""The console with a watch on its event loop: how long one turn keeps it from its sockets.

``/bench/loop`` tells the longest turn since it was asked last, in ms: of the loop's own thread by
the kernel's books, so that it is the same on a busy machine, and on the wall, with what waited;
and how often the wall of services has looked.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from dashboard.asgi import application as console

APART = 0.01
_tasks: list[asyncio.Task[None]] = []
_longest = [0.0, 0.0]


async def _watch() -> None:
    while True:
        spent, begun = time.thread_time(), time.perf_counter()
        await asyncio.sleep(APART)
        _longest[0] = max(_longest[0], time.thread_time() - spent)
        _longest[1] = max(_longest[1], time.perf_counter() - begun - APART)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if not _tasks:
        _tasks.append(asyncio.create_task(_watch()))
    if scope.get("path") != "/bench/loop":
        await console(scope, receive, send)
        return
    from dashboard.services.wall import live

    looks = sum(one.tries for one in live._watches.values())
    body = json.dumps([*(one * 1000 for one in _longest), looks]).encode()
    _longest[:] = [0.0, 0.0]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
