"""The streams of a server with what is wrong with each, the worst first."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from dashboard.servers import finding
from dashboard.servers.finding import Found
from dashboard.servers.models import HOME, Server
from dashboard.ui import numbers
from redisops.errors import RedisopsError
from redisops.streams.info import GroupInfo, StreamInfo, Streams

PAGE = 50
LONGEST_KEY = 2_000  # bytes of a name that fits an address
MOST = 200
STUCK = 5 * 60.0  # an entry in hand for so long: somebody should look
SILENT = 20  # times the usual distance between two entries, and a minute at least
KEPT = 600
GROUPS_KEPT = 12
STILL = 20.0  # seconds in which a group with unread entries does nothing: it looks stuck
NEAREST = 0.8  # seconds between two readings that a rate is made of, at least
HOME_TROUBLE = (RedisError, RedisopsError, OSError)
BAD, WARN, OFF, OK = "bad", "warn", "off", "ok"
Still = dict[bytes, float]
"""Of each group by name, for how many seconds it was seen to do nothing."""
_OWN = re.compile(rb"(svc:\{[^{}]*\}:events\Z|redisops:)", re.DOTALL)
"""Streams of our own, events of services among them: they are silent while nothing happens."""
_ORDER = {BAD: 0, WARN: 1, OK: 2, OFF: 3}


@dataclass(frozen=True)
class Row:
    """One stream: its facts, its rate since the last look, and the verdict in words."""

    info: StreamInfo
    rate: float | None
    age: float | None
    state: str
    words: str
    weight: float
    about: bytes | None = None  # the group that the words are about

    @property
    def key(self) -> bytes:
        return self.info.key

    @property
    def has_page(self) -> bool:
        """Whether the name fits an address."""
        return len(self.key) <= LONGEST_KEY

    @property
    def group(self) -> bytes | None:
        """The group that the words are about, as far as it has a page; None: no group."""
        return self.about if self.has_page and len(self.about or b"") <= LONGEST_KEY else None

    @property
    def mean(self) -> float | None:
        """Entries per second since the oldest that is held; None where ids are no times."""
        if self.age is None or not self.info.first_id:
            return None
        span = time.time() - _ms(self.info.first_id) / 1000
        return self.info.length / span if span > 0 and self.info.length > 1 else None

    @property
    def seconds(self) -> int:
        """Whole seconds since the last entry."""
        return round(self.age or 0)

    @property
    def last_at(self) -> float | None:
        return None if self.age is None else time.time() - self.age


@dataclass(frozen=True)
class Listing:
    """What the page shows: one page of ``rows``, of all that are known."""

    found: Found
    rows: list[Row]
    known: int
    out_of_reach: int
    page: int
    missing: str
    match: str

    @property
    def pages(self) -> int:
        return max(1, -(-self.known // PAGE))

    @property
    def troubled(self) -> list[Row]:
        return [row for row in self.rows if row.state in (BAD, WARN)]

    @property
    def rate(self) -> float | None:
        known = [row.rate for row in self.rows if row.rate is not None]
        return sum(known) if known else None

    @property
    def entries(self) -> int:
        return sum(row.info.length for row in self.rows)

    @property
    def pending(self) -> int:
        return sum(row.info.pending for row in self.rows)

    @property
    def lag(self) -> int | None:
        lags = [row.info.lag for row in self.rows]
        known = [lag for lag in lags if lag is not None]
        return sum(known) if len(known) == len(lags) else None


def read(server: Server, *, look_on: bool = False, match: str = "", page: int = 1) -> Listing:
    """The streams that are known, read in two round trips (and what looking for them costs)."""
    found = finding.found(server, "stream", look_on=look_on)
    wanted = match.encode("utf-8", "surrogateescape").lower()
    names = [name for name in found.names if wanted in name.lower()]
    told = Streams(server.client()).overview(names[:MOST])
    gone = [one.key for one in told if not isinstance(one, StreamInfo) and one.why != "reach"]
    if gone:
        finding.strike(server, "stream", gone)
    infos = [one for one in told if isinstance(one, StreamInfo)]
    rates, still = _remembered(server, infos)
    rows = sorted(
        (_row(info, rates.get(info.key), still.get(info.key)) for info in infos),
        key=lambda row: (_ORDER[row.state], -row.weight, row.key),
    )
    page = min(max(page, 1), max(1, -(-len(rows) // PAGE)))
    return Listing(
        found, rows[(page - 1) * PAGE : page * PAGE], len(rows), len(told) - len(infos) - len(gone),
        page, next((info.missing for info in infos if info.missing), ""), match,
    )  # fmt: skip


def _row(info: StreamInfo, rate: float | None, still: Still | None = None) -> Row:
    now = time.time()
    age = None if not info.last_id else max(now - _ms(info.last_id) / 1000, 0.0)
    if age is not None and age > 100 * 365 * 86400:
        age = None  # ids that somebody chose are no times
    return Row(info, rate, age, *_verdict(info, rate, age, still or {}))


def of(server: Server, key: bytes) -> Row | None:
    """One stream with its verdict, without a rate; None: there is none. Two round trips."""
    [told] = Streams(server.client()).overview([key])
    return _row(told, None) if isinstance(told, StreamInfo) else None


def _verdict(
    info: StreamInfo, rate: float | None, age: float | None, still: Still
) -> tuple[str, str, float, bytes | None]:
    stuck = [
        (g.oldest_idle / 1000, g) for g in info.groups
        if g.pending and g.oldest_idle is not None and g.oldest_idle / 1000 > STUCK
    ]  # fmt: skip
    if stuck:
        seconds, group = max(stuck, key=lambda one: one[0])
        waits = numbers.duration(seconds)
        words = f"{_name(group.name)} has had an entry in hand for {waits}"
        return BAD, words, seconds, group.name
    idle = [
        (still.get(g.name, 0.0), g) for g in info.groups
        if g.lag and g.consumers and still.get(g.name, 0.0) >= STILL
    ]  # fmt: skip
    if idle:
        seconds, group = max(idle, key=lambda one: one[0])
        words = (
            f"{_name(group.name)} looks stuck: nothing read or acknowledged for "
            f"{numbers.duration(seconds)}, {numbers.exact(group.lag)} wait"
        )
        return WARN, words, float(group.lag or 0), group.name
    behind = [(g.lag, g) for g in info.groups if g.lag]
    if behind:
        lag, group = max(behind, key=lambda one: one[0])
        late = lag > 1000 or (rate is not None and lag > 60 * max(rate, 0.1))
        if late:
            words = f"{_name(group.name)} is {numbers.exact(lag)} entries behind"
            return WARN, words, float(lag), group.name
    gap = None if _OWN.match(info.key) else _usual_gap(info)
    if gap is not None and age is not None and age > max(60.0, SILENT * gap):
        usual = f"one about every {numbers.duration(gap)}" if gap >= 1 else "several a second"
        return WARN, f"silent for {numbers.duration(age)}; there was {usual}", age, None
    unknown = [g for g in info.groups if g.lag is None]
    if unknown:
        return OK, f"lag of {_name(unknown[0].name)} is not known", 0.0, unknown[0].name
    if not info.length:
        return OFF, "empty", 0.0, None
    return OK, "", 0.0, None


def _usual_gap(info: StreamInfo) -> float | None:
    """Seconds between two entries as a rule; None where there are too few to tell."""
    if info.length < 10:
        return None
    span = (_ms(info.last_id) - _ms(info.first_id)) / 1000
    return span / (info.length - 1) if span > 0 else None


def _ms(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


def _name(name: bytes) -> str:
    from redisops.keys import printable

    return printable(name)[:60] or "(empty)"


# --- What was seen before: rates, and groups that do nothing ---------------------------------


def _remembered(
    server: Server, infos: list[StreamInfo]
) -> tuple[dict[bytes, float], dict[bytes, Still]]:
    """Entries per second of each stream, by how many had been added at an earlier look.

    And for how many seconds each group was seen to do nothing. Two commands on home.
    """
    now = time.time()
    place = f"{settings.HOME_PREFIX}streams:seen:{server.slug}:{server.digest}"
    added = {info.key.hex(): info.entries_added for info in infos if info.entries_added is not None}
    try:
        home = Server(slug=HOME, name="Home").client()
        before = json.loads(home.get(place) or "[]")
        looks: list[Any] = [look for look in before if 0 <= now - look[0] < KEPT][-2:]
        since = _since(infos, looks[-1][2] if looks else {}, now)
        if not looks or now - looks[-1][0] >= NEAREST:
            told = json.dumps([*looks[-1:], [now, added, since]], separators=(",", ":"))
            home.set(place, told, ex=KEPT)
    except HOME_TROUBLE:
        return {}, {}
    rates: dict[bytes, float] = {}
    for at, counts, _ in looks:  # the nearer of the two that is far enough away wins
        if now - at >= NEAREST:
            for name, count in added.items():
                if name in counts and count >= counts[name]:
                    rates[bytes.fromhex(name)] = (count - counts[name]) / (now - at)
    still = {
        info.key: {g.name: now - since[info.key.hex()][g.name.hex()][1] for g in _kept(info)}
        for info in infos if info.key.hex() in since
    }  # fmt: skip
    return rates, still


def _since(infos: list[StreamInfo], before: Any, now: float) -> dict[str, dict[str, list[Any]]]:
    """Of each group its place, and when it was seen there first."""
    found: dict[str, dict[str, list[Any]]] = {}
    for info in infos:
        known = before.get(info.key.hex(), {})
        for group in _kept(info):
            name, at = group.name.hex(), [f"{group.last_delivered} {group.pending}", now]
            was = known.get(name, at)
            found.setdefault(info.key.hex(), {})[name] = was if was[0] == at[0] else at
    return found


def _kept(info: StreamInfo) -> list[GroupInfo]:
    """The groups that are remembered: of a usual stream all."""
    return [group for group in info.groups[:GROUPS_KEPT] if len(group.name) <= LONGEST_KEY]
