"""What a namespace did, counted where it happens and told to Redis once a second at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redisops.cache.declared import LONGEST, Code, code_keys, read_code, read_codes
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, send

FIGURES = (
    "hits", "local", "misses", "stale", "negative", "loads", "failures", "load_us", "bytes",
    "prevented", "poisoned", "early", "unstored", "too_big", "down", "fallbacks",
)  # fmt: skip
KEEP_HOUR, KEEP_DAY = 25 * 3600, 32 * 86_400
NAMESPACES = b"redisops:cache:namespaces"


class Counts:
    """Plain numbers: ``+= 1`` on an attribute is not interrupted by another thread in CPython.

    ``hits`` are those of Redis, ``local`` those of the process; ``loads`` calls of the source that
    ended well, ``failures`` those that raised, ``load_us`` their time; ``bytes`` stored;
    ``prevented`` readers that did not ask the source because another did; ``poisoned`` values that
    are not ours;
    ``early`` refreshes before the end; ``unstored`` loads that were not stored; ``down`` calls that
    Redis did not answer.
    """

    # What is added is worked out before: a call between reading and writing one could lose it.
    hits = local = misses = stale = negative = loads = failures = load_us = bytes = 0
    prevented = poisoned = early = unstored = too_big = down = fallbacks = 0

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """What was counted so far is told by somebody else: the parent of a forked child."""
        self._lock = threading.Lock()
        self._sent = self.now()

    def take(self) -> dict[str, int]:
        """What Redis was not told yet, given to one alone: it counts as told from now on."""
        with self._lock:
            unsent = self.unsent()
            self.sent(unsent)
        return unsent

    def now(self) -> dict[str, int]:
        """All figures of this process since it began."""
        return {name: int(getattr(self, name)) for name in FIGURES}

    def unsent(self) -> dict[str, int]:
        """What Redis was not told yet."""
        more = {name: count - self._sent[name] for name, count in self.now().items()}
        return {name: count for name, count in more.items() if count}

    def sent(self, told: dict[str, int]) -> None:
        """Redis was told of these."""
        for name, count in told.items():
            self._sent[name] += count


def keys_of(namespace: str, at: float) -> tuple[bytes, bytes]:
    """The hashes of the hour and the day that ``at`` is in."""
    name = namespace.encode()
    hour, day = int(at) // 3600 * 3600, int(at) // 86_400 * 86_400
    place = b"redisops:cache:{%b}:stats:" % name
    return place + b"hour:%d" % hour, place + b"day:%d" % day


def telling(namespace: str, told: dict[str, int], at: float) -> tuple[str, list[bytes], list[Any]]:
    """The script that tells Redis of ``told``."""
    args: list[Any] = [int(at) % 3600 // 60, int(at) % 86_400 // 3600, KEEP_HOUR, KEEP_DAY]
    for name, count in told.items():
        args += [name, count]
    return "cache_count", list(keys_of(namespace, at)), args


class Minute(NamedTuple):
    """The figures of one minute (or hour) that begins ``at`` seconds since 1970."""

    at: int
    figures: dict[str, int]


class _Statistics:
    """Reads what all processes counted. Plain reading commands, one round trip a call.

    Keys: ``redisops:cache:{<namespace>}:stats:hour:<begin>`` and ``…:day:<begin>``, both with a
    TTL; ``…:stats:code`` (string, see ``code``), ``…:stats:codes`` and ``…:stats:tellers`` (hash
    and sorted set, see ``codes``), with one, too; ``redisops:cache:namespaces`` (sorted set, by
    when each was last used).
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    @step
    def namespaces(self, most: int = 1000) -> Steps[list[tuple[str, float]]]:
        """Namespaces by when a service last used them, newest first."""
        rows = yield self.client.zrevrange(NAMESPACES, 0, most - 1, withscores=True)
        return [(bytes(name).decode("utf-8", "replace"), float(at)) for name, at in rows]

    @step
    def code(self, namespace: str) -> Steps[Code | None]:
        """How the services' code says that it caches; None when none told, or it is unreadable.

        Each process tells with its counts, at most once a minute; the last one is what stands.
        """
        data = yield self.client.getrange(code_keys(namespace)[0], 0, LONGEST)
        return read_code(namespace, data)

    @step
    def codes(self, namespace: str) -> Steps[list[Code]]:
        """All that processes said of it within three minutes, the newest first, and which did.

        More than one where processes differ, such as an old and a new version of a service; the
        last that was told, without processes, where none told lately. One round trip, two where
        they differ.
        """
        found = yield from read_codes(self.client, namespace)
        return found

    @step
    def minutes(self, namespace: str, minutes: int = 60) -> Steps[list[Minute]]:
        """The last ``minutes`` (at most 1,440), oldest first; those without use are left out."""
        now = time.time()
        found = yield from self._read(namespace, now, 3600, min(minutes, 1440) * 60)
        return [one for one in found if one.at > now - (minutes + 1) * 60]

    @step
    def hours(self, namespace: str, hours: int = 24) -> Steps[list[Minute]]:
        """The last ``hours`` (at most 744), oldest first; those without use are left out."""
        now = time.time()
        found = yield from self._read(namespace, now, 86_400, min(hours, 744) * 3600)
        return [one for one in found if one.at > now - (hours + 1) * 3600]

    @step
    def minutes_many(
        self, namespaces: Sequence[str], minutes: int = 15
    ) -> Steps[dict[str, list[Minute]]]:
        """The last ``minutes`` (at most 60) of up to 200 namespaces. One round trip in all."""
        now, span = time.time(), min(minutes, 60)
        wanted: list[tuple[str, int, list[bytes]]] = []
        for namespace in namespaces[:200]:
            by_hour: dict[int, list[bytes]] = {}
            for at in range(int(now) // 60 - span, int(now) // 60 + 1):
                fields = by_hour.setdefault(at // 60 * 3600, [])
                fields += [b"%d:%b" % (at % 60, name.encode()) for name in FIGURES]
            wanted += [(namespace, begin, fields) for begin, fields in by_hour.items()]
        replies = yield from send(
            self.client,
            [(None, ("HMGET", keys_of(name, begin)[0], *fields)) for name, begin, fields in wanted],
        )
        known: dict[str, dict[int, dict[str, int]]] = {name: {} for name in namespaces[:200]}
        for (name, begin, fields), reply in zip(wanted, map(checked, replies), strict=True):
            _add(known[name], begin, 60, zip(fields, reply, strict=True))
        return {
            name: [Minute(at, found[at]) for at in sorted(found)] for name, found in known.items()
        }

    def _read(self, namespace: str, now: float, span: int, seconds: int) -> Steps[list[Minute]]:
        first = int(now - seconds) // span * span
        begins = range(first, int(now) + 1, span)
        keys = [keys_of(namespace, begin)[span == 86_400] for begin in begins]
        replies = yield from send(self.client, [(None, ("HGETALL", key)) for key in keys])
        unit = 60 if span == 3600 else 3600
        known: dict[int, dict[str, int]] = {}
        for begin, reply in zip(begins, map(checked, replies), strict=True):
            _add(known, begin, unit, reply.items())
        return [Minute(at, known[at]) for at in sorted(known)]


def _add(
    known: dict[int, dict[str, int]], begin: int, unit: int, rows: Iterable[tuple[Any, Any]]
) -> None:
    """The fields of one hash; what nobody of ours wrote is left out."""
    for field, count in rows:
        place, _, name = bytes(field).partition(b":")
        if count is None or not place.isdigit() or len(place) > 2 or not bytes(count).isdigit():
            continue
        figure = name.decode("ascii", "replace")
        if figure in FIGURES and len(count) < 19:
            known.setdefault(begin + int(place) * unit, {})[figure] = int(count)


class Statistics(_Statistics, Blocking):
    __doc__ = _Statistics.__doc__


class AsyncStatistics(_Statistics, Awaiting):
    __doc__ = _Statistics.__doc__
