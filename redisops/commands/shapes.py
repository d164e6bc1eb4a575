"""An answer as text: as redis-cli writes it, as JSON, as a table for spreadsheets."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from typing import Any

from redisops import keys
from redisops.commands.replies import Reply
from redisops.commands.table import Command
from redisops.commands.words import word

Rows = list[list[Reply]]

_PAIRS = frozenset(
    (
        "hgetall",
        "config|get",
        "xinfo|stream",
        "memory|stats",
        "acl|getuser",
        "pubsub|numsub",
        "pubsub|shardnumsub",
        "latency|histogram",
        "function|stats",
    )
)
_WITH = {
    "zrange": b"WITHSCORES", "zrevrange": b"WITHSCORES", "zrangebyscore": b"WITHSCORES",
    "zrevrangebyscore": b"WITHSCORES", "zinter": b"WITHSCORES", "zunion": b"WITHSCORES",
    "zdiff": b"WITHSCORES", "zrandmember": b"WITHSCORES", "hrandfield": b"WITHVALUES",
    "vsim": b"WITHSCORES",
}  # fmt: skip
_ALWAYS = frozenset(("zpopmin", "zpopmax"))
_FORMULA = tuple("=+-@\t\r＝＋－＠")  # some spreadsheets take the wide ones, too


def shaped(reply: Reply, command: Command | None, args: list[bytes]) -> Reply:
    """The flat list of RESP2 as the map that the command means by it."""
    if reply.kind != "array" or command is None or not reply.value:
        return reply
    asked = _WITH.get(command.name)
    means_pairs = (
        command.name in _PAIRS
        or command.name in _ALWAYS
        or (asked is not None and any(word(arg) == asked for arg in args[2:]))
    )
    flat: list[Reply] = reply.value
    if not means_pairs or any(isinstance(one.value, list) for one in flat[::2]):
        return reply
    pairs = list(zip(flat[::2], flat[1::2], strict=False))
    return Reply("map", pairs, reply.size // 2, reply.cut)


def text(reply: Reply) -> str:
    """As redis-cli shows it on a terminal."""
    return "\n".join(_lines(reply))


def _lines(reply: Reply) -> list[str]:
    if reply.kind in ("array", "set", "push", "map"):
        return _aggregate(reply)
    return [scalar(reply)]


def scalar(reply: Reply) -> str:
    """One value that is no list."""
    if reply.kind == "nil":
        return "(nil)"
    if reply.kind == "integer":
        return f"(integer) {reply.value}"
    if reply.kind == "double":
        return f"(double) {reply.value:.17g}"
    if reply.kind == "boolean":
        return "(true)" if reply.value else "(false)"
    if reply.kind == "error":
        return f"(error) {_visible(reply.value)}"
    if reply.kind == "simple":
        return _visible(reply.value)
    more = f" … ({reply.size:,} bytes)" if reply.cut else ""
    return quoted(reply.value) + more


def _visible(value: bytes) -> str:
    return keys.printable(value).replace("\\\\", "\\")


def quoted(value: bytes) -> str:
    r"""Bytes in double quotes with ``\n``, ``\"`` and ``\xNN``, as redis-cli writes them."""
    out = []
    names = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x07: "\\a", 0x08: "\\b"}
    for byte in value:
        if byte in b'"\\':
            out.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F:
            out.append(chr(byte))
        else:
            out.append(names.get(byte) or f"\\x{byte:02x}")
    return f'"{"".join(out)}"'


def _aggregate(reply: Reply) -> list[str]:
    if not reply.value:
        return [f"(empty {'hash' if reply.kind == 'map' else reply.kind})"]
    width = len(str(len(reply.value)))
    mark = "#" if reply.kind == "map" else "~" if reply.kind == "set" else ")"
    out: list[str] = []
    for number, one in enumerate(reply.value, start=1):
        head = f"{number:>{width}}{mark} "
        if reply.kind == "map":
            name, value = one
            inner = _lines(value)
            first = f"{scalar(name)} => {inner[0]}"
            inner = [first, *inner[1:]]
        else:
            inner = _lines(one)
        out.append(head + inner[0])
        out += [" " * len(head) + line for line in inner[1:]]
    if reply.cut:
        out.append(f"… cut: {len(reply.value):,} of {reply.size:,} were read")
    return out


def as_json(reply: Reply) -> str:
    """As JSON: text as text, other bytes as ``{"base64": "…"}``, what is cut says so."""
    return json.dumps(plain(reply), ensure_ascii=False, indent=2)


def plain(reply: Reply) -> Any:
    """The value made of what JSON knows; whole numbers beyond 2**53 as text."""
    if reply.kind in ("bulk", "simple"):
        value: Any = _json_text(reply.value)
        return {"cut": True, "size": reply.size, "value": value} if reply.cut else value
    if reply.kind == "error":
        return {"error": _visible(reply.value)}
    if reply.kind == "integer":
        return reply.value if abs(reply.value) < 2**53 else str(reply.value)
    if reply.kind == "double":
        return reply.value if math.isfinite(reply.value) else str(reply.value)
    if reply.kind == "map":
        return _json_map(reply)
    if isinstance(reply.value, list):
        listed: Any = [plain(one) for one in reply.value]
        return {"cut": True, "size": reply.size, "values": listed} if reply.cut else listed
    return reply.value


def _json_text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _json_map(reply: Reply) -> Any:
    names = [plain(name) for name, _ in reply.value]
    simple = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    if simple and not reply.cut:
        return {name: plain(value) for name, (_, value) in zip(names, reply.value, strict=True)}
    listed = [[name, plain(value)] for name, (_, value) in zip(names, reply.value, strict=True)]
    return {"cut": True, "size": reply.size, "pairs": listed} if reply.cut else {"pairs": listed}


def as_csv(reply: Reply) -> str:
    """As rows for a spreadsheet; what one would take for a formula gets an apostrophe.

    Every cell is quoted: where semicolons part the cells, ``a;=1`` would become two of them.
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for row in rows(reply):
        writer.writerow([_cell(one) for one in row])
    if reply.cut:
        writer.writerow([f"cut: the server has {reply.size} in all"])
    return out.getvalue()


def rows(reply: Reply) -> Rows:
    """An answer as rows of values: a map's pairs, a list's lists, else one value each."""
    if reply.kind == "map":
        return [[name, value] for name, value in reply.value]
    if reply.kind in ("array", "set", "push"):
        return [
            one.value if one.kind in ("array", "set") and one.value else [one]
            for one in reply.value
        ]
    return [[reply]]


def _cell(reply: Reply) -> str:
    if reply.kind == "nil":
        return ""
    if reply.kind in ("integer", "double", "boolean"):
        return str(reply.value)
    if isinstance(reply.value, list):
        return json.dumps(plain(reply), ensure_ascii=False)
    shown = _visible(reply.value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
