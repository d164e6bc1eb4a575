"""One script over many keys: calls of one slot each, many calls in one pipeline.

Everything here is a generator of steps for ``yield from``. A call that a server answers with
NOSCRIPT was not run, so it is sent again with the script's text; nothing else is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from redis import exceptions

from redisops import keys as names
from redisops import scripts
from redisops.dumps.model import MIB
from redisops.resilience.causes import words_of
from redisops.steps import Steps
from redisops.values.calls import is_cluster, is_out_of_reach, known, node_of, nodes, send

CALL_KEYS, TRIP_KEYS = 200, 1000
CALL_BYTES, TRIP_BYTES = 4 * MIB, 16 * MIB


class Batch(NamedTuple):
    """One call of a script: keys of one slot, and its arguments."""

    keys: Sequence[bytes]
    args: Sequence[Any]


def run(
    redis: Any, name: str, batches: Sequence[Batch], *, read_only: bool = False
) -> Steps[list[Any]]:
    """The reply, or the error, of each call. One round trip; one more for lost scripts."""
    if not batches:
        return []
    yield from nodes(redis)
    state = known(redis)
    replies = yield from _send(redis, name, batches, read_only=read_only)
    again = [n for n, reply in enumerate(replies) if _was_not_run(reply)]
    if again:
        state.loaded.clear()
        if read_only and not isinstance(replies[again[0]], exceptions.NoScriptError):
            state.read_only = False  # older than EVALSHA_RO
        late = yield from _send(redis, name, [batches[n] for n in again], read_only=read_only)
        for n, reply in zip(again, late, strict=True):
            replies[n] = reply
    return replies


def _send(redis: Any, name: str, batches: Sequence[Batch], *, read_only: bool) -> Steps[list[Any]]:
    state = known(redis)
    text = scripts.source(name)
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    commands = []
    for keys, args in batches:
        node = node_of(redis, keys[0])
        place = (getattr(node, "name", ""), name)
        verb, what = ("EVALSHA", sha) if place in state.loaded else ("EVAL", text)
        state.loaded.add(place)
        verb += "_RO" if read_only and state.read_only else ""
        commands.append((node, (verb, what, len(keys), *keys, *args)))
    try:
        return (yield from send(redis, commands))
    except BaseException:
        state.loaded.clear()  # nobody knows what arrived
        raise


def _was_not_run(reply: Any) -> bool:
    if isinstance(reply, exceptions.NoScriptError):
        return True
    return isinstance(reply, exceptions.ResponseError) and "unknown command" in str(reply).lower()


def grouped(redis: Any, sized: Sequence[tuple[bytes, int]]) -> list[list[int]]:
    """Positions of keys that one call may take: of one slot, few, and not too large together."""
    several = is_cluster(redis)
    groups: list[list[int]] = []
    open_groups: dict[int, tuple[list[int], int]] = {}
    for n, (key, size) in enumerate(sized):
        slot = names.slot(key) if several else 0
        group, total = open_groups.get(slot, ([], 0))
        if not group or len(group) >= CALL_KEYS or total + size > CALL_BYTES:
            group, total = [], 0
            groups.append(group)
        group.append(n)
        open_groups[slot] = (group, total + size)
    return groups


def trips(groups: Sequence[list[int]], sizes: Sequence[int]) -> Iterator[list[list[int]]]:
    """The groups in pipelines: at most 1,000 keys and 16 MiB each, a larger group by itself."""
    trip: list[list[int]] = []
    count = total = 0
    for group in groups:
        size = sum(sizes[n] for n in group)
        if trip and (count + len(group) > TRIP_KEYS or total + size > TRIP_BYTES):
            yield trip
            trip, count, total = [], 0, 0
        trip.append(group)
        count += len(group)
        total += size
    if trip:
        yield trip


def raise_trouble(replies: Sequence[Any]) -> None:
    """Raise the first error when all replies are errors of the server, not of single keys."""
    errors = [reply for reply in replies if isinstance(reply, Exception)]
    if errors and len(errors) == len(replies) and not any(_is_of_a_key(e) for e in errors):
        raise errors[0]


def _is_of_a_key(error: Exception) -> bool:
    words = words_of(error)
    return is_out_of_reach(error) or words.startswith(("BUSYKEY", "ERR ", "WRONGTYPE"))
