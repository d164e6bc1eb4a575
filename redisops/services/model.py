"""What is registered, what is read back, and what happened: values without any command."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from redisops.errors import InvalidArgument, RedisopsError
from redisops.services.naming import check_instance, check_service

STATES = ("starting", "passing", "warning", "critical", "draining", "maintenance", "gone")
ROUTED = frozenset(["passing", "warning"])
"""States of instances that get traffic."""
EVENTS = ("service_registered", "service_up", "service_down", "service_changed")
MOST_BYTES = 16_384
"""Bytes of one registered record."""
MOST_READ = 65_536
"""Bytes of a record above which it is not read: nothing of ours is that large."""
MOST_KEPT = 2_048
"""Bytes of a record above which it is unpacked each time."""
MOST_INSTANCES = 20_000
"""Instances of one service that are read at once."""
SHORTEST, LONGEST = 0.2, 300.0
"""Seconds that a lease may last."""
BY_ITSELF = frozenset(
    ["lease over", "its check fails", "silent for too long", "nobody held its lease",
     "its record was malformed"]
)  # fmt: skip
"""Why an instance is gone that nobody took away: what sweepers say."""
GONE_FOR = LONGEST
"""Seconds for which one that is gone by itself is missed, by pages and whoever is told."""
_NAMES = {name.encode(): name for name in STATES}
_DECODER = json.JSONDecoder()
_HEAD = re.compile(rb"1 ([!-z|~]{1,200}) ([a-z]{1,20}) (\d{1,16}) ([01]) (-|\d{1,6}) (\d{1,17})\n")


class NoInstance(RedisopsError):
    """Nobody can be called: no instance of the service is known, or none fits the filter."""


class Replaced(RedisopsError):
    """Another process registered under the same id later; this one no longer counts."""


@dataclass(frozen=True)
class Registration:
    """What an instance says of itself. All of it is public to whoever may read that Redis.

    ``address`` is a host name or an IP address without port; ``weight`` 0 to 65,535; ``tags`` and
    ``metadata`` short texts; ``check`` how it is checked from outside (a JSON object, see the
    checks), None for by its heartbeat alone. ``ttl`` is its lease in seconds (0.2 to 300): it must
    beat within. ``state`` it begins in: None for passing, or starting when it has a check.
    """

    service: str
    id: str
    address: str
    port: int
    name: str = ""
    version: str = ""
    zone: str = ""
    weight: int = 100
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    check: Mapping[str, Any] | None = None
    ttl: float = 15.0
    state: str | None = None

    def __post_init__(self) -> None:
        check_service(self.service)
        check_instance(self.id)
        if not 0 < len(self.address) <= 253 or re.search(r"[^!-~]", self.address):
            raise InvalidArgument(f"address {self.address!r:.260} is no host name or IP address")
        _between("port", self.port, 0, 65_535)
        _between("weight", self.weight, 0, 65_535)
        if not SHORTEST <= self.ttl <= LONGEST:
            raise InvalidArgument(f"ttl {self.ttl} is not {SHORTEST} to {LONGEST:.0f} seconds")
        if self.state not in (None, "starting", "passing", "warning", "draining"):
            raise InvalidArgument(f"{self.state!r} is no state to begin in")
        object.__setattr__(self, "tags", tuple(self.tags))
        if len(self.packed) > MOST_BYTES:
            raise InvalidArgument(f"a record of {len(self.packed)} bytes is above {MOST_BYTES}")

    @property
    def first_state(self) -> str:
        """The state that it is registered in."""
        return self.state or ("passing" if self.check is None else "starting")

    @property
    def packed(self) -> bytes:
        """The record as JSON: what clients read."""
        try:
            said = {name: getattr(self, name) for name in _PACKED}
            said["metadata"] = dict(self.metadata)
            said["check"] = None if self.check is None else dict(self.check)
            return json.dumps(said, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"{self.service} {self.id} is no JSON: {error}") from error

    @property
    def document(self) -> list[bytes]:
        """Fields and values of the readable hash, flat."""
        flat: list[bytes] = []
        for name in _PACKED:
            value = getattr(self, name)
            if name in ("metadata", "check"):
                value = "" if value is None else json.dumps(dict(value), separators=(",", ":"))
            elif name == "tags":
                value = ",".join(value)
            flat += [name.encode(), str(value).encode()]
        return flat


_PACKED = (
    "id", "address", "port", "name", "version", "zone", "weight", "tags", "metadata", "check",
    "ttl",
)  # fmt: skip


class Instance(NamedTuple):
    """One instance as a reader sees it; ``_replace`` gives another one.

    ``state`` is one of ``STATES``; ``since`` when it came into it, seconds since 1970 by the
    server's clock; ``suspect``: its lease is over, and it was kept because too many stopped at
    once. ``fence`` is greater for each process that registers under the id.
    """

    service: str
    id: str
    address: str
    port: int
    state: str = "passing"
    since: float = 0.0
    suspect: bool = False
    fence: int = 0
    name: str = ""
    version: str = ""
    zone: str = ""
    weight: int = 100
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = MappingProxyType({})
    check: Mapping[str, Any] | None = None
    ttl: float = 15.0

    @property
    def is_routed(self) -> bool:
        """Whether it should get traffic: passing or warning, not suspect, of some weight."""
        return self.state in ROUTED and not self.suspect and self.weight > 0

    @property
    def authority(self) -> str:
        """``address:port``, brackets about an IPv6 address."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Event:
    """One visible change: ``event`` is one of ``EVENTS``, ``origin`` and ``state`` are states.

    ``origin`` is "none" of who was not there, ``state`` "gone" of who left. ``version`` counts by
    one within a service and epoch; ``at`` is seconds since 1970 by the server's clock; ``record``
    is the instance itself where the event brought it.
    """

    service: str
    version: int
    event: str
    id: str
    origin: str
    state: str
    why: str
    at: float
    suspect: bool = False
    record: Instance | None = None


@dataclass(frozen=True)
class Reading:
    """All instances of a service at one version. ``malformed``: records that could not be used."""

    service: str
    epoch: str
    version: int
    instances: tuple[Instance, ...]
    now: float = 0.0
    malformed: int = 0


@dataclass(frozen=True)
class Terms:
    """How the instances of a service are judged; whoever sweeps or checks obeys what is published.

    ``rise`` and ``fall``: so many checks in a row turn it; ``start_period``: seconds in which
    failures of a starting instance do not count. Self-preservation: when more than ``share`` of the
    leases and more than ``floor`` of them are over, nobody goes without a probe's evidence;
    ``max_suspect``: seconds after which a suspect goes all the same.
    """

    rise: int = 2
    fall: int = 3
    start_period: float = 60.0
    share: float = 0.3
    floor: int = 2
    max_suspect: float = 86_400.0

    def __post_init__(self) -> None:
        _between("rise", self.rise, 1, 100)
        _between("fall", self.fall, 1, 100)
        _between("floor", self.floor, 0, MOST_INSTANCES)
        if not 0 <= self.share <= 1 or not 0 <= self.start_period <= 86_400:
            raise InvalidArgument("share is 0 to 1 and start_period 0 to 86,400 seconds")
        if not 1 <= self.max_suspect <= 30 * 86_400:
            raise InvalidArgument("max_suspect is 1 second to 30 days")

    @classmethod
    def of(cls, stored: Mapping[bytes, bytes]) -> Terms:
        """What is stored, the defaults in place of what is missing or no number."""
        known: dict[str, Any] = {}
        for one in dataclasses.fields(cls):
            try:
                value = float(stored[one.name.encode()])
                known[one.name] = int(value) if isinstance(one.default, int) else value
                cls(**{one.name: known[one.name]})
            except (KeyError, ValueError, OverflowError):
                known.pop(one.name, None)
        return cls(**known)


@dataclass(frozen=True)
class Swept:
    """What one look of a sweeper did in one service.

    ``gone``: ids removed; ``suspects``: ids that became suspect; ``recovered``: suspects that beat
    again; ``resumed``: maintenance that was over. ``preserving``: too many stopped at once;
    ``holding``: nobody had looked for a while, so that nobody is judged for one lease.
    ``next_end``: seconds until the next lease ends, None without any. ``total``: leases.
    """

    service: str
    gone: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    preserving: bool = False
    holding: bool = False
    next_end: float | None = None
    total: int = 0


@dataclass(frozen=True)
class Repaired:
    """Zombies that one look removed.

    ``without_lease``: records that no lease kept; ``without_record``: leases and fences of nobody;
    ``malformed``: records that no reader could use. ``cursor`` is where the next look goes on,
    0 when everything was seen.
    """

    service: str
    without_lease: tuple[str, ...] = ()
    without_record: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()
    cursor: int = 0


class Beat(NamedTuple):
    """The answer to heartbeats: the ids that are unknown, and those that others took over."""

    missing: tuple[str, ...]
    replaced: tuple[str, ...]


def instance(service: str, record: bytes) -> Instance | None:
    """The instance of a packed record; None when it is malformed or too large. Never raises.

    What was unpacked before is given again: records change seldom, and are read often.
    """
    if len(record) > MOST_KEPT:
        return _unpacked(service, record) if len(record) <= MOST_READ else None
    return _known(service, record)


def _unpacked(service: str, record: bytes) -> Instance | None:
    head = _HEAD.match(record)
    if head is None:
        return None
    id, state, since, suspect, weight, fence = head.groups()
    try:
        text = record[head.end() :].decode()  # loads() of bytes first guesses their encoding
        said, end = _DECODER.raw_decode(text)
        if type(said) is not dict or end != len(text):
            return None
        address, port, tags, metadata = (
            said["address"], said["port"], said.get("tags", ()), said.get("metadata", {})
        )  # fmt: skip
        check, own = said.get("check"), said.get("weight", 100)
        texts = [said.get(name, "") for name in ("name", "version", "zone")]
        ttl = said.get("ttl", 15.0)
    except (ValueError, KeyError, RecursionError):
        return None
    if (
        type(address) is not str or not 0 < len(address) <= 253
        or not address.isascii() or not address.isprintable() or " " in address
        or type(port) is not int or not 0 <= port <= 65_535
        or type(own) is not int or not 0 <= own <= 65_535
        or any(type(text) is not str for text in texts)
        or type(tags) is not list or any(type(tag) is not str for tag in tags)
        or type(metadata) is not dict or any(type(one) is not str for one in metadata.values())
        or not (check is None or type(check) is dict)
        or type(ttl) not in (int, float) or not SHORTEST <= ttl <= LONGEST
    ):  # fmt: skip
        return None
    known = _NAMES.get(state)
    if known is None:
        return None
    return Instance(
        service, id.decode(), address, port, known, int(since) / 1000, suspect == b"1", int(fence),
        texts[0], texts[1], texts[2], own if weight == b"-" else min(int(weight), 65_535),
        tuple(tags), metadata, check, float(ttl),
    )  # fmt: skip


_known = functools.lru_cache(maxsize=16_384)(_unpacked)


def event(service: str, said: Mapping[str, Any]) -> Event | None:
    """The event of an announcement or a stream entry; None when it is malformed. Never raises."""
    try:
        found = Event(
            service, int(said["v"]), str(said["event"]), check_instance(said["id"]),
            str(said["from"]), str(said["to"]), str(said["why"])[:500], int(said["at"]) / 1000,
            suspect=str(said.get("suspect", "0")) == "1",
            record=instance(service, str(said["record"]).encode()) if said.get("record") else None,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return found if found.event in EVENTS and found.state in STATES else None


def _between(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise InvalidArgument(f"{name} {value!r:.40} is not a whole number of {least} to {most}")
