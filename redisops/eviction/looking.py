"""What eviction depends on here: memory, limit, policy, expiring keys, and a sample of keys."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from redisops.config import Settings, settings_of
from redisops.errors import InvalidArgument
from redisops.eviction.policies import POLICIES
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.survey.asking import Asking
from redisops.survey.samples import Facts
from redisops.values.calls import checked, is_refused, nodes, send

SETTINGS = ("maxmemory*", "lfu-*")
ENTRY = 64
"""Bytes for each key that MEMORY USAGE counts and INFO takes for overhead: its places in tables."""
MOST = 2_000
_DATABASE = re.compile(r"db\d+")
_LFU = {policy.name for policy in POLICIES.values() if policy.is_lfu}


@dataclass(frozen=True)
class Shard:
    """One primary: bytes, and its limit (0 for none); None where INFO is refused."""

    name: str
    memory: int | None
    limit: int | None
    policy: str | None
    uptime: int | None
    config_file: str | None
    """Its path, "" where the server runs without one."""
    dataset: int | None = None
    """Bytes of ``used_memory_dataset``."""


@dataclass(frozen=True)
class Weight:
    """Bytes of all keys: the likely ``value``, and between which two it is."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """How a server stands towards eviction; sums of all primaries.

    ``memory`` is what counts against ``limit`` (bytes; a limit of 0 is none). ``keys`` and
    ``expiring`` are exact, of all ``databases`` that hold keys. ``evicted`` and ``expired`` count
    since the start. ``sample`` are keys drawn at random from the connection's own database.
    ``counts_uses``: this server keeps how often keys are used, and not when last. ``missing`` are
    rights that lack, as ACL rules spell them. ``settings`` is what CONFIG GET says.
    """

    memory: int | None
    limit: int | None
    policy: str
    keys: int | None
    expiring: int | None
    databases: tuple[int, ...]
    evicted: int | None
    expired: int | None
    shards: tuple[Shard, ...]
    settings: Settings = field(default_factory=Settings)
    sample: tuple[Facts, ...] = ()
    counts_uses: bool = False
    missing: tuple[str, ...] = ()
    counted: Weight | None = None
    """What a count of all keys found, by whoever made one: it is believed more than the sample."""

    @property
    def uptime(self) -> int | None:
        """Seconds since the last primary that started did."""
        known = [shard.uptime for shard in self.shards if shard.uptime is not None]
        return min(known, default=None)

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that primaries have: more than one where they do not agree."""
        return tuple(dict.fromkeys(one.policy for one in self.shards if one.policy))

    @property
    def key_bytes(self) -> int | None:
        """About the bytes of all keys; None where none was weighed. See ``weight``."""
        return None if self.weight is None else round(self.weight.value)

    @cached_property
    def weight(self) -> Weight | None:
        """The bytes of all keys by ``counted``, else by the mean of the sample.

        Never more than what INFO says of all data. A sample may have missed the few large keys of
        a server, so nothing but INFO bounds it from above.
        """
        most = self._most
        if self.counted is not None:
            return Weight(*(min(one, most) for one in (
                self.counted.value, self.counted.low, self.counted.high)))  # fmt: skip
        sized = [facts.size for facts in self.sample if facts.size is not None]
        if not sized or self.keys is None:
            return None
        mean = sum(sized) / len(sized)
        if len(sized) >= self.keys:  # each of them was drawn
            return Weight(*(min(mean * self.keys, most),) * 3)
        off = 2 * math.sqrt(sum((one - mean) ** 2 for one in sized)) / len(sized)
        low = max((mean - off) * self.keys, sum(sized))
        high = (mean + off) * self.keys if math.isinf(most) else most
        return Weight(min(mean * self.keys, most), min(low, most), max(high, min(low, most)))

    @property
    def _most(self) -> float:
        """What the keys can have at most, as INFO says."""
        known = [math.inf] if self.memory is None else [self.memory]
        data = _sum([shard.dataset for shard in self.shards])
        if data is not None and self.keys is not None:
            known.append(data + ENTRY * self.keys)
        return min(known)

    @property
    def samples(self) -> int:
        """``maxmemory-samples``: of how many keys the server takes the best one."""
        told = self.settings.values.get("maxmemory-samples", "")
        return int(told) if told.isdigit() and int(told) else 5


class _Eviction:
    """Looks at a server with a view to eviction. Reads only, and touches no key's idle time."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def look(self, sample: int = 400) -> Steps[Standing]:
        """How it stands, with about ``sample`` keys (0 to 2,000) drawn by RANDOMKEY. Two trips.

        The first one asks INFO, CONFIG GET and for names, the second the type, TTL, size and
        use of each, once for a key that was drawn twice. What is refused is named in ``missing``.
        """
        if not 0 <= sample <= MOST:
            raise InvalidArgument(f"sample {sample} must be from 0 to {MOST:,}")
        places = yield from nodes(self.redis)
        each = math.ceil(sample / len(places))
        asked: list[tuple[Any, Sequence[Any]]] = []
        for place in places:
            asked.append((place, ("INFO",)))
            asked += [(place, ("CONFIG", "GET", name)) for name in SETTINGS]
            asked += [(place, ("RANDOMKEY",))] * each
        replies = yield from send(self.redis, asked)

        missing: dict[str, None] = {}
        infos, drawn, configs = [], [], []
        width = 1 + len(SETTINGS) + each
        for at, place in enumerate(places):
            told = replies[at * width : (at + 1) * width]
            infos.append((place, _info(told[0], missing)))
            configs += list(zip(asked[at * width + 1 : at * width + 3], told[1:3], strict=True))
            drawn.append((place, _names(told[3:], missing)))
        settings = settings_of(places, [one for one, _ in configs], [two for _, two in configs])
        if settings.refused and not settings.is_unknown:
            missing["config|get"] = None

        asking = Asking()
        if any(told.get("maxmemory_policy") in _LFU for _, told in infos):
            asking.use = "FREQ"
        found: list[Facts] = []
        # On a cluster the second trip goes to each primary in turn: their keys are its own.
        for place, names in drawn:
            if names:
                found += yield from asking.of(self.redis, place, names)
        missing.update(dict.fromkeys(sorted(asking.missing)))
        return _standing(infos, settings, found, tuple(missing), counts_uses=asking.use == "FREQ")


class Eviction(_Eviction, Blocking):
    """``_Eviction`` through a blocking client."""

    __doc__ = _Eviction.__doc__


class AsyncEviction(_Eviction, Awaiting):
    """``_Eviction`` through an awaiting client."""

    __doc__ = _Eviction.__doc__


def _info(reply: Any, missing: dict[str, None]) -> Mapping[str, Any]:
    """INFO as redis-py reads it; empty where it is refused."""
    if is_refused(reply):
        missing["info"] = None
        return {}
    told: Mapping[str, Any] = checked(reply)
    return told


def _names(replies: Sequence[Any], missing: dict[str, None]) -> list[bytes]:
    found: dict[bytes, None] = {}
    for reply in replies:
        if is_refused(reply):
            missing["randomkey"] = None
        elif checked(reply) is not None:
            found[bytes(reply)] = None
    return list(found)


def _standing(
    infos: Sequence[tuple[Any, Mapping[str, Any]]], settings: Settings, found: Sequence[Facts],
    missing: tuple[str, ...], *, counts_uses: bool,
) -> Standing:  # fmt: skip
    shards = tuple(_shard(place, told) for place, told in infos)
    seen = [told for _, told in infos]
    knows = all(seen)
    spaces = [space for told in seen for name, space in told.items() if _DATABASE.fullmatch(name)]
    return Standing(
        memory=_sum([shard.memory for shard in shards]),
        limit=_sum([shard.limit for shard in shards]),
        policy=next((one.policy for one in shards if one.policy), "")
        or settings.values.get("maxmemory-policy", ""),
        keys=sum(int(space["keys"]) for space in spaces) if knows else None,
        expiring=sum(int(space["expires"]) for space in spaces) if knows else None,
        databases=tuple(
            sorted({int(name[2:]) for told in seen for name in told if _DATABASE.fullmatch(name)})
        ),
        evicted=_sum([_number(told, "evicted_keys") for told in seen]),
        expired=_sum([_number(told, "expired_keys") for told in seen]),
        shards=shards, settings=settings, sample=tuple(found), counts_uses=counts_uses,
        missing=missing,
    )  # fmt: skip


def _shard(place: Any, told: Mapping[str, Any]) -> Shard:
    policy, file = told.get("maxmemory_policy"), told.get("config_file")
    used = _number(told, "used_memory")
    if used is not None:
        # Buffers of replicas and of the AOF are not counted against the limit.
        used -= _number(told, "mem_not_counted_for_evict") or 0
    return Shard(
        str(getattr(place, "name", "") or ""), used, _number(told, "maxmemory"),
        None if policy is None else str(policy), _number(told, "uptime_in_seconds"),
        None if file is None else str(file), _number(told, "used_memory_dataset"),
    )  # fmt: skip


def _number(told: Mapping[str, Any], name: str) -> int | None:
    value = told.get(name)
    return int(value) if isinstance(value, int | float) else None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
