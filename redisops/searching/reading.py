"""Reads the values of some keys, bounded and by plain reading commands, and looks into them.

Two round trips tell types and sizes, a third brings as many values as the bounds allow. Nothing
is written and no script is needed: ``+@read -@dangerous +ping`` is enough.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redisops.errors import InvalidArgument
from redisops.keys import printable
from redisops.searching.grammar import Query
from redisops.searching.matching import Hit, Opened, excerpt, find
from redisops.searching.parts import JSON, LENGTHS, TYPES, Known, parts
from redisops.steps import Blocking, Steps, step
from redisops.values.calls import (
    checked,
    is_out_of_reach,
    is_refused,
    is_wrong_type,
    node_of,
    nodes,
    send,
)

SAMPLES = 5  # of MEMORY USAGE; never 0, which walks the whole value
UNSIZED = 100  # elements that are read where the size is not known


@dataclass(frozen=True)
class Bounds:
    """What one look may cost.

    value: bytes of one value that are read. elements: elements of one collection, from its start.
    batch: bytes that one round trip brings. unpacked: bytes that one value may unpack to.
    seconds: own computing for one value, and for one call of ``look``.
    """

    value: int = 1024 * 1024
    elements: int = 1_000
    batch: int = 2 * 1024 * 1024
    unpacked: int = 8 * 1024 * 1024
    seconds: float = 0.3

    def __post_init__(self) -> None:
        for name in ("value", "elements", "batch", "unpacked", "seconds"):
            if not getattr(self, name) > 0:
                raise InvalidArgument(f"bound {name} {getattr(self, name)} must be above 0")


@dataclass(frozen=True, slots=True)
class Match:
    """Where in a key's value: ``part`` is "value", "field", "field name", "member", "element",
    "entry"; ``name`` which one, printable."""

    part: str
    name: str
    hit: Hit


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one key. ``type`` is "none" for one that is gone.

    ``notes`` are names of ``NOTES``: what of it was not looked at, and why.
    """

    key: bytes
    type: str
    match: Match | None = None
    notes: frozenset[str] = frozenset()


class _Search:
    """Looks for ``query`` in the values of keys, opened by the decoder ``how``.

    ``missing`` are the rights that lacked, as ACL rules spell them, ``"~"`` for keys out of reach.
    ``commands`` is how many the last ``look`` sent; ``each`` how many one key takes at most.
    """

    each = 5

    def __init__(
        self, redis: Any, query: Query, *, how: str = "auto", bounds: Bounds | None = None
    ) -> None:
        self.redis = redis
        self.query = query
        self.how = how
        self.bounds = bounds or Bounds()
        self.missing: set[str] = set()
        self.commands = 0
        self._known: dict[bytes, Known] = {}

    @step
    def look(self, keys: Sequence[bytes]) -> Steps[list[Looked]]:
        """What is found in the first of ``keys``, in their order; at least in one of them.

        Fewer than were given when the bounds are met: call again with the rest. At most three
        round trips, and none for no keys. Raises what Redis raises, other than refusals.
        """
        keys = list(keys)
        if not keys:
            return []
        self.commands = 0
        yield from nodes(self.redis)
        self._known = {key: self._known[key] for key in keys if key in self._known}
        yield from self._size([key for key in keys if key not in self._known])
        some = self._fitting(keys)
        asked = [(key, command) for key in some for command in self._reads(key)]
        replies = yield from self._send([command for _, command in asked])
        brought: dict[bytes, list[tuple[str, Any]]] = {key: [] for key in some}
        for (key, command), reply in zip(asked, replies, strict=True):
            brought[key].append((command[0], reply))
        found: list[Looked] = []
        ends = time.thread_time() + self.bounds.seconds
        for key in some:
            if found and time.thread_time() > ends:
                break
            found.append(self._judge(key, self._known[key], brought[key]))
        for key in some:  # what was read and not judged is asked for anew
            self._known.pop(key, None)
        return found

    # --- What to read ---------------------------------------------------------------------

    def _size(self, keys: Sequence[bytes]) -> Steps[None]:
        """Types, then sizes and lengths. Two round trips."""
        replies = yield from self._send([("TYPE", key) for key in keys])
        for key, reply in zip(keys, replies, strict=True):
            known = self._known[key] = Known("unknown")
            told = self._told(known, "type", reply)
            if told is not None:
                known.type = told.decode() if isinstance(told, bytes) else str(told)
        asked: list[tuple[Any, ...]] = []
        for key in keys:
            asked += self._measures(key, self._known[key])
        replies = yield from self._send(asked)
        for command, reply in zip(asked, replies, strict=True):
            verb, key = command[0], command[2] if command[0] == "MEMORY" else command[1]
            known = self._known[key]
            if verb == "MEMORY":
                if is_refused(reply) and not is_out_of_reach(reply):
                    self.missing.add("memory|usage")  # it is read in smaller parts then
                    continue
                known.size = self._told(known, "memory|usage", reply)
            elif verb in ("STRLEN", "HSTRLEN"):
                told = self._told(known, verb.lower(), reply)
                known.size = None if told is None else int(told)
            else:
                known.length = int(self._told(known, verb.lower(), reply) or 0)

    def _measures(self, key: bytes, known: Known) -> list[tuple[Any, ...]]:
        if not self._applies(known.type):
            return []
        if known.type == "string":
            return [("STRLEN", key)]
        if self.query.kind == "field" and known.type == "hash":
            return [("HSTRLEN", key, self.query.field)]
        if self.query.kind in ("member", "element"):
            return []
        memory = ("MEMORY", "USAGE", key, "SAMPLES", SAMPLES)
        return [memory, (LENGTHS[known.type], key)] if known.type in LENGTHS else [memory]

    def _applies(self, kind: str) -> bool:
        """Whether a value of this type can hold what is looked for."""
        only = {"field": ("hash", "stream"), "member": ("set", "zset"), "element": ("list",)}
        return kind in only.get(self.query.kind, TYPES)

    def _fitting(self, keys: Sequence[bytes]) -> list[bytes]:
        """The first keys whose values come in one round trip; at least one."""
        some: list[bytes] = []
        size = 0
        for key in keys:
            known = self._known[key]
            size += min(known.size or 0, self.bounds.value) if self._applies(known.type) else 0
            if some and size > self.bounds.batch:
                break
            some.append(key)
        return some

    def _reads(self, key: bytes) -> list[tuple[Any, ...]]:
        known, query = self._known[key], self.query
        if known.notes or not self._applies(known.type):
            return []
        match query.kind:
            case "member" if known.type == "set":
                return [("SISMEMBER", key, query.needle)]
            case "member":
                return [("ZSCORE", key, query.needle)]
            case "element":
                return [
                    ("LPOS", key, query.needle, "MAXLEN", self.bounds.elements), ("LLEN", key)
                ]  # fmt: skip
        whole = known.size is not None and known.size <= self.bounds.value
        if known.type == "string":
            return [("GETRANGE", key, 0, self.bounds.value - 1)]
        if query.kind == "field" and known.type == "hash":
            return [("HGET", key, query.field)] if whole else self._too_large(known)
        if known.type == JSON:
            return [("JSON.GET", key)] if whole else self._too_large(known)
        count = self._count(known)
        if not count:
            return self._too_large(known)
        if count < known.length:
            known.notes.add("elements")
        reads: dict[str, list[tuple[Any, ...]]] = {
            "hash": [("HSCAN", key, 0, "COUNT", count)],
            "set": [("SSCAN", key, 0, "COUNT", count)],
            "zset": [("ZRANGE", key, 0, count - 1)],
            "list": [("LRANGE", key, 0, count - 1)],
            "stream": [("XRANGE", key, "-", "+", "COUNT", count)],
        }
        return reads[known.type]

    def _too_large(self, known: Known) -> list[tuple[Any, ...]]:
        known.notes.add("large")
        return []

    def _count(self, known: Known) -> int:
        """How many elements fit into the bytes of one value, by their mean; 0: not one."""
        count = min(known.length, self.bounds.elements)
        if known.size is None:
            return min(count, UNSIZED)
        if known.size <= self.bounds.value or not known.length:
            return count
        return min(count, self.bounds.value * known.length // known.size)

    # --- What it says ---------------------------------------------------------------------

    def _judge(self, key: bytes, known: Known, replies: list[tuple[str, Any]]) -> Looked:
        match = None
        if known.type not in ("none", "unknown", *TYPES):
            known.notes.add("type")
        told = [(verb, self._told(known, verb.lower(), reply)) for verb, reply in replies]
        if told and told[0][1] is not None:
            if self.query.kind in ("member", "element"):
                match = self._looked_up(known, told)
            else:
                match = self._searched(known, *told[0])
        elif len(told) > 1 and (told[1][1] or 0) > self.bounds.elements:
            known.notes.add("elements")
        # Where something was found, it does not matter what else was not looked at.
        return Looked(key, known.type, match, frozenset() if match else frozenset(known.notes))

    def _looked_up(self, known: Known, told: list[tuple[str, Any]]) -> Match | None:
        verb, reply = told[0]
        if verb == "SISMEMBER" and not int(reply):
            return None
        name = f"{int(reply)}" if verb == "LPOS" else ""
        needle = self.query.needle
        return Match(self.query.kind, name, excerpt(needle, 0, len(needle)))

    def _searched(self, known: Known, verb: str, reply: Any) -> Match | None:
        ends = time.thread_time() + self.bounds.seconds
        unpacked = 0
        for part in parts(known, verb, reply, self.query):
            if part.total > len(part.data):
                known.notes.add("cut")
            opened = Opened(part.data, self.how, part.total)
            hit = find(self.query, opened)
            if hit is not None:
                return Match(part.part, printable(part.name), hit)
            if opened.partial and part.total == len(part.data):
                known.notes.add("packed")
            unpacked += opened.unpacked
            if unpacked > self.bounds.unpacked or time.thread_time() > ends:
                known.notes.add("slow")
                break
        return None

    def _told(self, known: Known, right: str, reply: Any) -> Any:
        """The reply; None with a note when it was refused or the key became another type."""
        if is_refused(reply):
            reach = is_out_of_reach(reply)
            self.missing.add("~" if reach else right)
            known.notes.add("reach" if reach else "refused")
            return None
        return None if is_wrong_type(reply) else checked(reply)

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> Steps[list[Any]]:
        self.commands += len(commands)
        placed = [
            (node_of(self.redis, one[2] if one[0] == "MEMORY" else one[1]), one) for one in commands
        ]
        return (yield from send(self.redis, placed))


class Search(_Search, Blocking):
    """Looks for something in the values of keys, through a blocking client."""
