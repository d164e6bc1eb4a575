"""A look at all services in the making: what is asked in which turn, and what replies say."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Sequence
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from redisops.replies import text
from redisops.services.decoding import FLAPPING, judged, pairs, seconds, whole
from redisops.services.naming import SERVICES, Keys, is_service
from redisops.services.registry import reading
from redisops.services.results import result
from redisops.services.seen import Look, Seen
from redisops.services.timeline import events_of

MOST_SERVICES = 10_000
MOST_INSTANCES = 20_000
NAMES_AT_ONCE = 1_000
FIRST_NAMES = 10_000
"""Names of one look until all were looked at once."""
AT_ONCE = 1_000
"""Services of one look; where there are more, each look goes on with the next."""
LEASES_AT_ONCE = 5_000
READ_AT_ONCE = 500
RECORDS_AT_ONCE = 5_000
"""Records that one look reads anew, of services whose size is known."""
DETAILS_AT_ONCE = 2_000
"""Instances whose check results one look reads again."""
EVENTS = 12


class Looking:
    """A look in the making: the one before, and what the replies say."""

    def __init__(self, before: Look, now: float) -> None:
        self.before, self.now = before, now
        self.services = dict(before.services)
        self.found, self.walked = before.found, before.walked
        self.cursor, self.trouble = before.cursor, before.trouble
        self.asked: Sequence[str] = ()  # names of which is not known whether they live
        self.later: tuple[str, ...] = ()
        self.looked: dict[str, None] = {}
        self.left = MOST_INSTANCES - sum(len(one.instances) for one in self.services.values())
        self._told: Sequence[str] = ()
        self._missing: Sequence[str] = ()
        self._is_over = False  # this look saw the last of the names
        self._lacks = False  # there was no room for all that it found

    def tell(self, names: Collection[str]) -> None:
        """Names that somebody announced: whether there are such services is seen by reading."""
        self._told = [one for one in names if one not in self.services and is_service(one)]

    def name(self, reply: Any, count: Any) -> None:
        """One page of the names, and how many there are."""
        self.trouble = ""
        if isinstance(reply, Exception):
            _pass_on(reply)
            self.trouble = _words(reply, SERVICES.decode())
            return
        cursor, page = reply
        names = {name for name in map(text, page) if is_service(name)}
        self.cursor = text(cursor)
        if isinstance(count, int) and count <= MOST_SERVICES:
            self._list(names)
        else:
            self.asked = sorted(names)

    def live(self, replies: Sequence[Any]) -> None:
        """How many keys of its own each of those ``asked`` has; refusals count as some."""
        if not self.asked:
            return
        there = dict(zip(self.asked, replies, strict=True))
        for name in (one for one, keys in there.items() if keys == 0):
            self.services.pop(name, None)  # makes room at once
        self._list({name for name, keys in there.items() if keys != 0})
        stale = [one for one in self.later if one in self.services]
        waiting = list(dict.fromkeys((*self.later, *self._missing)))
        unread = [one for one in waiting if one not in self.services]
        self.later = (*stale, *unread[: self._room(len(unread))])

    def _list(self, names: set[str]) -> None:
        """These are services; after the last page, who is not among them is forgotten."""
        found = self.found | names
        if len(found) > MOST_SERVICES:  # who is known stays
            known = found & self.services.keys()
            found = frozenset([*known, *sorted(found - known)][: MOST_SERVICES + 1])
        self.found = found
        if self.cursor != "0":
            self._missing = sorted(names - self.services.keys())
            return
        for name in self.services.keys() - found:
            del self.services[name]
        self._missing = sorted(found - self.services.keys())
        self.found, self.walked, self._is_over = frozenset(), True, True

    def unread(self) -> Sequence[str]:
        """Names that were never read."""
        waiting = [one for one in self.before.unread if one not in self.services]
        names = list(dict.fromkeys([*waiting, *self._told, *self._missing]))
        return names[: self._room(len(names))]

    def _room(self, wanted: int) -> int:
        """How many more services may be read, where so many are waited for."""
        room = max(0, MOST_SERVICES - len(self.services)) if self.left > 0 else 0
        self._lacks |= wanted > room or (self.left <= 0 and self.before.more)
        return room

    def take(self, name: str, replies: Sequence[Any]) -> bool:
        """Version, leases and the last sweep; whether its records must be read anew."""
        seen = self.services.get(name)
        if seen is None:
            return False
        versions, leases, swept = replies
        changes: dict[str, Any] = {"at": self.now, "trouble_now": ""}
        for reply, key in ((versions, "ver"), (leases, "lease"), (swept, "swept")):
            if isinstance(reply, Exception):
                _pass_on(reply)
                changes["trouble_now"] = _words(reply, key)
        if not isinstance(leases, Exception):
            changes["ends"] = _ends(leases)
        if isinstance(swept, list | tuple):
            changes["swept"], holding, keeping = (seconds(part) or 0.0 for part in swept)
            changes["holding"] = holding if holding > self.now else 0.0
            changes["keeping"] = keeping if keeping > self.now else 0.0
        self.services[name] = dataclasses.replace(seen, **changes)
        self.looked[name] = None
        return versions is not None and self.is_changed(name, versions)

    def is_changed(self, name: str, versions: Any) -> bool:
        """Whether a service's records are not those of these versions."""
        seen = self.services.get(name)
        if seen is None:
            return False
        if isinstance(versions, Exception):
            _pass_on(versions)
            return True  # nobody can tell whether it changed
        epoch, version = versions
        return (text(epoch or b""), text(version or b"0")) != (
            seen.reading.epoch,
            str(seen.reading.version),
        )

    def detail(self, name: str, results: Any, states: Any, untils: Any) -> None:
        """The last checks, who flaps, and until when maintenance lasts."""
        seen = self.services.get(name)
        if seen is None:
            return
        changes: dict[str, Any] = {"detailed": self.now}
        for reply in (results, states, untils):
            if isinstance(reply, Exception):
                _pass_on(reply)
        if not isinstance(results, Exception):
            read = ((text(id), result(packed)) for id, packed in pairs(results[1]))
            changes["results"] = {id: found for id, found in read if found is not None}
        if not isinstance(states, Exception):
            changes["flapping"] = frozenset(
                text(id) for id, said in pairs(states[1]) if judged(said, self.now)[1] >= FLAPPING
            )
        if not isinstance(untils, Exception):
            changes["kept"] = _ends(untils)
        self.services[name] = dataclasses.replace(seen, **changes)

    def read(self, name: str, replies: Sequence[Any]) -> None:
        """The records of a service, and its newest changes."""
        versions, records, entries = replies
        trouble = ""
        for reply, key in ((versions, "ver"), (records, "rec"), (entries, "events")):
            if isinstance(reply, Exception):
                _pass_on(reply)
                trouble = _words(reply, key)
        epoch, version = ("", "0")
        if not isinstance(versions, Exception):
            epoch, version = text(versions[0] or b""), text(versions[1] or b"0")
        values = [] if isinstance(records, Exception) else [one for _, one in pairs(records[1])]
        before = self.services.get(name)
        room = max(0, self.left + (len(before.instances) if before else 0))
        self._lacks |= len(values) > room
        found = reading(name, epoch, whole(version), values[:room], self.now)
        self.left = room - len(found.instances)
        events = () if isinstance(entries, Exception) else events_of(name, entries)
        nothing = not found.epoch and not found.version and not values
        if before is None and name in self._told and nothing and not trouble:
            return  # announced by somebody, and not there
        base = before or Seen(name, found)
        self.services[name] = dataclasses.replace(
            base, reading=found, events=events, at=self.now, trouble_read=trouble
        )
        self.looked[name] = None

    def now_and_later(self, names: Sequence[str]) -> Sequence[str]:
        """Which of those to be read are read now; the others are left to the next look."""
        records = 0
        for place, name in enumerate(names):
            seen = self.services.get(name)
            records += len(seen.instances) if seen else 0
            if place and (place == READ_AT_ONCE or records > RECORDS_AT_ONCE):
                self.later = tuple(one for one in names[place:] if one not in self._told)
                return names[:place]
        return names

    def look(self, at: int) -> Look:
        unread = tuple(one for one in self.later if one not in self.services)
        stale = tuple(one for one in self.later if one in self.services)
        more = self._lacks or (self.before.more and not self._is_over)
        return Look(
            self.now, self.services, unread, more, tuple(self.looked), self.trouble,
            self.cursor, at, self.found, stale, self.walked,
        )  # fmt: skip


def due_of(
    before: Look, first: Collection[str], *, in_turn: bool
) -> tuple[list[str], list[str], int]:
    """The services of this look: those that changed, then the next in turn; those after them, of
    which only the versions are read; where to go on."""
    names = list(before.services)
    due = dict.fromkeys(name for name in first if name in before.services)
    if not names or not in_turn:
        return list(due), [], before.at
    at, leases, versions = before.at % len(names), 0, []
    end = at
    for place in range(min(len(names), AT_ONCE)):
        name = names[(at + place) % len(names)]
        if leases < LEASES_AT_ONCE:
            due[name] = None
            leases += len(before.services[name].instances)
            end = (at + place + 1) % len(names)
        elif name not in due:
            versions.append(name)
    return list(due), versions, end


def to_detail(before: Look, due: Sequence[str]) -> list[str]:
    """Those of them whose details are oldest."""
    chosen, instances = [], 0
    for name in sorted(due, key=lambda name: before.services[name].detailed):
        chosen.append(name)
        instances += max(1, len(before.services[name].instances))
        if instances >= DETAILS_AT_ONCE:
            break
    return chosen


def names_of(before: Look) -> list[tuple[Any, ...]]:
    """One page of the names, and how many there are."""
    count = NAMES_AT_ONCE if before.walked else FIRST_NAMES
    return [("SSCAN", SERVICES, before.cursor, "COUNT", count), ("SCARD", SERVICES)]


def lease_of(keys: Keys) -> list[tuple[Any, ...]]:
    """When leases end, and when a sweeper looked."""
    return [
        ("ZRANGE", keys.lease, 0, MOST_INSTANCES - 1, "WITHSCORES"),
        ("HMGET", keys.swept, "at", "hold", "keep"),
    ]


def details_of(keys: Keys) -> list[tuple[Any, ...]]:
    """Check results, what judging remembers, and ends of maintenance."""
    return [
        ("HSCAN", keys.chk, 0, "COUNT", MOST_INSTANCES),
        ("HSCAN", keys.st, 0, "COUNT", MOST_INSTANCES),
        ("ZRANGE", keys.until, 0, MOST_INSTANCES - 1, "WITHSCORES"),
    ]


def clock(reply: Any) -> float:
    """The server's time, seconds since 1970."""
    if isinstance(reply, Exception):
        _pass_on(reply)
        return time.time()  # TIME is refused: our own clock is the next best
    return float(int(reply[0])) + int(reply[1]) / 1e6


def _pass_on(error: Exception) -> None:
    """Refusals and wrong types are told on the spot; anything else is the caller's to hear."""
    refused = isinstance(error, NoPermissionError)
    if not refused and not (isinstance(error, ResponseError) and "WRONGTYPE" in str(error)):
        raise error


def _words(error: Exception, key: str) -> str:
    return f"{key}: {error}"[:300]


def _ends(flat: Any) -> dict[str, int]:
    ends = {}
    for id, score in pairs(flat):
        try:
            ends[text(id)] = int(float(score))
        except (ValueError, OverflowError):
            continue  # an endless lease, of somebody else's making
    return ends
