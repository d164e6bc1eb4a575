"""What the readers of all types share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redisops.steps import Steps
from redisops.values import calls
from redisops.values.facts import KeyRow
from redisops.values.options import BUDGET
from redisops.values.pages import Piece
from redisops.values.positions import Changed

WHOLE = "Long elements are cut after they were read whole: this user may not run scripts."


def facts(row: KeyRow, length: int | None = None, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The fields that every page takes from its key's row."""
    return {
        "key": row.key, "type": row.type, "ttl": row.ttl, "memory": row.memory,
        "length": row.length if length is None else length, "encoding": row.encoding,
        "idle": row.idle, "missing": row.missing, "notes": tuple(notes),
    }  # fmt: skip


def script(redis: Any, name: str, key: bytes, *args: Any) -> Steps[Any]:
    """The reply of one script on one key. One round trip; raises ScriptsRefused."""
    [reply] = yield from calls.run(redis, [calls.Call(name, key, args)])
    return calls.checked(reply)


def plain(redis: Any, key: bytes, *commands: tuple[Any, ...]) -> Steps[list[Any]]:
    """The replies to commands on one key, in one pipeline; the first error is raised."""
    replies = yield from plainly(redis, key, *commands)
    return [calls.checked(reply) for reply in replies]


def plainly(redis: Any, key: bytes, *commands: tuple[Any, ...]) -> Steps[list[Any]]:
    """As :func:`plain`, with errors among the replies."""
    yield from calls.nodes(redis)
    node = calls.node_of(redis, key)
    replies: list[Any] = yield from calls.send(redis, [(node, command) for command in commands])
    return replies


def without_scripts(row: KeyRow, refused: calls.ScriptsRefused) -> KeyRow:
    """The row, with the refused right named."""
    return replace(row, missing=row.missing | {str(refused)})


def present(row: KeyRow, length: int) -> int:
    """The length as the value's own reply has it; Changed when the key went away meanwhile."""
    if length == 0 and row.length != 0:
        raise Changed(row.type)
    return length


def batch(row: KeyRow, count: int) -> int:
    """How many elements to fetch at once, so that big ones do not pile up in the server."""
    if not row.memory or not row.length:
        return count
    return max(1, min(count, BUDGET * row.length // row.memory))


def pieces(flat: Sequence[Any]) -> list[Piece]:
    """Pairs of (start, full length), as the scripts return them."""
    return [Piece(flat[n], flat[n + 1]) for n in range(0, len(flat), 2)]


def cut(element: bytes, limit: int) -> Piece:
    return Piece(element[:limit], len(element))
