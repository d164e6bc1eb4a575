"""What the server says about streams: many in one look, groups and what is pending among it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values import calls

MOST_KEYS = 200
MOST_GROUPS = 50
MOST_NAME = 1_024


@dataclass(frozen=True)
class GroupInfo:
    """A consumer group. ``lag`` and ``entries_read`` are None where the server does not know.

    ``oldest_pending`` is the lowest id that was delivered and not acknowledged, ``oldest_idle``
    the milliseconds since its last delivery; both None for none, and without the right to look.
    """

    name: bytes
    consumers: int
    pending: int
    last_delivered: str
    lag: int | None
    entries_read: int | None
    oldest_pending: str | None = None
    oldest_idle: int | None = None


@dataclass(frozen=True)
class ConsumerInfo:
    """A consumer of a group; milliseconds since it last asked, and since it last got something."""

    name: bytes
    pending: int
    idle: int
    inactive: int | None


@dataclass(frozen=True)
class StreamInfo:
    """A stream without its entries. Ids are "" where there is no entry; ``memory`` is bytes.

    ``entries_added`` and ``max_deleted_id`` are None before Redis 7, ``memory`` without the right
    to ask. ``groups`` are the first ``group_count`` of them. ``missing`` is the right that lacks
    for a bounded look.
    """

    key: bytes
    length: int
    first_id: str
    last_id: str
    last_generated_id: str
    entries_added: int | None
    max_deleted_id: str | None
    radix_keys: int
    radix_nodes: int
    memory: int | None
    groups: tuple[GroupInfo, ...]
    group_count: int
    missing: str = ""

    @property
    def lag(self) -> int | None:
        """The unread entries of all groups together; None when one of them does not know."""
        lags = [group.lag for group in self.groups]
        known = [lag for lag in lags if lag is not None]
        return sum(known) if len(known) == len(lags) else None

    @property
    def pending(self) -> int:
        return sum(group.pending for group in self.groups)


@dataclass(frozen=True)
class Unread:
    """A key of which nothing is said: it is gone, of another type, or out of reach."""

    key: bytes
    why: str  # "gone", "type" or "reach"


class _Streams:
    """Streams of one server or cluster. Everything here only reads."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def overview(self, keys: Sequence[bytes]) -> Steps[list[StreamInfo | Unread]]:
        """The facts of up to ``MOST_KEYS`` streams in their order; two round trips.

        One by a script that reads for all, one for their memory. A user without the right to
        scripts gets them from XINFO, which sends the first and last entry of each as well, and
        without the oldest pending entry.
        """
        keys = list(keys[:MOST_KEYS])
        if not keys:
            return []
        missing = ""
        try:
            told = yield from calls.run(
                self.redis,
                [calls.Call("group_facts", key, (MOST_GROUPS, MOST_NAME)) for key in keys],
            )
        except calls.ScriptsRefused as refused:
            missing = str(refused)
            told = yield from self._plainly(keys)
        sizes = yield from calls.send(
            self.redis,
            [
                (calls.node_of(self.redis, key), ("MEMORY", "USAGE", key, "SAMPLES", 5))
                for key in keys
            ],
        )
        return [
            _stream(key, reply, size, missing)
            for key, reply, size in zip(keys, told, sizes, strict=True)
        ]

    @step
    def one(self, key: bytes) -> Steps[StreamInfo | Unread]:
        """The facts of one stream; two round trips."""
        [found] = yield from _Streams.overview.body(self, [key])
        return found

    def _plainly(self, keys: Sequence[bytes]) -> Steps[list[Any]]:
        """As the script answers, from two commands for each key. One round trip."""
        yield from calls.nodes(self.redis)
        replies = yield from calls.send(
            self.redis,
            [
                (calls.node_of(self.redis, key), ("XINFO", what, key))
                for key in keys
                for what in ("STREAM", "GROUPS")
            ],
        )
        found: list[Any] = []
        for info, groups in zip(replies[::2], replies[1::2], strict=True):
            error = next((r for r in (info, groups) if isinstance(r, Exception)), None)
            rows = [] if error else [(row, 0, None) for row in groups[:MOST_GROUPS]]
            found.append(error or (info, rows))
        return found


class Streams(_Streams, Blocking):
    __doc__ = _Streams.__doc__


class AsyncStreams(_Streams, Awaiting):
    __doc__ = _Streams.__doc__


def _stream(key: bytes, reply: Any, size: Any, missing: str) -> StreamInfo | Unread:
    if isinstance(reply, Exception):
        return Unread(key, _why(reply))
    info, rows = reply
    about = named(info)
    length = about["length"]
    deleted = _text(about.get("max-deleted-entry-id"))
    return StreamInfo(
        key, length, _id(about.get("first-entry")), _id(about.get("last-entry")),
        _text(about["last-generated-id"]), about.get("entries-added"),
        deleted or None, about["radix-tree-keys"], about["radix-tree-nodes"],
        size if isinstance(size, int) else None,
        tuple(_group(row, oldest) for row, _, oldest in rows), about["groups"], missing,
    )  # fmt: skip


def _why(error: Exception) -> str:
    """The word for an error that concerns one key; any other error is raised."""
    if calls.is_wrong_type(error):
        return "type"
    if isinstance(error, ResponseError) and "no such key" in str(error):
        return "gone"
    if calls.is_out_of_reach(error):
        return "reach"
    raise error


def _group(row: Any, oldest: Any) -> GroupInfo:
    about = named(row)
    return GroupInfo(
        about["name"], about["consumers"], about["pending"], _text(about["last-delivered-id"]),
        about.get("lag"), about.get("entries-read"),
        _text(oldest[0]) if oldest else None, int(oldest[2]) if oldest else None,
    )  # fmt: skip


def named(row: Any) -> dict[str, Any]:
    """A row of XINFO by names: a flat list from a script, a dict from the client."""
    if isinstance(row, dict):
        return {_text(name): value for name, value in row.items()}
    return dict(zip(map(_text, row[::2]), row[1::2], strict=True))


def _id(entry: Any) -> str:
    if not entry:
        return ""
    return _text(entry if isinstance(entry, bytes | str) else entry[0])


def _text(word: Any) -> str:
    return word.decode("latin-1") if isinstance(word, bytes) else str(word or "")
