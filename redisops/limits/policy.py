"""Policies of rate limits as values: what a request must be, whose it is, what it may, and then.

Nothing here talks to Redis.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass, fields
from typing import Any, TypeVar

from redisops.errors import InvalidArgument
from redisops.limits.model import Limit

T = TypeVar("T")
MODES = ("off", "shadow", "enforce")
FAILURES = ("open", "closed", "local")
PRIORITIES = ("critical", "high", "normal", "low")


@dataclass(frozen=True)
class Exemption:
    """A subject that the policy lets through, uncounted. ``until``: seconds since 1970."""

    subject: str
    until: float


@dataclass(frozen=True)
class Ban:
    """A subject that the policy denies, whatever it has left. ``until``: seconds since 1970."""

    subject: str
    until: float
    reason: str = ""


@dataclass(frozen=True)
class Policy:
    """One rule: which requests, counted for whom, how many, and what happens then.

    ``service`` is a service's name or ``*``. ``methods``: of HTTP, in capitals; none means all.
    ``path``: a pattern (``matching.py`` has the grammar); ``*`` is every path. ``subject``: parts
    that together are whose count it is: ``user``, ``ip``, ``api_key``, ``header:<Name>``,
    ``global``; a request that lacks one of them is not limited by the policy.

    ``limit`` in ``period`` seconds by ``algorithm``; ``burst`` (token bucket, gcra, leaky bucket)
    is how much may come at once, None the limit itself. For ``concurrency`` the limit is what may
    be in flight at once and ``period`` the seconds after which a lost holder's place is free again.
    ``cost`` is what one request takes. ``shares``, for concurrency alone: (priority class, part of
    the limit that it may fill, above 0 and at most 1) pairs.

    ``mode``: ``off`` is not looked at, ``shadow`` counts and never denies, ``enforce`` denies.
    ``on_failure``, while Redis cannot be asked: ``open`` lets through, ``closed`` denies,
    ``local`` counts in each process its share of the limit. Policies are told of in the order
    (``order``, ``name``). ``note``, ``owner`` and ``version`` are for people and headers.
    """

    name: str
    _: KW_ONLY
    service: str = "*"
    methods: tuple[str, ...] = ()
    path: str = "*"
    subject: tuple[str, ...] = ("ip",)
    algorithm: str = "token_bucket"
    limit: int
    period: float
    burst: int | None = None
    cost: int = 1
    mode: str = "enforce"
    on_failure: str = "open"
    order: int = 0
    exempt: tuple[Exemption, ...] = ()
    banned: tuple[Ban, ...] = ()
    version: int = 1
    note: str = ""
    owner: str = ""
    shares: tuple[tuple[str, float], ...] = ()

    def as_limit(self) -> Limit:
        """What a Limiter needs of it; a policy in shadow is a limit in shadow.

        Raises InvalidArgument for what no limit can be.
        """
        return self._limit

    @functools.cached_property
    def _limit(self) -> Limit:
        return Limit(
            self.name,
            self.limit,
            self.period,
            self.algorithm,
            self.burst,
            self.version,
            self.mode == "shadow",
        )

    def as_dict(self) -> dict[str, Any]:
        """Its JSON form: every field by its name, lists for tuples, objects for bans."""
        data: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("methods", "subject"):
            data[name] = list(data[name])
        data["shares"] = [list(share) for share in self.shares]
        data["exempt"] = [asdict(one) for one in self.exempt]
        data["banned"] = [asdict(one) for one in self.banned]
        return data

    @classmethod
    def from_dict(cls, data: object) -> Policy:
        """The policy of a JSON form. What is not named has its default; unknown names are left.

        Raises InvalidArgument for another shape, never for a value that ``problems`` explains.
        """
        return read_policy(data)


def read_policy(data: object) -> Policy:
    """The policy of a JSON form; see ``Policy.from_dict``."""
    if not isinstance(data, dict):
        raise InvalidArgument(f"a policy is an object, not {_kind(data)}")
    known = {name: read(name, data[name]) for name, read in _READERS.items() if name in data}
    for name in ("name", "limit", "period"):
        if name not in known:
            raise InvalidArgument(f"the policy {known.get('name', '')!r} lacks its {name!r}")
    return Policy(**known)


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


def _wrong(name: str, wanted: str, value: object) -> InvalidArgument:
    return InvalidArgument(f"{name!r} is {_kind(value)}, not {wanted}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "text", value)
    return value


def _whole(name: str, value: object) -> int:
    if type(value) is not int:
        raise _wrong(name, "a whole number", value)
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, "a number", value)
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise InvalidArgument(f"{name!r} is not a finite number")
    return value


def _burst(name: str, value: object) -> int | None:
    return None if value is None else _whole(name, value)


def _several(read: Callable[[str, object], T]) -> Callable[[str, object], tuple[T, ...]]:
    def read_all(name: str, value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise _wrong(name, "a list", value)
        return tuple(read(name, one) for one in value)

    return read_all


def _part_of(value: object, name: str, key: str) -> object:
    if not isinstance(value, dict) or key not in value:
        raise InvalidArgument(f"an entry of {name!r} lacks its {key!r}")
    return value[key]


def _exemption(name: str, value: object) -> Exemption:
    return Exemption(
        _text("subject", _part_of(value, name, "subject")),
        _number("until", _part_of(value, name, "until")),
    )


def _ban(name: str, value: object) -> Ban:
    subject, until = _exemption(name, value).subject, _part_of(value, name, "until")
    reason = value.get("reason", "") if isinstance(value, dict) else ""
    return Ban(subject, _number("until", until), _text("reason", reason))


def _share(name: str, value: object) -> tuple[str, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _wrong(name, "pairs of a class and its share", value)
    return _text(name, value[0]), _number(name, value[1])


_READERS: dict[str, Callable[[str, object], Any]] = {
    "name": _text,
    "service": _text,
    "methods": _several(_text),
    "path": _text,
    "subject": _several(_text),
    "algorithm": _text,
    "limit": _whole,
    "period": _number,
    "burst": _burst,
    "cost": _whole,
    "mode": _text,
    "on_failure": _text,
    "order": _whole,
    "exempt": _several(_exemption),
    "banned": _several(_ban),
    "version": _whole,
    "note": _text,
    "owner": _text,
    "shares": _several(_share),
}
