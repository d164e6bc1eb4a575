"""What is known of single instances: their lease, their last check, what judging remembers."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from redisops.fast import AsyncFast, Fast
from redisops.replies import text
from redisops.services import readers
from redisops.services.decoding import FLAPPING, judged, pairs, seconds
from redisops.services.model import Event, Instance, Repaired, Terms
from redisops.services.naming import check_instance, keys_of
from redisops.services.readers import Passive, Readers
from redisops.services.results import Result, result
from redisops.services.rings import Ring, ring
from redisops.services.timeline import events_of
from redisops.steps import Awaiting, Blocking, Steps, step

MOST_AT_ONCE = 500
EVENTS = 64
"""Newest changes of a service in which an instance's is looked for."""
_SAME = 0.002
_HEAD = re.compile(rb"1 (\S+) [a-z]+ \d+ [01] \S+ \d+\n")


class Evidence(NamedTuple):
    """Of one instance. Times are seconds since 1970 by the server's clock, None where not known.

    ``ends`` is the end of its lease, ``until`` the end of its maintenance, ``checked`` its last
    check. ``in_a_row``: checks that went well (above 0) or badly (below 0) one after another.
    ``turns``: how often it turned of late, halved every five minutes; ``flaps`` when too often.
    ``ring``: how long its last checks took, None where none is kept.
    """

    id: str
    ends: float | None = None
    until: float | None = None
    checked: Result | None = None
    in_a_row: int = 0
    turns: float = 0.0
    ring: Ring | None = None

    @property
    def flaps(self) -> bool:
        """Whether it turns so often that it takes longer to come back."""
        return self.turns >= FLAPPING


@dataclass(frozen=True)
class Known:
    """What is known of some instances. ``swept``: when somebody last looked whose lease is over;
    ``held_until``: until then nobody is judged; ``events``: the newest changes of the service,
    newest first; ``readers``: who told that it discovers the service, None when that cannot be
    read; ``missing``: what could not be read, in words."""

    by_id: dict[str, Evidence] = field(default_factory=dict)
    swept: float | None = None
    held_until: float | None = None
    terms: Terms = field(default_factory=Terms)
    missing: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    readers: Readers | None = None

    @cached_property
    def passive(self) -> dict[str, Passive]:
        """What readers saw of single instances, by id; nothing of who was not called."""
        return self.readers.passive if self.readers is not None else {}

    def why(self, one: Instance) -> str | None:
        """Why it came into the state that it is in; None when no event that is left says so.

        That is the event at the time since which it is so: a later one (another weight) is not.
        """
        return next(
            (
                event.why
                for event in self.events
                if (event.id, event.state) == (one.id, one.state)
                and abs(event.at - one.since) < _SAME
            ),
            None,
        )

    def of(self, id: str) -> Evidence:
        """Of one instance; an empty one of who was not asked for."""
        return self.by_id.get(id, Evidence(id))


class _Evidences:
    """Reads ``lease until st chk ring swept cfg events readers told`` of a service (``Keys``);
    writes nothing."""

    _fast: Any

    @step
    def of(self, service: str, ids: Sequence[str], now: float) -> Steps[Known]:
        """What is known of at most 500 instances at ``now``. Ten commands, one round trip.

        What a user may not read, or has another type, is left out and named in ``missing``.
        """
        keys = keys_of(service)
        asked = [check_instance(id) for id in ids[:MOST_AT_ONCE]]
        each: list[tuple[Any, ...]] = [
            ("ZMSCORE", keys.lease, *asked), ("ZMSCORE", keys.until, *asked),
            ("HMGET", keys.st, *asked), ("HMGET", keys.chk, *asked),
            ("HMGET", keys.ring, *asked),
        ]  # fmt: skip
        moment = now or time.time()
        commands: list[tuple[Any, ...]] = [
            ("HMGET", keys.swept, "at", "hold"), ("HGETALL", keys.cfg),
            ("XREVRANGE", keys.events, "+", "-", "COUNT", EVENTS),
            *readers.commands(keys, moment),
        ]  # fmt: skip
        replies = yield self._fast.calls([*commands, *(each if asked else [])])
        names = ("the last sweep", "the terms", "the last changes", "readers", "what readers say",
                 "leases", "ends of maintenance", "what judging remembers", "check results",
                 "how long checks took")  # fmt: skip
        missing = []
        parts: list[Any] = [None] * 10
        for place, reply in enumerate(replies):
            if isinstance(reply, ResponseError):
                missing.append(f"{names[place]}: {reply}"[:300])
            elif isinstance(reply, Exception):
                raise reply
            else:
                parts[place] = reply
        swept, cfg, changes, told, page, leases, untils, states, checks, rings = parts
        found = {}
        for place, id in enumerate(asked):
            in_a_row, turns = judged(states[place] if states else None, now)
            packed = checks[place] if checks else None
            found[id] = Evidence(
                id, seconds(leases[place] if leases else None),
                seconds(untils[place] if untils else None),
                result(packed) if isinstance(packed, bytes) else None, in_a_row, turns,
                ring(rings[place]) if rings else None,
            )  # fmt: skip
        said = readers.of_replies(told, page, moment) if told is not None else None
        at, hold = swept or (None, None)
        return Known(found, seconds(at), seconds(hold), Terms.of(dict(pairs(cfg or []))),
                     tuple(missing), events_of(service, changes), said)  # fmt: skip

    @step
    def zombies(self, service: str, cursor: int = 0, count: int = 500) -> Steps[Repaired]:
        """What ``Sweeper.repair`` would remove among some instances; removes nothing.

        Walks as it does; two round trips. An instance that registers between them may be named.
        """
        keys = keys_of(service)
        walks_leases = cursor % 2
        key, walk = (keys.lease, "ZSCAN") if walks_leases else (keys.rec, "HSCAN")
        told, page = yield self._fast.call(walk, key, cursor // 2, "COUNT", count)
        flat = [part for pair in page.items() for part in pair] if isinstance(page, dict) else page
        ids, at = list(flat[::2]), int(told)
        goes_on = 2 * at + walks_leases if at else 0 if walks_leases else 1
        if not ids:
            return Repaired(service, cursor=goes_on)
        records, leases = yield self._fast.calls(
            [("HMGET", keys.rec, *ids), ("ZMSCORE", keys.lease, *ids)]
        )
        for reply in (records, leases):
            if isinstance(reply, Exception):
                raise reply
        kinds: tuple[list[str], list[str], list[str]] = ([], [], [])
        for id, record, lease in zip(ids, records, leases, strict=True):
            if record is None:
                kinds[1].append(text(id))
            elif not _is_record_of(record, id):
                kinds[2].append(text(id))
            elif lease is None:
                kinds[0].append(text(id))
        leaseless, recordless, useless = (tuple(kind) for kind in kinds)
        return Repaired(service, leaseless, recordless, useless, goes_on)


class Evidences(_Evidences, Blocking):
    __doc__ = _Evidences.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = Fast.of(client)


class AsyncEvidences(_Evidences, Awaiting):
    __doc__ = _Evidences.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = AsyncFast.of(client)


def _is_record_of(record: bytes, id: bytes) -> bool:
    """As ``service_repair.lua`` asks: a head as those of ours have, with this id."""
    head = _HEAD.match(record)
    return head is not None and head[1] == id
