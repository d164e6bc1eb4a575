"""Copy a key where COPY cannot: to another slot, database or server, or before Redis 6.2.

By DUMP and RESTORE, so it is not one atomic step: the copy is the original as it was at one
moment, and it arrives whole or not at all.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from redisops.dumps import AsyncDumps, Dump, Dumps, OutOfReach, Taken, TooBig
from redisops.edits.apply import refused
from redisops.edits.outcomes import Conflict, Exists, Missing, Outcome, Refused, Saved, Version
from redisops.edits.whole import Copy

MOST = 64 * 1024 * 1024  # bytes of a DUMP that travels through this process


def transfer(
    source: Any, copy: Copy, target: Any, *, over: Dump | None = None, max_bytes: int = MOST
) -> Outcome:
    """Do a ``Copy`` from one blocking client to another, or the same; two or three round trips.

    The copy keeps its expiry. With ``copy.replace`` it overwrites ``over``, the dump of
    ``copy.to`` that the caller took from the target and keeps, and only that: ``Exists`` when
    another value is there. Raises as ``Edits.apply`` does. After UnknownResult look at
    ``copy.to``: it is there whole or not at all.
    """
    try:
        [taken] = Dumps(source).take([copy.key], max_bytes=max_bytes)
        if (problem := _problem(copy, taken, max_bytes)) or not isinstance(taken, Dump):
            return problem or Missing()
        words = Dumps(target).restore([taken], names=[copy.to], over=_over(copy, over))
    except ResponseError as error:
        return refused(copy, error)
    return _outcome(copy, words[0])


async def transfer_async(
    source: Any, copy: Copy, target: Any, *, over: Dump | None = None, max_bytes: int = MOST
) -> Outcome:
    """As ``transfer``, between awaiting clients."""
    try:
        [taken] = await AsyncDumps(source).take([copy.key], max_bytes=max_bytes)
        if (problem := _problem(copy, taken, max_bytes)) or not isinstance(taken, Dump):
            return problem or Missing()
        words = await AsyncDumps(target).restore([taken], names=[copy.to], over=_over(copy, over))
    except ResponseError as error:
        return refused(copy, error)
    return _outcome(copy, words[0])


def _over(copy: Copy, over: Dump | None) -> list[Dump | None]:
    return [over._replace(key=copy.to) if over is not None and copy.replace else None]


def _problem(copy: Copy, taken: Taken, most: int) -> Outcome | None:
    """Why there is nothing to restore; None when ``taken`` is a dump of the right type."""
    match taken:
        case None:
            return Missing()
        case TooBig(size=size):
            return Refused(
                f"The key takes about {size:,} bytes; at most {most:,} are copied this way.",
                instead="Copy it with a program of the server's own, as redis-cli MIGRATE.",
            )
        case OutOfReach(why=why):
            return Refused("This user may not read the key.", why)
        case Dump(type=kind) if copy.kind and kind != copy.kind:
            return Conflict(Version(b"", type=kind), copy.was)
    return None


def _outcome(copy: Copy, word: str) -> Outcome:
    if word == "restored":
        return Saved(None, Version(), copy.intended, copy.no_undo)
    if word == "taken":
        return Exists()
    if word == "expired":
        return Missing()
    kind, _, detail = word.partition(": ")
    if kind == "incompatible":
        return Refused("The other server cannot read this value.", detail)
    return Refused("The other server refused the copy.", detail)
