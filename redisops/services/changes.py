"""The scripts that change one instance, ready to be sent alone or many at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from redisops.fast.sources import Script
from redisops.replies import text
from redisops.services.decoding import ms
from redisops.services.model import Registration, Replaced
from redisops.services.naming import check_instance, keys_of


class Held(NamedTuple):
    """An id that a process holds: what a beat must prove, and what registering gave."""

    service: str
    id: str
    fence: int
    ttl: float
    state: str = ""
    epoch: str = ""


def registering(who: Registration, fence: int, why: str) -> Script:
    """Register it; ``fence`` of who registers again, else 0."""
    keys = keys_of(who.service)
    return (
        "service_register",
        [keys.ver, keys.events, keys.lease, keys.rec, keys.st, keys.own, keys.epoch,
         keys.document(who.id)],
        [keys.channel, who.id, ms(who.ttl), who.packed, who.first_state, fence,
         secrets.token_hex(8), why[:500], *who.document],
    )  # fmt: skip


def registered(who: Registration, reply: Sequence[Any]) -> Held | Replaced:
    """What came of ``registering``."""
    said, held, state, epoch = (text(part) for part in reply[:4])
    if said == "replaced":
        return Replaced(f"{who.service} {who.id} was registered by another process later")
    return Held(who.service, who.id, int(held), who.ttl, state, epoch)


def leaving(service: str, id: str, why: str, fence: int) -> Script:
    """Remove it; with a fence only if no later process holds the id."""
    keys = keys_of(service)
    return (
        "service_deregister",
        [keys.ver, keys.events, keys.lease, keys.rec, keys.st, keys.own, keys.sus, keys.until,
         keys.chk, keys.document(id)],
        [keys.channel, id, fence, why[:500]],
    )  # fmt: skip


def setting(
    service: str, id: str, to: str, why: str, *,
    fence: int = 0, weight: str = "", seconds: float = 0.0,
) -> Script:  # fmt: skip
    """Another state, weight or end of maintenance; "" leaves a part as it is."""
    keys = keys_of(service)
    document = keys.document(check_instance(id))
    return (
        "service_set",
        [keys.ver, keys.events, keys.rec, keys.st, keys.until, document],
        [keys.channel, id, to, weight, ms(seconds), why[:500], fence],
    )
