"""What advice is made of: a count of all keys, a sample of them, and what caches told of their use.

Each part may be missing: then it is said, and the rules that need it are silent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import NoPermissionError, RedisError

from dashboard.caching.eviction import coverage
from dashboard.servers import beside, counted
from dashboard.servers.counted import Counted
from dashboard.servers.models import Server
from dashboard.servers.sampling import samples
from redisops.cache import Document, DocumentError, Minute, Publishing, Statistics
from redisops.errors import RedisopsError
from redisops.eviction import Eviction, Standing
from redisops.resilience import deadline
from redisops.survey.samples import Facts
from redisops.trials import Trial, Trials

SAMPLE = 800
TRIED = 60
TRY_FROM = 1024  # bytes from which compression is worth trying
CACHES = 40
HOUR, DAY = 3600, 86_400


@dataclass(frozen=True)
class Known:
    """``counted``: the last count of all keys, None before the first. ``standing`` has the sample.

    ``hour`` and ``day`` are what each namespace of the library's caches did in the last hour and
    the last day, as sums. ``lookups`` are (hits, misses) of the whole server in the last hour.
    ``published`` is how the namespaces are told to cache. ``missing`` says in words what is not
    known, and why.
    """

    server: Server
    standing: Standing
    counted: Counted | None
    trials: Sequence[Trial] = ()
    hour: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    day: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    lookups: tuple[float, float] | None = None
    published: Document | None = None
    missing: tuple[str, ...] = ()

    @property
    def sample(self) -> list[Facts]:
        """The drawn keys, without the console's and the library's own."""
        return [one for one in self.standing.sample if not self.is_own(one.key)]

    def is_own(self, name: bytes) -> bool:
        """Whether a key or folder is the console's, or live configuration of the library."""
        return is_own(self.server, name)

    @property
    def scale(self) -> float:
        """How many keys one of the sample stands for."""
        drawn = len(self.standing.sample)
        return self.standing.keys / drawn if self.standing.keys and drawn else 1.0


def is_own(server: Server, name: bytes) -> bool:
    """Whether nobody is to be advised on a key or folder: the console's and the library's own."""
    return server.protects(name) or beside.is_librarys(name)


def look(server: Server) -> Known:
    """At most 11 round trips to the server, one to home, one query.

    Raises what the server raises when it does not answer; what is refused is told instead.
    """
    redis = server.client()
    seen = counted.newest(server)
    standing = coverage.weighed(Eviction(redis).look(SAMPLE), seen)
    missing = [f"+{right}" for right in standing.missing if right != "config|get"]
    strings = [
        one for one in standing.sample
        if one.type == "string" and (one.size or 0) >= TRY_FROM and not is_own(server, one.key)
    ]  # fmt: skip
    trials: list[Trial] = []
    try:
        trials = Trials(redis).compress([one.key for one in strings[:TRIED]])
    except NoPermissionError:
        missing.append("+strlen +getrange")
    hour, day = _uses(redis, missing)
    return Known(
        server, standing, seen, trials, hour, day, _lookups(server),
        _published(redis), tuple(dict.fromkeys(missing)),
    )  # fmt: skip


Sums = dict[str, dict[str, int]]


def _uses(redis: Any, missing: list[str]) -> tuple[Sums, Sums]:
    statistics = Statistics(redis)
    hour: Sums = {}
    day: Sums = {}
    try:
        names = [name for name, at in statistics.namespaces(CACHES) if at > time.time() - 7 * DAY]
        if names:
            minutes = statistics.minutes_many(names, 60)
            hour = {name: _sums(minutes.get(name, [])) for name in names}
            # A day of one that nobody read in this hour: only those can be unread all day.
            quiet = [name for name in names if not served(hour[name])][:5]
            day = {name: _sums(statistics.hours(name, 24)) for name in quiet}
    except NoPermissionError:
        missing.append("reading redisops:cache:*")
    return hour, day


def served(figures: Mapping[str, int]) -> int:
    """Reads that had a value at once."""
    return figures.get("hits", 0) + figures.get("local", 0) + figures.get("stale", 0)


def _sums(rows: Sequence[Minute]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for name, count in row.figures.items():
            total[name] = total.get(name, 0) + count
    return total


def _published(redis: Any) -> Document | None:
    try:
        return Publishing(redis).published()
    except (NoPermissionError, DocumentError):
        return None


def _lookups(server: Server) -> tuple[float, float] | None:
    """Hits and misses of all readers in the last hour, from what the sampler keeps on home."""
    now = time.time()
    names = list(samples.FIELDS)
    hits, misses = names.index("hits"), names.index("misses")
    try:
        with deadline(1.0):
            reading = samples.series().read(samples.name(server), now - HOUR, now, 60)
    except (RedisError, RedisopsError):
        return None
    rows = [row for row in reading.rows if row.good and len(row.values) > misses]
    if not rows:
        return None
    return (
        sum(row.values[hits] or 0 for row in rows) * reading.step,
        sum(row.values[misses] or 0 for row in rows) * reading.step,
    )
