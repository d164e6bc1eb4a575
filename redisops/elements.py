"""One element of a key in full, as somebody who is about to change it must see it.

>>> found = Elements(client).look(b"cart:ann", "hash", b"total")
>>> found.type, found.data, found.seen
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from redis.exceptions import NoPermissionError

from redisops.edits import Seen
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values import calls
from redisops.values.common import script

MOST = 1024 * 1024  # bytes of an element that can be edited by hand

What = Literal["key", "string", "hash", "list", "set", "zset", "bit", "stream", "json", "vectorset"]


@dataclass(frozen=True)
class Element:
    """What is there now. Sizes are bytes, times milliseconds since 1970 by the server's clock.

    ``type`` is the key's ("none" when it is absent), ``expires_at`` when it does, None for never.
    ``data`` is None when the element is absent or the key is of another type, else its first
    MiB; ``length`` is the size of all of it. ``field_at`` is a hash field's own expiry.
    """

    type: str
    now: int
    expires_at: int | None
    data: bytes | None
    length: int = 0
    field_at: int | None = None

    @property
    def exists(self) -> bool:
        """Whether the key is there, of whatever type."""
        return self.type != "none"

    @property
    def is_cut(self) -> bool:
        """Whether there is more of the element than ``data``."""
        return self.data is not None and len(self.data) < self.length

    @property
    def seen(self) -> Seen:
        """The guard of an edit of it."""
        return Seen.of(self.data or b"", self.length)

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """Of a stream's entry: its (name, value) pairs; () when it is absent or above the limit."""
        if self.data is None or self.is_cut:
            return ()
        # The server's encoder escapes control characters and leaves all other bytes as they are.
        flat = [part.encode("latin-1") for part in json.loads(self.data.decode("latin-1"))]
        return tuple(zip(flat[::2], flat[1::2], strict=True))


class _Elements:
    """Single elements of the keys of one server or cluster."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def look(
        self, key: bytes, what: What = "key", which: bytes | int | str = b"", *, most: int = MOST
    ) -> Steps[Element]:
        """The element, and the key's type and expiry. One round trip, whatever the key's size
        (a list's element in the middle: O(index)).

        ``which`` is the hash's field, the list's index, the member, the bit, the entry's id, the
        JSON path. Raises redis.exceptions.NoPermissionError where this user may not run scripts
        or may not read the key.
        """
        # Nothing can be edited without a script, so a right that was refused is asked for anew:
        # somebody may just have given it.
        calls.known(self.redis).refused_until = 0.0
        try:
            reply = yield from script(self.redis, "element", key, what, which, most)
        except calls.ScriptsRefused as refused:
            raise NoPermissionError(
                f"this user has no permissions to run the '{refused}' command"
            ) from None
        kind, left, now, data, length, field_left = reply
        at = int(now)
        return Element(
            kind.decode(), at, at + left if left >= 0 else None, data, length,
            at + field_left if field_left >= 0 else None,
        )  # fmt: skip

    @step
    def unlink(self, key: bytes) -> Steps[bool]:
        """Delete the key whatever it holds by now, with no way back; whether it was there.

        One command, O(1) for whoever waits: memory is freed in the background. For what a recycle
        bin cannot take; everything else goes through :mod:`redisops.dumps`.
        """
        count = yield self.redis.unlink(key)
        return bool(count)


class Elements(_Elements, Blocking):
    """Single elements of the keys of one server or cluster, through a blocking client."""


class AsyncElements(_Elements, Awaiting):
    """Single elements of the keys of one server or cluster, through an awaiting client."""
