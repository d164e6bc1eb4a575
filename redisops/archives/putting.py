"""Put what an archive holds onto a server: many small keys in one trip, large ones in parts.

A key is made beside its name and renamed when it is complete, so that nobody ever sees a part of
it. What was made and not finished goes away by itself after six hours.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from redisops import keys as names
from redisops.archives.model import Part
from redisops.dumps import Dump, Taken, _Dumps
from redisops.dumps.model import seen
from redisops.dumps.sending import Batch, raise_trouble, run, trips
from redisops.resilience.causes import words_of
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import is_cluster, nodes

UNFINISHED_MS = 6 * 3600 * 1000
LOST = "refused: the part made before is gone; import this key again"
_WORDS = {1: "put", 2: "put", 0: "taken", -1: "expired", -2: LOST}


class Put(NamedTuple):
    """A part, the name that it gets, and what ``Dumps.take`` found there (None: it must be free).

    ``token`` tells imports apart, so that two never build in one place.
    """

    part: Part
    name: bytes
    over: Taken = None
    token: bytes = b""


class _Putting:
    """Parts of archives on their way to one server or cluster."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def put(self, puts: Sequence[Put]) -> Steps[list[str]]:
        """Per part "put", "taken" (by something else than was seen), "expired" or "refused: …".

        "incompatible: …" for a dump that the server cannot read. Values are written with their
        absolute expiry, in one atomic script or RESTORE each. One round trip for 1,000 keys or
        16 MiB. A part sent again after a lost reply is not added twice; the last part of a key,
        sent again, is "taken" when it had arrived. Trouble of the server is raised.
        """
        words = [""] * len(puts)
        yield from self._restore([n for n, one in enumerate(puts) if one.part.is_dump], puts, words)
        plain = [n for n, one in enumerate(puts) if not one.part.is_dump]
        yield from nodes(self.redis)
        batches = {n: self._batch(puts[n]) for n in plain}
        sizes = [
            sum(map(len, batches[n].args[9:])) if n in batches else 0 for n in range(len(puts))
        ]
        told = False
        for trip in trips([[n] for n in plain], sizes):
            numbers = [n for group in trip for n in group]
            replies = yield from run(self.redis, "archive_put", [batches[n] for n in numbers])
            if not told:
                raise_trouble(replies)
            told = True
            for n, reply in zip(numbers, replies, strict=True):
                words[n] = (
                    f"refused: {words_of(reply)}" if isinstance(reply, Exception) else _WORDS[reply]
                )
        return words

    def _restore(self, some: list[int], puts: Sequence[Put], words: list[str]) -> Steps[None]:
        parts = [puts[n].part for n in some]
        dumps = [Dump(p.key, p.value, p.expires_at, p.type, len(p.value)) for p in parts]
        told = yield from _Dumps.restore.body(
            _Dumps(self.redis), dumps, names=[puts[n].name for n in some],
            over=[puts[n].over for n in some],
        )  # fmt: skip
        for n, word in zip(some, told, strict=True):
            words[n] = "put" if word == "restored" else word

    def _batch(self, one: Put) -> Batch:
        part = one.part
        digest, ends = seen(one.over) if isinstance(one.over, Dump) else (b"", -1)
        beside = staging(one.name, one.token, same_slot=is_cluster(self.redis))
        flat = _flat(part)
        about = (
            part.type.encode(), b"%d" % part.start, b"%d" % part.size, b"%d" % part.is_last,
            b"%d" % (part.expires_at or 0), digest, b"%d" % ends, part.last_id.encode(),
            b"%d" % UNFINISHED_MS,
        )  # fmt: skip
        return Batch([beside, one.name], [*about, *flat])


def staging(name: bytes, token: bytes, *, same_slot: bool) -> bytes:
    """Where a key is made before it gets its name: below its name, in its slot if asked."""
    beside = name + b":importing:" + token
    if not same_slot:
        return beside
    wanted = names.slot(name)
    if names.slot(beside) == wanted:
        return beside
    if b"{" not in name:
        return beside + b"{%d}" % _tags()[wanted]
    return next(
        tried for n in itertools.count()
        if names.slot(tried := beside + b"{%d}" % n) == wanted
    )  # fmt: skip


@cache
def _tags() -> dict[int, int]:
    """A number for each slot that as a hash tag leads to it."""
    found: dict[int, int] = {}
    for n in itertools.count():
        found.setdefault(names.slot(b"%d" % n), n)
        if len(found) == names.SLOTS:
            return found
    raise AssertionError("unreachable")


def _flat(part: Part) -> list[bytes]:
    match part.type:
        case "string":
            return [part.value]
        case "hash":
            return [word for pair in part.value for word in pair]
        case "zset":
            return [word for m, score in part.value for word in (repr(score).encode(), m)]
        case "stream":
            flat: list[bytes] = []
            for id, fields in part.value:
                flat += [id.encode(), b"%d" % (2 * len(fields))]
                flat += [word for pair in fields for word in pair]
            return flat
        case _:
            return list(part.value)


class Putting(_Putting, Blocking):
    """Parts of archives, through a blocking client."""


class AsyncPutting(_Putting, Awaiting):
    """Parts of archives, through an awaiting client."""
