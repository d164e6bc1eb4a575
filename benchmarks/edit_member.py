"""Editing one member costs the same whatever the key holds: one round trip, one script.

A hash, a set, a sorted set and a list (near its ends) of a million, each beside one of 1,000:
the same edit and its undo in both. Server microseconds are the server's own (commandstats of
EVALSHA, so the comparing, the writing and the answer), summed over many edits in turns.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from typing import Any

from benchmarks._rig import Claims, books, collections, running
from redisops.connection import connect, measure
from redisops.edits import (
    AddMember,
    DeleteField,
    Edit,
    Edits,
    PushElement,
    RemoveElement,
    RemoveMember,
    RemoveScore,
    Saved,
    Seen,
    SetElement,
    SetField,
    SetScore,
)

ROUNDS, EDITS = 41, 25
NUMBER = 500  # the member that is edited; both keys have it
MEMBER, FIELD, VALUE = b"member:%07d" % NUMBER, b"field:%07d" % NUMBER, b"value:%07d" % NUMBER


def element(size: int, index: int) -> bytes:
    return b"element:%07d" % (index % size)


#     name            key      an edit of the key with so many members; its inverse comes after
CASES: list[tuple[str, str, Callable[[bytes, int], Edit]]] = [
    ("hash: set a field", "hash", lambda k, n: SetField(k, FIELD, b"new", Seen.of(VALUE))),
    ("hash: delete a field", "hash", lambda k, n: DeleteField(k, FIELD, Seen.of(VALUE))),
    ("set: remove a member", "set", lambda k, n: RemoveMember(k, MEMBER)),
    ("set: add a member", "set", lambda k, n: AddMember(k, b"new")),
    ("zset: set a score", "zset", lambda k, n: SetScore(k, MEMBER, 1e9, float(NUMBER))),
    ("zset: remove a member", "zset", lambda k, n: RemoveScore(k, MEMBER, float(NUMBER))),
    (
        "list: set near the head",
        "list",
        lambda k, n: SetElement(k, 50, b"new", Seen.of(element(n, 50))),
    ),
    (
        "list: set near the tail",
        "list",
        lambda k, n: SetElement(k, -50, b"new", Seen.of(element(n, -50))),
    ),
    (
        "list: remove near the head",
        "list",
        lambda k, n: RemoveElement(k, 50, Seen.of(element(n, 50))),
    ),
    ("list: push", "list", lambda k, n: PushElement(k, b"new")),
]


def there_and_back(edits: Any, edit: Edit) -> None:
    saved = edits.apply(edit)
    assert isinstance(saved, Saved), saved
    assert saved.inverse is not None
    undone = edits.apply(saved.inverse)
    assert isinstance(undone, Saved), undone


def main() -> int:
    claims = Claims("edit_member")
    with running() as server, server.client(socket_timeout=60) as plain:
        collections(plain)
        with connect(server.url) as client:
            edits: Any = Edits(client)
            for name, family, make in CASES:
                both = [make(b"%s:small" % family.encode(), 1_000),
                        make(b"%s:big" % family.encode(), 1_000_000)]  # fmt: skip
                for edit in both:
                    there_and_back(edits, edit)
                trips = []
                for edit in both:
                    with measure() as cost:
                        there_and_back(edits, edit)
                    trips.append(cost.round_trips)
                spent: list[list[float]] = [[], []]
                for turn in range(ROUNDS):
                    for at in (0, 1) if turn % 2 else (1, 0):
                        with books(plain) as book:
                            for _ in range(EDITS):
                                there_and_back(edits, both[at])
                        spent[at].append(book.usec["evalsha"] / (2 * EDITS))
                small, big = (statistics.median(one) for one in spent)
                print(f"{name:<28} {small:6.1f} us of 1,000, {big:6.1f} us of 1,000,000")
                claims.exactly(f"{name}: round trips, edit and undo", trips[1], 2)
                claims.exactly(f"{name}: round trips big / small", trips[1] / trips[0], 1)
                claims.at_most(f"{name}: server time big / small", big / small, 1.5)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
