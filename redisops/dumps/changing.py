"""Removing what was taken and putting it back, each key guarded by what was seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisops.dumps.model import CHANGED, EXPIRED, GONE, REMOVED, RESTORED, TAKEN, Dump, Taken, seen
from redisops.dumps.sending import Batch, grouped, raise_trouble, run, trips
from redisops.dumps.taking import milliseconds
from redisops.resilience.causes import words_of
from redisops.steps import Steps
from redisops.values.calls import checked, is_out_of_reach, node_of, nodes, send

UNREADABLE = {
    "payload version or checksum": "incompatible: this server does not read values dumped by a "
    "server of that version, or the dump is damaged. Restore it to a server of the version that "
    "it came from, or a newer one",
    "Bad data format": "incompatible: this server does not know the value's type or encoding. "
    "Restore it to a server with the same version and modules",
}
_REMOVED = {1: REMOVED, 0: CHANGED, -1: GONE}


def remove(redis: Any, dumps: Sequence[Dump]) -> Steps[list[str]]:
    """The body of ``Dumps.remove``."""
    yield from nodes(redis)
    results = [""] * len(dumps)
    groups = grouped(redis, [(dump.key, dump.size) for dump in dumps])
    alone: list[list[int]] = []
    for trip in trips(groups, [dump.size for dump in dumps]):
        alone += yield from _remove_trip(redis, dumps, trip, results)
    # One key that the user may not touch refused the whole call, before it did anything.
    for trip in trips(alone, [dump.size for dump in dumps]):
        yield from _remove_trip(redis, dumps, trip, results)
    return results


def _remove_trip(
    redis: Any, dumps: Sequence[Dump], trip: Sequence[list[int]], results: list[str]
) -> Steps[list[list[int]]]:
    """Fill in the results of a trip; returns the keys to try again one by one."""
    batches = [
        Batch([dumps[n].key for n in group], [part for n in group for part in seen(dumps[n])])
        for group in trip
    ]
    replies = yield from run(redis, "unlink_dumped", batches)
    if not any(results):
        raise_trouble(replies)
    again: list[list[int]] = []
    for group, reply in zip(trip, replies, strict=True):
        if is_out_of_reach(reply) and len(group) > 1:
            again += [[n] for n in group]
            continue
        told = [reply] * len(group) if isinstance(reply, Exception) else reply
        for n, one in zip(group, told, strict=True):
            results[n] = _REMOVED[one] if isinstance(one, int) else _refused(one)
    return again


def restore(
    redis: Any,
    dumps: Sequence[Dump],
    targets: Sequence[bytes],
    over: Sequence[Taken],
    *,
    replace: bool,
) -> Steps[list[str]]:
    """The body of ``Dumps.restore``; ``over`` is None for each name that must be free."""
    yield from nodes(redis)
    expired = yield from _expired(redis, dumps, targets)
    results = [EXPIRED if n in expired else "" for n in range(len(dumps))]
    left = [[n] for n in range(len(dumps)) if n not in expired]
    has_answers = False
    for trip in trips(left, [dump.size for dump in dumps]):
        asked = [n for group in trip for n in group]
        guarded = [n for n in asked if isinstance(over[n], Dump)]
        plain = [n for n in asked if not isinstance(over[n], Dump)]
        replies = yield from send(
            redis,
            [
                (node_of(redis, targets[n]), _command(targets[n], dumps[n], replace=replace))
                for n in plain
            ],
        )
        batches = [Batch([targets[n]], _over(dumps[n], over[n])) for n in guarded]
        replies += yield from run(redis, "restore_over", batches)
        if not has_answers:
            raise_trouble(replies)
        has_answers = True
        for n, reply in zip(plain + guarded, replies, strict=True):
            results[n] = _restored(reply)
    return results


def _command(name: bytes, dump: Dump, *, replace: bool) -> tuple[Any, ...]:
    options = ("REPLACE",) if replace else ()
    if dump.expires_at is None:
        return ("RESTORE", name, 0, dump.payload, *options)
    return ("RESTORE", name, dump.expires_at, dump.payload, "ABSTTL", *options)


def _over(dump: Dump, current: Taken) -> tuple[Any, ...]:
    if not isinstance(current, Dump):
        raise TypeError(f"{type(current).__name__} cannot be overwritten: it was not taken")
    return (dump.payload, dump.expires_at or 0, *seen(current))


def _expired(redis: Any, dumps: Sequence[Dump], targets: Sequence[bytes]) -> Steps[set[int]]:
    """Whose time is over, by the clock of the node that it would go to. One trip if any has one."""
    timed = [n for n, dump in enumerate(dumps) if dump.expires_at is not None]
    owners = {n: node_of(redis, targets[n]) for n in timed}
    by_name = {getattr(node, "name", ""): node for node in owners.values()}
    replies = yield from send(redis, [(node, ("TIME",)) for node in by_name.values()])
    clocks = {
        name: milliseconds(checked(reply)) for name, reply in zip(by_name, replies, strict=True)
    }
    return {
        n for n in timed if (dumps[n].expires_at or 0) <= clocks[getattr(owners[n], "name", "")]
    }


def _restored(reply: Any) -> str:
    if reply == 0 and isinstance(reply, int):
        return TAKEN
    if not isinstance(reply, Exception):
        return RESTORED
    words = words_of(reply)
    if "BUSYKEY" in words:
        return TAKEN
    for part, told in UNREADABLE.items():
        if part in words:
            return told
    return _refused(reply)


def _refused(why: Any) -> str:
    if isinstance(why, Exception):
        return f"refused: {words_of(why)}"
    return f"refused: {why.decode('utf-8', 'replace') if isinstance(why, bytes) else why}"
