"""Values on their way from key to key, as dumps: the parts that copy and move share.

Everything here is a generator of steps for ``yield from``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redisops.dumps import Dump, OutOfReach, Taken, TooBig, _Dumps
from redisops.steps import Steps

_WORDS = {"restored": "copied", "expired": "gone"}
Pairs = Sequence[tuple[bytes, bytes]]


def copy(
    source: Any, target: Any, pairs: Pairs, max_bytes: int, *, replace: bool,
    over: Sequence[Taken] | None,
) -> Steps[tuple[list[str], list[Taken]]]:  # fmt: skip
    """A word for each pair (see ``Bulk.copy``), and what was taken of each old name."""
    taken: list[Taken] = yield from _Dumps.take.body(
        _Dumps(source), [old for old, _ in pairs], max_bytes=max_bytes
    )
    words = [_not_taken(one) for one in taken]
    dumps = {n: one for n, one in enumerate(taken) if isinstance(one, Dump)}
    told = yield from _Dumps.restore.body(
        _Dumps(target), list(dumps.values()), replace=replace,
        names=[pairs[n][1] for n in dumps],
        over=None if over is None else [over[n] for n in dumps],
    )  # fmt: skip
    for n, word in zip(dumps, told, strict=True):
        words[n] = _WORDS.get(word, word)
    return words, taken


def compare(source: Any, target: Any, pairs: Pairs) -> Steps[list[tuple[Taken, bool]]]:
    """What is at each old name, and whether the new name holds the same until the same time."""
    here = yield from _Dumps.take.body(_Dumps(source), [old for old, _ in pairs])
    there = yield from _Dumps.take.body(_Dumps(target), [new for _, new in pairs])
    return [(one, _is_same(one, other)) for one, other in zip(here, there, strict=True)]


def finish(redis: Any, words: list[str], copied: Mapping[int, Taken]) -> Steps[None]:
    """Remove the old names of what was copied, if unchanged, and say so in ``words``."""
    dumps = {n: one for n, one in copied.items() if isinstance(one, Dump)}
    removed = yield from _Dumps.remove.body(_Dumps(redis), list(dumps.values()))
    for n, word in zip(dumps, removed, strict=True):
        words[n] = "renamed" if word in ("removed", "gone") else word


def _not_taken(one: Taken) -> str:
    """Why there is no dump; "" when there is one."""
    if one is None:
        return "gone"
    if isinstance(one, TooBig):
        return f"too big: about {one.size:,} bytes"
    return f"refused: {one.why}" if isinstance(one, OutOfReach) else ""


def _is_same(one: Taken, other: Taken) -> bool:
    if not isinstance(one, Dump) or not isinstance(other, Dump):
        return False
    return one.payload == other.payload and one.expires_at == other.expires_at
