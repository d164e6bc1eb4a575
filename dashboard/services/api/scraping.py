"""What Prometheus may be told: everything that is known, or that it is not known now."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from dashboard.api.problems import Refused
from dashboard.servers.models import Server
from dashboard.services.wall import known
from redisops.services import Instance
from redisops.services.looking import AT_ONCE
from redisops.services.overview import Look, Overview

HOLD = 15.0  # seconds after Redis lost its data in which all are expected back
MOST_LOOKS = 20
_epochs: dict[str, dict[str, str]] = {}  # by server: each service's epoch when it was told last
_lost_at: dict[str, float] = {}


def instances(server: Server, service: str, is_for: Callable[[str], bool]) -> list[Instance]:
    """All instances of the services that ``is_for`` lets through, of ``service`` alone if given.

    ``Refused`` 503 when something cannot be read, when Redis lost its data a moment ago, and when
    there are none. One round trip or two for each 1,000 services, more when they are first read.
    """
    look = _look(server, service)
    seen = [one for name, one in sorted(look.services.items()) if is_for(name)]
    if service:
        seen = [one for one in seen if one.name == service]
    trouble = look.trouble or next(
        (f"{one.name}: {one.trouble}" for one in seen if one.trouble), ""
    )
    if trouble or not look.is_whole or look.more:
        raise _unknown(trouble or "There are more services than are read at once.")
    if _is_recovering(server.slug, look):
        raise _unknown(
            "Redis lost its data, or all that is there is new: others may be coming back."
        )
    found = [one for seen_one in seen for one in seen_one.instances]
    if not found:
        raise _unknown("No instance is registered. An empty list would remove every target.")
    return found


def forget_all() -> None:
    """Forget what was told before."""
    _epochs.clear()
    _lost_at.clear()


def _look(server: Server, service: str) -> Look:
    """Go on from what this process knows: all names anew, each service's version, and what changed.

    What was read is kept look by look, so that who asks again gets further where there is much.
    """
    overview, of_server = Overview(server.client()), known.of(server)
    held = of_server.look
    look = dataclasses.replace(held, cursor="0", found=frozenset(), walked=False)
    compared = 0  # services at most: only of so many are the versions read at once
    for _ in range(MOST_LOOKS):
        compared += AT_ONCE if look.walked else 0
        look = overview.look(look, [service] if service else [])
        if of_server.look is held:  # else somebody else's look came between, and stays
            held = dataclasses.replace(look, walked=look.walked or held.walked)
            of_server.take(held)
        enough = len(look.services) <= AT_ONCE or compared >= len(look.services)
        if look.trouble or (look.is_whole and enough):
            break
    return look


def _is_recovering(slug: str, look: Look) -> bool:
    """Whether a service that had instances lost its epoch, or has another one, since the last time.

    Who was not told before cannot know that: where all that is there was first looked at a moment
    ago, that is taken for a Redis that comes back. A service that is new beside others is not.
    """
    now = time.monotonic()
    known = _epochs.get(slug, {})
    there = [one for one in look.services.values() if one.instances]
    fresh = {name: one.reading.epoch for name, one in look.services.items()}
    is_young = not known and bool(there) and all(one.holding for one in there)
    if is_young or any(fresh.get(name, "") != epoch for name, epoch in known.items()):
        _lost_at[slug] = now
    _epochs[slug] = {one.name: one.reading.epoch for one in there if one.reading.epoch}
    return now - _lost_at.get(slug, float("-inf")) < HOLD


def _unknown(detail: str) -> Refused:
    return Refused(503, "The targets are not known now", detail[:500], Retry_After="5")
