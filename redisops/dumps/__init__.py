"""Take keys as DUMP payloads, remove what was taken, put it back: the library's half of undo.

The order that loses nothing is ``take`` -> keep the dumps somewhere -> ``remove``: a key is
unlinked by a script only while its DUMP and its expiry are still what was taken, so what
somebody wrote meanwhile stays. ``restore`` never overwrites unless told to.

Keys of one slot travel in one script call (on a single server: 200 keys), calls in one
pipeline. Where scripts are refused, ``take`` uses plain commands and ``remove`` raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisops.dumps import changing, taking
from redisops.dumps.model import MAX_BYTES, Dump, OutOfReach, Taken, TooBig, digest
from redisops.dumps.sending import TRIP_KEYS
from redisops.errors import InvalidArgument
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, nodes, send

__all__ = [
    "MAX_BYTES",
    "AsyncDumps",
    "Dump",
    "Dumps",
    "OutOfReach",
    "Taken",
    "TooBig",
    "digest",
]


class _Dumps:
    """The keys of one server or cluster as dumps."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def take(
        self, keys: Sequence[bytes], *, max_bytes: int = MAX_BYTES, budget: int | None = None
    ) -> Steps[list[Taken]]:
        """Each key as :class:`Dump`, None when it is absent, or why it was not taken.

        One round trip per 1,000 small keys; large ones are left for trips of their own, of
        about 16 MiB. A key above ``max_bytes`` is ``TooBig``; one that takes more than twice
        that in memory is not even dumped. ``OutOfReach``: this user may not read the key. With
        a ``budget`` in bytes it stops before it is passed (but takes one): the list is then
        shorter than ``keys``, and the rest is for the next call. Errors are redis-py's own.
        """
        if max_bytes < 1:
            raise InvalidArgument(f"max_bytes {max_bytes} must be at least 1")
        found: list[Taken] = []
        total = 0
        for start in range(0, len(keys), TRIP_KEYS):
            part = keys[start : start + TRIP_KEYS]
            left = taking.UNBOUNDED if budget is None else budget - total
            taken = yield from taking.take_trip(self.redis, part, max_bytes, left)
            for one in taken:
                total += one.size if isinstance(one, Dump) else 0
                if budget is not None and total > budget and found:
                    return found
                found.append(one)
            if len(taken) < len(part):
                break
        return found

    @step
    def remove(self, dumps: Sequence[Dump]) -> Steps[list[str]]:
        """UNLINK each key whose DUMP and expiry are still as taken; one trip per 1,000 keys.

        Per key "removed", "changed" (somebody wrote it since; nothing was done), "gone" or
        "refused: …". When the server refuses everything for one trouble (READONLY, NOPERM …)
        that error is raised and nothing was done. UnknownResult: the reply was lost, look at
        the keys.
        """
        return (yield from changing.remove(self.redis, dumps))

    @step
    def restore(
        self,
        dumps: Sequence[Dump],
        *,
        replace: bool = False,
        names: Sequence[bytes] | None = None,
        over: Sequence[Taken] | None = None,
    ) -> Steps[list[str]]:
        """RESTORE each dump with its absolute expiry, under its name or that of ``names``.

        Per dump "restored", "taken" (a key is there; nothing was done), "expired" (its time is
        over by the server's clock), "incompatible: …" or "refused: …". ``over`` is what ``take``
        found at the names: that, and only that, is overwritten ("taken" when it changed since).
        ``replace`` overwrites whatever is there, so keep it first. Raises as ``remove`` does.
        A trip for the clock when anything expires, then one or two per 1,000 keys or 16 MiB.
        """
        targets = [dump.key for dump in dumps] if names is None else list(names)
        current = [None] * len(dumps) if over is None else list(over)
        if not len(targets) == len(current) == len(dumps):
            raise InvalidArgument(
                f"{len(targets)} names and {len(current)} seen values for {len(dumps)} dumps: "
                "give one of each for every dump"
            )
        return (yield from changing.restore(self.redis, dumps, targets, current, replace=replace))

    @step
    def now(self) -> Steps[int]:
        """The server's clock, Unix milliseconds: what expiries are compared with. One trip."""
        [node, *_] = yield from nodes(self.redis)
        [reply] = yield from send(self.redis, [(node, ("TIME",))])
        return taking.milliseconds(checked(reply))


class Dumps(_Dumps, Blocking):
    """The keys of one server or cluster as dumps, through a blocking client."""


class AsyncDumps(_Dumps, Awaiting):
    """The keys of one server or cluster as dumps, through an awaiting client."""
