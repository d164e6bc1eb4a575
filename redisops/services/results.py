"""The last result of each instance's check: what was seen, when, how long it took.

One field per instance in the hash ``svc:{<service>}:chk``, a JSON array::

    [1, at, state, ms, why, detail]

``1`` the layout's number; ``at`` when the check ended, seconds since 1970 by the server's clock as
the checker knew it; ``state`` one of ``RESULTS``; ``ms`` milliseconds from connecting to the
verdict, null where nothing answered; ``why`` the verdict in words, at most 200 characters;
``detail`` an object of short facts: ``kind`` (http, https, tcp, tls, redis, grpc), ``status`` (of
HTTP or gRPC), ``certificate_days`` (left), ``every`` (seconds between two checks), ``by`` (the
checker), ``late`` (seconds after it was due), ``refused`` (why it may not be checked at all). It is
for people: nothing is judged by it, and it makes no version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from redisops.fast import AsyncFast, Fast
from redisops.services.naming import check_instance, keys_of
from redisops.services.rings import SLOT_MS, SLOTS, code_of, slot_ms
from redisops.steps import Awaiting, Blocking, Steps, step

RESULTS = frozenset(["pass", "warn", "fail", "refused", "unknown"])
"""What a check may find; "refused" is a fail by a closed port, "unknown" says nothing of it."""
MOST_BYTES = 2_048
"""Bytes of a result above which it is not read: nothing of ours is that large."""
AT_ONCE = 500
"""Results in one script."""
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Result(NamedTuple):
    """One instance's last check; see the module for the parts and their units."""

    at: float
    state: str
    ms: float | None = None
    why: str = ""
    detail: Mapping[str, Any] = MappingProxyType({})

    @property
    def is_bad(self) -> bool:
        """Whether it speaks against the instance."""
        return self.state in ("fail", "refused")

    @property
    def packed(self) -> bytes:
        """As it is kept."""
        ms = None if self.ms is None or not math.isfinite(self.ms) else round(self.ms, 2)
        said = [1, round(self.at, 3), self.state, ms, self.why[:200], dict(self.detail)]
        return _encode(said).encode()


def _turn(said: Result) -> tuple[int, int]:
    """How long its slot of the ring is, and its code; nothing of what says nothing of it."""
    if said.state == "unknown":
        return 0, 0
    return slot_ms(said.detail.get("every")), code_of(said.ms, is_bad=said.is_bad)


def result(packed: bytes) -> Result | None:
    """A result as it was kept; None when it is malformed or too large. Never raises."""
    if len(packed) > MOST_BYTES:
        return None
    try:
        layout, at, state, ms, why, detail = json.loads(packed)
    except (ValueError, TypeError, RecursionError):
        return None
    if (
        layout != 1
        or type(at) not in (int, float) or not 0 <= at < 1e12
        or type(state) is not str or state not in RESULTS
        or not (ms is None or (type(ms) in (int, float) and 0 <= ms < 1e9))
        or type(why) is not str or type(detail) is not dict
    ):  # fmt: skip
        return None
    return Result(float(at), state, None if ms is None else float(ms), why[:200], detail)


class _Results:
    """The last results of checks in one Redis. Errors of connection and server pass through."""

    _fast: Any

    @step
    def read(self, service: str) -> Steps[dict[str, Result]]:
        """The results of a service by instance; malformed ones left out. One round trip."""
        flat = yield self._fast.call("HGETALL", keys_of(service).chk)
        return of_hash(flat)

    @step
    def read_all(self, services: Sequence[str]) -> Steps[dict[str, dict[str, Result]]]:
        """The results of many services. One round trip; what one service refuses is raised."""
        replies = yield self._fast.calls([("HGETALL", keys_of(one).chk) for one in services])
        found = {}
        for service, reply in zip(services, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            found[service] = of_hash(reply)
        return found

    @step
    def of(self, service: str, id: str) -> Steps[Result | None]:
        """One instance's result, None when there is none that can be read. One round trip."""
        packed = yield self._fast.call("HGET", keys_of(service).chk, check_instance(id))
        return None if packed is None else result(packed)

    @step
    def record(self, rows: Mapping[str, Mapping[str, Result]]) -> Steps[list[str]]:
        """Keep the results of instances by service, and how long they took (``rings``): of those
        that are registered.

        One round trip, a script for every 500 of a service. Returns the services that refused
        (keys of the wrong type, a right that is missing); what is kept is not told again.
        """
        services, scripts = [], []
        for service, told in rows.items():
            keys, several = keys_of(service), list(told.items())
            for start in range(0, len(several), AT_ONCE):
                part = several[start : start + AT_ONCE]
                flat: list[Any] = [SLOTS, SLOT_MS]
                for id, said in part:
                    flat += (id, said.packed, round(said.at * 1000), *_turn(said))
                services.append(service)
                scripts.append(("service_results", [keys.chk, keys.rec, keys.ring], flat))
        replies = yield self._fast.scripts(scripts)
        refused = []
        for service, reply in zip(services, replies, strict=True):
            if isinstance(reply, ResponseError):
                refused.append(service)
            elif isinstance(reply, Exception):
                raise reply
        return refused


class Results(_Results, Blocking):
    __doc__ = _Results.__doc__

    def __init__(self, client: Any) -> None:
        self._fast = Fast.of(client)


class AsyncResults(_Results, Awaiting):
    __doc__ = _Results.__doc__

    def __init__(self, client: Any) -> None:
        self._fast = AsyncFast.of(client)


def of_hash(flat: Any) -> dict[str, Result]:
    """The results of an HGETALL of ``svc:{<service>}:chk``, as the fast path or redis-py gives it.

    For who reads many keys in one round trip of his own.
    """
    pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=False)
    found = {}
    for id, packed in pairs:
        known = result(packed)
        if known is not None:
            found[id.decode("utf-8", "replace")] = known
    return found
