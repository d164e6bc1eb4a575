"""What a service page shows, out of Redis and out of what is kept: bounded, each part once."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from redis.exceptions import ResponseError

from dashboard.servers.models import Server
from dashboard.services.history import loading, uptime
from dashboard.services.history.foreign import plain
from dashboard.services.history.loading import Loaded
from dashboard.services.history.spells import Row, has_died
from dashboard.services.history.uptime import Record
from dashboard.services.instances import calling, plotting, routing
from dashboard.services.instances.calling import Seen
from redisops.pubsub import Channels
from redisops.services import Instance, Keys, Reading, Registry
from redisops.services.evidence import Evidence, Evidences, Known
from redisops.services.model import GONE_FOR

ROWS = 50
"""Instances on one page."""
BLIND = 10.0
"""Seconds without a sweep after which the present is not known any more."""
SAME = 0.002
"""Seconds by which a time that was kept may differ from the one in Redis."""
LEFT_SECONDS = 86_400.0
MOST_LEFT = 12
PARTS = 6
RECORD_SECONDS = 60.0
"""Seconds for which an uptime holds while nothing happens: pages ask every few seconds."""
MOST_SPELLS = 50_000
"""Spells of the uptimes that a process keeps so."""
_records: OrderedDict[tuple[int, str, str], tuple[Any, Record]] = OrderedDict()
_lock = threading.Lock()
_ORDER = ("critical", "warning", "starting", "draining", "maintenance", "passing")


@dataclass(frozen=True)
class Part:
    """A version or a zone: how many instances have it, and how many of them get traffic.

    ``share`` is the second out of the first, 0 to 1.
    """

    name: str
    count: int
    routed: int
    share: float


@dataclass(frozen=True)
class InstanceRow:
    """One instance with its evidence. ``left``: seconds of its lease, below 0 when it is late."""

    one: Instance
    evidence: Evidence
    record: Record
    shape: str
    word: str
    reason: str
    left: float | None
    why: str = ""
    seen: Seen = Seen("", "not known")  # noqa: RUF009 - frozen

    @property
    def left_late(self) -> float | None:
        """Seconds since its lease was over."""
        return None if self.left is None else -self.left

    @property
    def version(self) -> str:
        return plain(self.one.version, 100)

    @property
    def zone(self) -> str:
        return plain(self.one.zone, 100)

    @property
    def check_why(self) -> str:
        """What its last check found, in the checker's words."""
        return plain(self.evidence.checked.why, 200) if self.evidence.checked else ""

    @property
    def recent(self) -> list[float | None]:
        """How long its last checks took, ms, oldest first; None where one failed, or none was."""
        return plotting.recent(self.evidence.ring)

    @property
    def bad_in_a_row(self) -> int:
        """Failed checks one after another."""
        return max(-self.evidence.in_a_row, 0)

    @property
    def day(self) -> uptime.Uptime:
        """The last 24 h."""
        return self.record.uptimes[0]


@dataclass(frozen=True)
class Left:
    """The change with which an instance went, and the one with which it came back, if it did."""

    row: Row
    back: Row | None = None

    @property
    def has_died(self) -> bool:
        return has_died(self.row)

    @property
    def lasted(self) -> float | None:
        """Seconds for which it was gone; None while it is."""
        return None if self.back is None else self.back.at - self.row.at


@dataclass(frozen=True)
class Look:
    """A service as it is now, with what is kept of it."""

    service: str
    reading: Reading
    known: Known
    loaded: Loaded
    now: float
    place: tuple[int, str] = (0, "")
    """The server's key and the service, for what is kept."""

    @property
    def instances(self) -> tuple[Instance, ...]:
        return self.reading.instances

    @property
    def routed(self) -> int:
        """Instances that get traffic."""
        return sum(one.is_routed for one in self.instances)

    @property
    def blind_since(self) -> float | None:
        """Since when nobody sweeps; None while somebody does, or when that is not known."""
        swept = self.known.swept
        if not self.instances or swept is None or any("sweep" in one for one in self.known.missing):
            return None
        return swept if self.now - swept > BLIND else None

    @property
    def was_never_swept(self) -> bool:
        """Whether nobody ever swept it, though somebody is registered."""
        if any("sweep" in one for one in self.known.missing):
            return False
        return bool(self.instances) and self.known.swept is None

    @property
    def watched(self) -> float | None:
        """Until when the present can be told; None for until now."""
        return self.blind_since

    @cached_property
    def record(self) -> Record:
        """The service as a whole over 30 days, with its incidents."""
        return self._lately("", self.loaded.rows, uptime.of_service, self.states)

    @cached_property
    def states(self) -> dict[str, tuple[str, bool]]:
        return {one.id: (one.state, one.suspect) for one in self.instances}

    def record_of(self, id: str) -> Record:
        """One instance over 30 days."""
        return self._lately(id, self.rows_of(id), uptime.of_instance, self.states.get(id))

    def _lately(self, id: str, rows: list[Row], of: Callable[..., Record], now: Any) -> Record:
        """As computed within the last ``RECORD_SECONDS``, where nothing happened since."""
        last = rows[-1] if rows else None
        so = (len(rows), last, self.loaded.known_from, now, self.watched)
        key = (*self.place, id)
        with _lock:
            known = _records.get(key)
            if (
                known is not None
                and known[0] == so
                and 0 <= self.now - known[1].end < RECORD_SECONDS
            ):
                _records.move_to_end(key)
                return known[1]
        found = of(rows, self.loaded.known_from, self.now, now, self.watched)
        with _lock:
            _records[key] = so, found
            _records.move_to_end(key)
            while sum(1 + len(one.spells) for _, one in _records.values()) > MOST_SPELLS:
                _records.popitem(last=False)
        return found

    @cached_property
    def _gaps(self) -> list[Row]:
        return [row for row in self.loaded.rows if row.is_gap]

    @cached_property
    def _changes(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.loaded.rows:
            if not row.is_gap:
                found.setdefault(row.instance, []).append(row)
        return found

    def rows_of(self, id: str) -> list[Row]:
        """Its changes and the gaps of the service, oldest first."""
        own = self._changes.get(id, [])
        return sorted([*own, *self._gaps], key=lambda row: row.at) if self._gaps else own

    def row(self, one: Instance) -> InstanceRow:
        """An instance as a line of the table."""
        evidence = self.known.of(one.id)
        why = plain(self._why(one), 200)
        left = None if evidence.ends is None else evidence.ends - self.now
        return InstanceRow(
            one, evidence, self.record_of(one.id), routing.shape(one, evidence),
            routing.word(one, evidence),
            routing.reason(one, evidence, self.known.terms, last=why), left, why,
            calling.seen(self.known.passive.get(one.id), self.known.readers),
        )  # fmt: skip

    def _why(self, one: Instance) -> str:
        """Why it came into its state: as Redis tells it, or as it was kept; "" when neither is
        of this state (what is kept may lag by a second)."""
        told = self.known.why(one)
        if told is not None:
            return told
        own = self._changes.get(one.id, [])
        came = (row for row in reversed(own) if abs(row.at - one.since) < SAME)
        return next((row.why for row in came if row.state == one.state), "")

    @cached_property
    def left(self) -> list[Left]:
        """Who went in the last 24 h, newest first; of who is back those that had died."""
        found: dict[str, Left] = {}
        back: dict[str, Row] = {}
        for row in reversed(self.loaded.rows):
            if row.at < self.now - LEFT_SECONDS or len(found) >= MOST_LEFT:
                break
            if row.is_gap or row.instance in found:
                continue
            if row.state != "gone":
                back[row.instance] = row
                continue
            returned = back.get(row.instance)
            if returned is None and row.instance not in self.states:
                found[row.instance] = Left(row)
            elif returned is not None and has_died(row):
                found[row.instance] = Left(row, returned)
        return list(found.values())

    @cached_property
    def missed(self) -> list[str]:
        """Who died in the last minutes and is not back: they count as instances, as on the wall."""
        return [
            one.row.instance
            for one in self.left
            if one.has_died and one.back is None and self.now - one.row.at < GONE_FOR
        ]

    @property
    def total(self) -> int:
        """Instances, with those that are missed."""
        return len(self.instances) + len(self.missed)

    @property
    def versions(self) -> list[Part]:
        return _parts(self.instances, "version")

    @property
    def zones(self) -> list[Part]:
        return _parts(self.instances, "zone")


def look(server: Server, service: str, ids: list[str] | None = None, page: int = 0) -> Look:
    """Read a service: two round trips, one script and ten commands, and two queries.

    Evidence is read of ``ids``, or of the instances of a page (worst first). Raises Redis's errors.
    """
    redis = server.client()
    reading = Registry(redis).read(service)
    now = reading.now or time.time()
    shown = ids if ids is not None else [one.id for one in paged(reading, page)]
    known = Evidences(redis).of(service, shown, now)
    return Look(service, reading, known, loading.load(server, service, now), now,
                (server.pk, service))  # fmt: skip


def paged(reading: Reading, page: int) -> list[Instance]:
    """The instances of a page, worst first."""
    return worst_first(reading)[page * ROWS : (page + 1) * ROWS]


def worst_first(reading: Reading) -> list[Instance]:
    """All instances: suspects and critical ones first, then by name."""

    def place(one: Instance) -> tuple[bool, int, str]:
        known = _ORDER.index(one.state) if one.state in _ORDER else 0
        return not one.suspect, known, one.id

    return sorted(reading.instances, key=place)


def listeners(server: Server, service: str) -> int | None:
    """How many connections hear of its changes; None when the server does not say.

    One command a node. Who only asks from time to time is not among them.
    """
    channel = Keys(service).channel
    try:
        return Channels(server.client()).subscribers([channel])[channel]
    except ResponseError:  # a right that is missing, a server that renamed the command
        return None


def _parts(instances: tuple[Instance, ...], field: str) -> list[Part]:
    all_of, routed = Counter[str](), Counter[str]()
    for one in instances:
        name = getattr(one, field)
        all_of[name] += 1
        routed[name] += one.is_routed
    common = all_of.most_common(PARTS)
    found = [Part(plain(name, 60), n, routed[name], routed[name] / n) for name, n in common]
    rest = len(instances) - sum(part.count for part in found)
    if rest:
        others = len(all_of) - len(found)
        served = sum(routed.values()) - sum(part.routed for part in found)
        found.append(Part(f"{others} others", rest, served, served / rest))
    return found
