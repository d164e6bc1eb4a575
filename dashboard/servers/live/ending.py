"""Tasks that end when they are told to, however often that takes."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_SECONDS = 1.0


async def ended(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel the tasks and return when all have ended; None and those that ended are passed over.

    Once is not always enough: Python 3.11's ``wait_for`` loses a cancellation that comes in the
    moment its own wait is over (cpython issue 86296), and the channel layer swallows one that
    comes while it subscribes. Between two of them what a task does at its end has a second.
    """
    waiting = {task for task in tasks if task is not None and not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
    for one in tasks:
        if one is not None and not one.cancelled():
            one.exception()  # taken: nobody is to be told of one that nobody asked for
