"""Strings: a window of bytes, the window as bits, and HyperLogLogs, which are strings too."""

from __future__ import annotations

import re
from typing import Any

from redisops.steps import Steps
from redisops.values import calls
from redisops.values.common import facts, plainly, present
from redisops.values.facts import KeyRow
from redisops.values.options import View
from redisops.values.pages import Bits, HyperLogLogPage, StringPage
from redisops.values.positions import numbers, position

HEAD = 16  # a HyperLogLog's header
_SMALL = 1024 * 1024  # bytes that BITCOUNT may walk
_MOST_RANGES = 1000
_REGISTERS = {0: "dense", 1: "sparse"}


def read(
    redis: Any, row: KeyRow, at: str | None, view: View, head: bytes
) -> Steps[StringPage | HyperLogLogPage]:
    """The window of the string that starts at ``at``."""
    offset, _ = numbers(at, "string")
    log = _is_hyperloglog(head)
    bits = view.bits and (row.length or 0) <= _SMALL
    commands: list[tuple[Any, ...]] = [
        ("STRLEN", row.key),
        ("GETRANGE", row.key, offset, offset + view.window - 1),
    ]
    if log:
        # The same key twice: PFCOUNT of one key may write its estimate into the value.
        commands.append(("PFCOUNT", row.key, row.key))
    elif bits:
        commands.append(("BITCOUNT", row.key))
    length, data, *rest = yield from plainly(redis, row.key, *commands)
    length, data = present(row, calls.checked(length)), calls.checked(data)
    if (
        not head and not offset and _is_hyperloglog(data[:HEAD])
    ):  # scripts are refused: a third trip
        head, log = data[:HEAD], True
        rest = yield from plainly(redis, row.key, ("PFCOUNT", row.key, row.key))

    end = offset + len(data)
    places: dict[str, Any] = {
        "next": position("string", end) if data and end < length else None,
        "previous": position("string", max(offset - view.window, 0)) if offset else None,
    }
    # Bytes that begin like a HyperLogLog and are none get an error from PFCOUNT: a string.
    if log and not isinstance(rest[0], Exception):
        return HyperLogLogPage(
            **facts(row, length), **places, data=data, offset=offset,
            estimate=rest[0], registers=_REGISTERS[head[4]],
        )  # fmt: skip
    count = calls.checked(rest[0]) if bits and not log else None
    return StringPage(
        **facts(row, length), **places, data=data, offset=offset,
        bits=_bits(data, offset, count) if view.bits else None,
    )  # fmt: skip


def _is_hyperloglog(head: bytes) -> bool:
    return len(head) == HEAD and head[:4] == b"HYLL" and head[4] in _REGISTERS


def _bits(data: bytes, offset: int, count: int | None) -> Bits:
    text = f"{int.from_bytes(data):0{len(data) * 8}b}" if data else ""
    ranges: list[tuple[int, int]] = []
    more = False
    for run in re.finditer("1+", text):
        if len(ranges) == _MOST_RANGES:
            more = True
            break
        ranges.append((offset * 8 + run.start(), offset * 8 + run.end() - 1))
    return Bits(offset * 8, len(data) * 8, tuple(ranges), more, text.count("1"), count)
