"""Who discovers a service, and what readers saw of its instances: told by them, bounded, foreign.

A reader (a ``Discovery``) has an id. The sorted set ``svc:{<service>}:readers`` has until
when its word holds (ms by the server's clock), the hash ``svc:{<service>}:told`` what it says:
since when it reads and when it said so (both ms), a space after each, and a JSON object::

    {"name", "lib", "version", "hears", "picks", "over", "seen": [[id, calls, failed, ejected]],
     "rest": [instances, calls, failed]}

``name`` of the reading service; ``lib`` the library with its version; ``version`` of the copy that
it holds; ``hears`` 1 when announcements reach it, 0 when it looks from time to time; ``picks`` and
what follows in the last ``over`` seconds, about a minute: calls that ended, how many of them
failed, for how many seconds from then on the instance gets no calls (0: it gets some); ``rest`` are
instances for which there was no room. At most ``MOST`` readers of a service are kept, each says at
most ``MOST_BYTES``, and its word holds for ``HOLDS`` seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redisops.fast.sources import Script
from redisops.services.naming import Keys

EVERY = 10.0
"""Seconds after which a reader says so again."""
HOLDS = 35.0
"""Seconds for which its word holds: three times it may be lost."""
MOST = 200
MOST_BYTES = 8_192
MOST_SEEN = 200
"""Instances of which one reader tells."""
WINDOW = 60.0
_LARGEST = 10**12


class Saw(NamedTuple):
    """What one reader saw of an instance; ``ejected``: seconds for which it gets no calls of it."""

    calls: int
    failed: int
    ejected: float = 0.0


@dataclass(frozen=True)
class Reader:
    """One reader as it told of itself. Times are seconds since 1970 by the server's clock.

    ``at``: when it said so, which is when Redis confirmed its copy, of ``version``; ``over``:
    seconds that ``picks`` and ``seen`` are of; ``unsaid``: instances for which there was no room.
    """

    id: str
    name: str
    library: str
    since: float
    at: float
    version: int = 0
    hears: bool = True
    picks: int = 0
    over: float = 0.0
    seen: Mapping[str, Saw] = field(default_factory=dict)
    unsaid: int = 0


@dataclass(frozen=True)
class Passive:
    """What readers saw of one instance: calls that ended and those that failed, of ``readers`` who
    called it; ``ejected``: how many of them leave it alone now."""

    calls: int = 0
    failed: int = 0
    readers: int = 0
    ejected: int = 0


@dataclass(frozen=True)
class Readers:
    """Who told of themselves, by name. ``more``: there may be others who did; ``malformed``:
    words that nobody can read. Readers that may not tell, or do not, are not among them."""

    told: tuple[Reader, ...] = ()
    more: bool = False
    malformed: int = 0

    @property
    def hearing(self) -> int:
        """How many of them hear announcements: each by one connection."""
        return sum(one.hears for one in self.told)

    @property
    def passive(self) -> dict[str, Passive]:
        """What they saw, by instance; of who was not called is nothing."""
        found: dict[str, Passive] = {}
        for reader in self.told:
            for id, saw in reader.seen.items():
                known = found.get(id, Passive())
                found[id] = Passive(
                    known.calls + saw.calls, known.failed + saw.failed, known.readers + 1,
                    known.ejected + (saw.ejected > 0),
                )  # fmt: skip
        return found


class Told(NamedTuple):
    """What a reader has to say of one service; see the module."""

    id: str
    name: str
    library: str
    since_ms: int
    version: int
    hears: bool
    picks: int = 0
    over: float = 0.0
    seen: Sequence[tuple[str, Saw]] = ()

    def script(self, keys: Keys) -> Script:
        """The script that says it."""
        return (
            "service_reader", [keys.readers, keys.told],
            [self.id, round(HOLDS * 1000), MOST, max(0, self.since_ms), self.packed],
        )  # fmt: skip

    @property
    def packed(self) -> bytes:
        """As it is kept: those that failed most first, as many as there is room for."""
        ordered = sorted(self.seen, key=lambda one: (-one[1].failed, -one[1].calls, one[0]))
        said: dict[str, Any] = {
            "name": self.name[:100], "lib": self.library[:40], "version": self.version,
            "hears": int(self.hears), "picks": self.picks, "over": round(self.over, 1), "seen": [],
        }  # fmt: skip
        room = MOST_BYTES - len(_encode(said)) - 80
        for at, (id, saw) in enumerate(ordered):
            row = [id, saw.calls, saw.failed, round(saw.ejected)]
            room -= len(_encode(row)) + 1
            if room < 0 or at >= MOST_SEEN:
                left = [saw for _, saw in ordered[at:]]
                counts = sum(one.calls for one in left), sum(one.failed for one in left)
                said["rest"] = [len(left), *counts]
                break
            said["seen"].append(row)
        return _encode(said).encode()


def leaving(id: str, keys: Keys) -> Script:
    """The script by which a reader takes its word back."""
    return "service_reader", [keys.readers, keys.told], [id, 0, MOST, 0, b"{}"]


def commands(keys: Keys, now: float) -> list[tuple[Any, ...]]:
    """What reads the readers: two commands, for a round trip that is made anyway."""
    return [
        ("ZREVRANGEBYSCORE", keys.readers, "+inf", round(now * 1000), "LIMIT", 0, MOST + 1),
        ("HSCAN", keys.told, 0, "COUNT", 5 * MOST),
    ]


def of_replies(ids: Any, page: Any, now: float) -> Readers:
    """The readers out of what ``commands`` were answered. Never raises."""
    words: dict[bytes, bytes] = {}
    if page is not None:
        flat = page[1]
        pairs: Iterable[tuple[Any, Any]] = (
            flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=False)
        )
        words = {id: said for id, said in pairs if isinstance(said, bytes)}
    live = list(ids or ())
    found = [_reader(id, words[id], now) for id in live[:MOST] if id in words]
    told = [one for one in found if one is not None]
    told.sort(key=lambda one: (one.name, -one.at, one.id))
    return Readers(tuple(told), len(live) >= MOST, found.count(None))


def _reader(id: bytes, packed: bytes, now: float) -> Reader | None:
    if len(packed) > MOST_BYTES + 64:
        return None
    try:
        since, at, said = packed.split(b" ", 2)
        told = json.loads(said)
        if type(told) is not dict:
            return None
        seen = dict(_saw(one) for one in told["seen"][:MOST_SEEN])
        return Reader(
            id.decode("utf-8", "replace")[:100], _word(told["name"], 100), _word(told["lib"], 40),
            _moment(since, now), _moment(at, now), _count(told["version"]), told["hears"] == 1,
            _count(told["picks"]), _number(told["over"]), seen,
            _count(told.get("rest", [0])[0]),
        )  # fmt: skip
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
        return None


def _saw(row: Any) -> tuple[str, Saw]:
    id, calls, failed, ejected = row
    return _word(id, 200), Saw(_count(calls), min(_count(failed), calls), _number(ejected))


def _word(value: Any, most: int) -> str:
    if type(value) is not str:
        raise ValueError("no text")
    return value[:most]


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError("no count")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 86_400:
        raise ValueError("no number")
    return float(value)


def _moment(ms: bytes, now: float) -> float:
    """A time that is not ahead of the server's clock by more than a look takes."""
    at = int(ms) / 1000
    if not (math.isfinite(at) and 0 <= at <= now + 5):
        raise ValueError("no time")
    return at


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
