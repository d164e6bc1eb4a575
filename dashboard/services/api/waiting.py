"""Answers that take their time: a long poll and a stream of events, on the event loop alone.

The view itself is over when these begin, so they hold no thread and no connection to SQL. Every
``AGAIN`` seconds they ask whether the token may still do this, and end when it may not.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable

from channels.db import database_sync_to_async
from django.db import Error as SqlError

from dashboard.api.problems import Refused
from dashboard.servers.load import WorkStopped
from dashboard.servers.models import Server
from dashboard.services.api import following, telling
from dashboard.services.api.telling import Filter

AGAIN = 10.0
Still = Callable[[], None]
ENDED = (Refused, WorkStopped, SqlError)
"""Why a wait ends: it may not go on, or nobody can tell whether it may."""


async def changed(
    server: Server, service: str, index: str, seconds: float, is_fitting: Filter, still: Still
) -> AsyncIterator[bytes]:
    """The service as JSON as soon as its index is another one, or after ``seconds``.

    While Redis is away that is the copy with its age. A token that may no longer do this is given
    what it could have asked for when it began, with the index that it has.
    """
    end = time.monotonic() + seconds
    checked = time.monotonic() + AGAIN
    async with following.watching(server, service) as watcher:
        while True:
            copy = watcher.copy
            now = time.monotonic()
            is_other = watcher.is_known and telling.index_of(copy.epoch, copy.version) != index
            if is_other or now >= end:
                break
            if now >= checked:
                checked = now + AGAIN
                if not await _may_still(still):
                    break
            await watcher.next(min(end, checked) - now)
        found = telling.index_of(copy.epoch, copy.version) if watcher.is_known else index
        said = telling.service(service, found, copy.instances, is_fitting, watcher.age)
    yield json.dumps(said).encode()


async def events(
    server: Server, service: str, last: str, is_fitting: Filter, still: Still
) -> AsyncIterator[bytes]:
    """Server-Sent Events: ``service`` with all instances first, then each ``change``.

    Whoever comes back with the index that it saw last is told what is new alone; where that is not
    known, everything again. A comment every ``AGAIN`` seconds shows that the line stands.
    """
    yield b"retry: 2000\n\n"
    sent = last
    async with following.watching(server, service) as watcher:
        if watcher.is_known:
            watcher.tell(None)
        while True:
            news = await watcher.next(AGAIN)
            if not news:
                if not await _may_still(still):
                    break
                yield f": {watcher.age:.1f} s since Redis confirmed this\n\n".encode()
                continue
            copy = watcher.copy
            if None in news:  # among changes: the copy has them all
                index = telling.index_of(copy.epoch, copy.version)
                if index != sent:
                    said = telling.service(service, index, copy.instances, is_fitting, watcher.age)
                    yield telling.framed("service", said)
                    sent = index
                continue
            for one in news:
                if one is not None:
                    sent = telling.index_of(copy.epoch, one.version)
                    yield telling.framed("change", telling.change(one, copy.epoch))


async def _may_still(still: Still) -> bool:
    try:
        await database_sync_to_async(still)()
    except ENDED:
        return False
    return True
