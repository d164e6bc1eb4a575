"""Every key that matches, over as many pieces and processes as it takes, and facts of them.

A sweep goes on after a restart or a failover: a SCAN cursor means something only to the process
that gave it, so the part of a server that is another process now is begun again. A key may come
twice, so whoever needs each once keeps what came (a key that is there all the time does come).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from redisops import keys as names
from redisops.errors import InvalidArgument
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.survey.asking import Asking
from redisops.survey.samples import Facts
from redisops.values.calls import (
    checked,
    is_out_of_reach,
    is_refused,
    is_wrong_type,
    node_of,
    nodes,
    send,
)  # fmt: skip
from redisops.walks import Walk

__all__ = ["AsyncMeasure", "AsyncSweep", "Measure", "Sweep"]

LENGTHS = {
    "string": "STRLEN", "list": "LLEN", "hash": "HLEN", "set": "SCARD", "zset": "ZCARD",
    "stream": "XLEN",
}  # fmt: skip
MOST_SCANS = 1000


class _Sweep:
    """One piece of a walk over all primaries; ``begin``, then ``scan`` while ``goes_on()``.

    ``cursor`` is what an earlier piece's ``place`` was (None: from the start). ``again`` says
    that a part was begun anew; ``scanned`` of ``total`` keys were looked at.
    """

    def __init__(
        self, redis: Any, cursor: str | None = None, match: bytes | None = None,
        type: str | None = None,
    ) -> None:  # fmt: skip
        self.redis = redis
        self.again = False
        self._pattern = names.pattern(match)
        self._type = type
        self._at: str | None = None
        self._runs: dict[str, str] = {}
        if cursor is not None:
            self._at, self._runs = _decoded(cursor)
        self._walk: Walk | None = None
        self._primaries = 1

    @step
    def begin(self) -> Steps[None]:
        """Ask each primary which process it is; one round trip. Without the right to, nothing."""
        primaries = yield from nodes(self.redis)
        places = [("" if node is None else str(node.name), node) for node in primaries]
        told = yield from send(self.redis, [(node, ("INFO", "server")) for _, node in places])
        self._primaries = len(places)
        runs: dict[str, str] = {}
        for (name, _), reply in zip(places, told, strict=True):
            if not is_refused(reply):
                runs[name] = str(checked(reply).get("run_id", ""))
        self._walk = Walk(self.redis, self._at, self._pattern, self._type, MOST_SCANS)
        for name, run in runs.items():
            if self._at is not None and self._runs.get(name, run) != run:
                self.again = True
                self._walk.forget(name)
        self._runs = runs

    def goes_on(self) -> bool:
        """Whether this piece may ask for more; when it may not, ``place`` says where it is."""
        return self._begun.goes_on()

    @step
    def scan(self) -> Steps[list[bytes]]:
        """The keys of one SCAN on each primary that is not done. One round trip."""
        return (yield from self._begun.scan())

    @property
    def place(self) -> str | None:
        """Where to go on, as text; None when every primary is done."""
        cursor = self._begun.cursor()
        return None if cursor is None else json.dumps([cursor, self._runs])

    @property
    def commands(self) -> int:
        """How many commands the next ``scan`` sends at most (``begin``: one per primary)."""
        first = self._walk is not None and not self._walk.scans
        return self._primaries * (2 if first else 1)

    @property
    def scanned(self) -> int:
        return self._begun.scanned

    @property
    def total(self) -> int:
        return self._begun.total

    @property
    def _begun(self) -> Walk:
        if self._walk is None:
            raise RuntimeError("the sweep was not begun")
        return self._walk


def _decoded(cursor: str) -> tuple[str, dict[str, str]]:
    try:
        at, runs = json.loads(cursor)
        return str(at), {str(name): str(run) for name, run in runs.items()}
    except (ValueError, TypeError, AttributeError):
        raise InvalidArgument(f"cursor {cursor[:80]!r} is not one that a sweep gave") from None


class _Measure:
    """Facts of many keys by plain commands (``+@read`` is enough), some of them each time.

    ``missing`` are the rights that lack, as ACL rules spell them; what they would have told is
    None. ``commands`` is how many the last call sent.
    """

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.commands = 0
        self._asking = Asking()

    @property
    def missing(self) -> set[str]:
        return self._asking.missing

    @property
    def each(self) -> int:
        """How many commands ``facts`` sends for one key."""
        return self._asking.commands

    @step
    def types(self, keys: Sequence[bytes]) -> Steps[list[str]]:
        """Each key's type, "none" when it is gone, "unknown" when it is refused. One trip."""
        replies = yield from self._send([("TYPE", key) for key in keys])
        if any(is_refused(reply) for reply in replies):
            self.missing.update({"~" if is_out_of_reach(one) else "type" for one in replies
                                 if is_refused(one)})  # fmt: skip
        return [_word(reply) for reply in replies]

    @step
    def lengths(self, keys: Sequence[bytes], types: Sequence[str]) -> Steps[list[int | None]]:
        """Each key's length by its type's own measure; None for other types. One trip."""
        asked = [
            (n, (LENGTHS[kind], key))
            for n, (key, kind) in enumerate(zip(keys, types, strict=True))
            if kind in LENGTHS
        ]
        replies = yield from self._send([command for _, command in asked])
        lengths: list[int | None] = [None] * len(keys)
        for (n, command), reply in zip(asked, replies, strict=True):
            if is_refused(reply):
                self.missing.add(command[0].lower())
            elif not is_wrong_type(reply):
                lengths[n] = int(checked(reply))
        return lengths

    @step
    def facts(self, keys: Sequence[bytes]) -> Steps[list[Facts | None]]:
        """Type, time to live, memory and rest of each key; None for what is gone. One trip."""
        yield from nodes(self.redis)
        by_node: dict[Any, list[bytes]] = {}
        for key in keys:
            by_node.setdefault(node_of(self.redis, key), []).append(key)
        found: dict[bytes, Facts] = {}
        self.commands = self.each * len(keys)
        for node, part in by_node.items():
            for facts in (yield from self._asking.of(self.redis, node, part)):
                found[facts.key] = facts
        return [found.get(key) for key in keys]

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> Steps[list[Any]]:
        yield from nodes(self.redis)
        self.commands = len(commands)
        return (
            yield from send(self.redis, [(node_of(self.redis, one[1]), one) for one in commands])
        )


def _word(reply: Any) -> str:
    if is_refused(reply):
        return "unknown"
    if isinstance(reply, ResponseError):
        raise reply
    return reply.decode() if isinstance(reply, bytes) else str(reply)


class Sweep(_Sweep, Blocking):
    """One piece of a walk over all primaries, through a blocking client."""


class AsyncSweep(_Sweep, Awaiting):
    """One piece of a walk over all primaries, through an awaiting client."""


class Measure(_Measure, Blocking):
    """Facts of many keys, through a blocking client."""


class AsyncMeasure(_Measure, Awaiting):
    """Facts of many keys, through an awaiting client."""
