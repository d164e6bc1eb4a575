"""What a dead-letter stream holds: entries that a group gave up, with cause and origin.

Key: ``<stream>:dead``, a stream. Each entry begins with the fields of ``HEAD``, in that order,
and goes on with the fields of the entry that was given up, as they were, repeats included. The
place of a field and not its name says what it is, so that an entry which itself has a field
``dead:cause`` is read back right.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redisops.streams.model import Entry

SUFFIX = b":dead"
HEAD = (
    b"dead:stream",  # the key that it was in
    b"dead:id",  # its id there
    b"dead:group",
    b"dead:consumer",  # who had it last; empty when unknown
    b"dead:deliveries",  # how often it was handed out
    b"dead:at",  # milliseconds since 1970
    b"dead:cause",  # in words, UTF-8, at most MOST_CAUSE bytes
)
MOST_CAUSE = 2_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One entry of a dead-letter stream, read back. ``id`` is its id in the dead-letter stream."""

    id: str
    stream: bytes
    origin: str
    group: bytes
    consumer: bytes
    deliveries: int
    at: float
    cause: str
    fields: tuple[tuple[bytes, bytes], ...]


def dead_key(stream: bytes | str) -> bytes:
    """The dead-letter stream of a stream.

    On a cluster both are in one slot, and moving is one transaction, if the name has a hash tag.
    """
    return (stream.encode() if isinstance(stream, str) else stream) + SUFFIX


def dead_fields(
    stream: bytes,
    entry: Entry,
    group: bytes,
    cause: str,
    *,
    consumer: bytes = b"",
    deliveries: int | None = None,
    at: float | None = None,
) -> list[bytes]:
    """All fields of the dead letter as XADD takes them: name, value, name, value.

    ``deliveries`` is the entry's own when left out; ``at`` seconds since 1970, now.
    """
    told = cause.encode("utf-8", "replace")
    if len(told) > MOST_CAUSE:
        told = told[:MOST_CAUSE].decode("utf-8", "ignore").encode()
    count = entry.deliveries if deliveries is None else deliveries
    moment = time.time() if at is None else at
    values = (
        stream, entry.id.encode(), group, consumer, b"%d" % count, b"%d" % (moment * 1000), told,
    )  # fmt: skip
    words = [word for pair in zip(HEAD, values, strict=True) for word in pair]
    words += [word for pair in entry.fields for word in pair]
    return words


def letter(entry: Entry) -> DeadLetter | None:
    """The dead letter that an entry of a dead-letter stream is; None when it is none of ours.

    Anybody can write to that stream, so every part is checked.
    """
    first = entry.fields[: len(HEAD)]
    if tuple(name for name, _ in first) != HEAD:
        return None
    stream, origin, group, consumer, deliveries, at, cause = (value for _, value in first)
    milliseconds, _, sequence = origin.partition(b"-")
    numbers = (milliseconds, sequence or b"0", deliveries, at)
    if not all(_is_number(number) for number in numbers):
        return None
    return DeadLetter(
        id=entry.id,
        stream=stream,
        origin=origin.decode(),
        group=group,
        consumer=consumer,
        deliveries=int(deliveries),
        at=int(at) / 1000,
        cause=cause.decode("utf-8", "replace"),
        fields=entry.fields[len(HEAD) :],
    )


def letters(found: Any) -> list[DeadLetter]:
    """The dead letters among entries, in their order."""
    read = (letter(entry) for entry in found)
    return [one for one in read if one is not None]


def _is_number(text: bytes) -> bool:
    return text.isdigit() and text.isascii() and len(text) <= 20
