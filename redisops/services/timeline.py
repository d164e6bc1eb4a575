"""What happened to services, as Redis keeps it: where each one is, and its stream of events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError, ResponseError

from redisops.fast import AsyncFast, Fast
from redisops.replies import text
from redisops.services.decoding import MOST_VERSION, whole
from redisops.services.model import Event, event
from redisops.services.naming import keys_of
from redisops.steps import Awaiting, Blocking, Steps, step

FIRST = "0-0"
"""The place before the first entry of a stream."""
AT_ONCE = 500
"""Services whose places one command asks for, where all keys are on one node."""
CLUSTERS = (redis.RedisCluster, redis.asyncio.RedisCluster)


class Head(NamedTuple):
    """Where a service is now. ``epoch`` is "" of one that is not there.

    ``swept`` is when somebody last looked whose lease is over, seconds by the server's clock; 0
    when nobody did.
    """

    service: str
    epoch: str
    version: int
    swept: float


@dataclass(frozen=True)
class Page:
    """Events after a place, oldest first, and the place of the last one, readable or not.

    ``is_whole``: there were no more. ``trouble`` is what Redis refused, in its words.
    """

    service: str
    events: tuple[Event, ...] = ()
    place: str = FIRST
    is_whole: bool = True
    trouble: str = ""


class _Timeline:
    """Reads ``svc:{<service>}:ver``, ``:epoch``, ``:swept`` and ``:events``; writes nothing.

    ``client`` is what ``connect`` gave, or a plain redis-py client. Errors of connection and server
    pass through; what a service's own keys refuse (another type, a missing right) is told in its
    place, so that one service costs the others nothing.
    """

    client: Any
    _fast: Any

    @step
    def heads(
        self, services: Sequence[str], swept: Collection[str] | None = None
    ) -> Steps[list[Head]]:
        """Where these services are, in their order. One round trip for all.

        One command for each 500 (on a cluster for each), and one for each service of ``swept``
        (None: of all), of whom the last sweep is asked too; of the others it is 0.
        """
        if not services:
            return []
        is_cluster = isinstance(self.client, CLUSTERS)
        size = 1 if is_cluster else AT_ONCE
        parts = [services[at : at + size] for at in range(0, len(services), size)]
        asked = [one for one in services if swept is None or one in swept]
        commands: list[tuple[Any, ...]] = []
        for part in parts:
            keys = [keys_of(one) for one in part]
            commands.append(("MGET", *(name for one in keys for name in (one.epoch, one.ver))))
        commands += [("HGET", keys_of(one).swept, "at") for one in asked]
        replies = yield self._fast.calls(commands)
        looks = dict(zip(asked, replies[len(parts) :], strict=True))
        _raise_lost(*looks.values())
        places: list[Any] = []
        for told in replies[: len(parts)]:
            if isinstance(told, Exception):  # of another type is nil: it is not one service's
                raise told
            places += told
        return [
            Head(
                service, text(places[2 * at])[:64], whole(places[2 * at + 1]),
                whole(looks.get(service)) / 1000,
            )
            for at, service in enumerate(services)
        ]  # fmt: skip

    @step
    def events(
        self, after: Mapping[str, str], count: int | Mapping[str, int] = 1_000
    ) -> Steps[list[Page]]:
        """The next events of services, each after its place (``FIRST`` for all). One round trip.

        ``count`` of each, or of each service its own. Malformed entries are left out: their
        versions are missing then.
        """
        if not after:
            return []
        counts = {one: count if isinstance(count, int) else count[one] for one in after}
        replies = yield self._fast.calls(
            [
                ("XRANGE", keys_of(service).events, f"({place}", "+", "COUNT", counts[service])
                for service, place in after.items()
            ]
        )
        pages = []
        for (service, place), reply in zip(after.items(), replies, strict=True):
            _raise_lost(reply)
            if isinstance(reply, Exception):
                pages.append(Page(service, place=place, trouble=str(reply)))
                continue
            found = [event_of(service, fields) for _, fields in reply]
            last = text(reply[-1][0]) if reply else place
            whole = len(reply) < counts[service]
            pages.append(Page(service, tuple(one for one in found if one), last, is_whole=whole))
        return pages


class Timeline(_Timeline, Blocking):
    __doc__ = _Timeline.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = Fast.of(client)


class AsyncTimeline(_Timeline, Awaiting):
    __doc__ = _Timeline.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = AsyncFast.of(client)


def event_of(service: str, fields: Any) -> Event | None:
    """A stream entry's fields (a list or a dict) as an event; None when it is malformed."""
    flat: Iterable[Any] = fields if isinstance(fields, list) else [
        part for pair in (fields or {}).items() for part in pair
    ]  # fmt: skip
    texts = [text(part) for part in flat]
    found = event(service, dict(zip(texts[::2], texts[1::2], strict=False)))
    return found if found is not None and 0 < found.version < MOST_VERSION else None


def events_of(service: str, entries: Any) -> tuple[Event, ...]:
    """The entries of a stream that can be read, in their order."""
    found = (event_of(service, entry[1]) for entry in entries or () if entry and len(entry) > 1)
    return tuple(one for one in found if one is not None)


def _raise_lost(*replies: Any) -> None:
    """What a service's keys refuse is its own trouble; everything else is everybody's."""
    for reply in replies:
        if isinstance(reply, Exception) and (
            not isinstance(reply, ResponseError) or isinstance(reply, NoPermissionError)
        ):
            raise reply
