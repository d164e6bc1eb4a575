"""One service as a reader knows it: what was read, and the announced changes since."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from redisops.services.model import Event, Instance, Reading, event
from redisops.services.naming import Keys

MOST_BYTES = 200_000  # of one announcement


@dataclass(frozen=True)
class Copy:
    """A service as it is known here; replaced whole, never changed.

    ``instances`` are in the order of their ids; ``since`` says when each was first seen here, by
    ``time.monotonic()``, 0 for those of the first look. ``version`` and ``epoch``: see Reading.
    """

    service: str
    instances: tuple[Instance, ...] = ()
    version: int = 0
    epoch: str = ""
    malformed: int = 0
    since: dict[str, float] = field(default_factory=dict)


class Local:
    """What is known of one service, and when it was confirmed."""

    def __init__(self, service: str) -> None:
        self.keys = Keys(service)
        self.copy = Copy(service)
        self.reading: Reading | None = None
        self.by_id: dict[str, Instance] = {}
        self.kept: dict[str, float] = {}  # of an epoch before: until when (monotonic)
        self.confirmed_at: float | None = None
        self.trouble = ""
        self.due = 0.0

    def take(self, found: Reading) -> bool:
        """Take what was read; whether it changed anything."""
        now = time.monotonic()
        self.confirmed_at, self.due = now, float("inf")
        before = self.reading
        if found is before:
            return self._let_go(now)
        fresh = {one.id: one for one in found.instances}
        if before is not None and before.epoch != found.epoch:
            # Redis lost its data: who is not back yet is called on for one lease.
            for id, one in self.by_id.items():
                self.kept.setdefault(id, now + max(one.ttl, 1.0))
        self.kept = {id: end for id, end in self.kept.items() if id not in fresh and end > now}
        for id in self.kept:
            fresh[id] = self.by_id[id]
        self.reading, self.by_id = found, fresh
        self.publish(0.0 if before is None else now)
        return True

    def apply(self, one: Event) -> bool:
        """Apply the next change; False when it is not the next, and the service must be read.

        Readers see it after ``publish``: many changes at once are published once.
        """
        known = self.reading
        if known is None or not known.epoch or one.version != known.version + 1:
            return False
        there = self.by_id.get(one.id)
        if one.state == "gone":
            self.by_id.pop(one.id, None)
            self.kept.pop(one.id, None)
        elif one.record is not None:
            self.by_id[one.id] = one.record
            self.kept.pop(one.id, None)
        elif there is None:
            return False
        else:
            since = there.since if there.state == one.state else one.at
            self.by_id[one.id] = there._replace(state=one.state, suspect=one.suspect, since=since)
        self.reading = dataclasses.replace(known, version=one.version)
        self.confirmed_at = time.monotonic()
        return True

    def _let_go(self, now: float) -> bool:
        over = [id for id, end in self.kept.items() if end <= now]
        for id in over:
            del self.kept[id]
            self.by_id.pop(id, None)
        if over:
            self.publish(now)
        return bool(over)

    def publish(self, now: float) -> None:
        """Let readers see what is so; ``now`` is when they first saw who is new."""
        before, known = self.copy, self.reading
        assert known is not None
        was = {one.id: one.fence for one in before.instances}
        since = {
            id: before.since[id] if was.get(id) == one.fence and id in before.since else now
            for id, one in self.by_id.items()
        }
        self.copy = Copy(
            before.service, tuple(self.by_id[id] for id in sorted(self.by_id)),
            known.version, known.epoch, known.malformed, since,
        )  # fmt: skip


def fits(one: Instance, *, version: str = "", zone: str = "", tags: Collection[str] = ()) -> bool:
    """Whether an instance has this version (``1.4*``: begins with), zone and all the tags."""
    if version and not (
        one.version.startswith(version[:-1]) if version.endswith("*") else one.version == version
    ):
        return False
    return (not zone or one.zone == zone) and all(tag in one.tags for tag in tags)


def announced(service: str, data: bytes) -> Event | None:
    """The change that an announcement tells of; None when it is none. Never raises."""
    if len(data) > MOST_BYTES:
        return None
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return event(service, said) if isinstance(said, dict) else None
