"""JSON lines: a header, a line for each key or part of one, and a line that ends the file.

Bytes are text where they are UTF-8 and ``{"base64": "…"}`` where they are not, so that no text
can be taken for the other. Scores are JSON numbers, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from typing import Any, BinaryIO

from redisops.archives.model import (
    LINES,
    LONGEST_LINE,
    LONGEST_NAME,
    PLAIN,
    Damaged,
    Dropped,
    Header,
    Part,
    Unfit,
    checked_facts,
    entry_id,
)
from redisops.errors import InvalidArgument

FORMAT, VERSION = "redisops.keys", 1
NOTE = "Streams without consumer groups, hashes without the expiry of single fields: see DUMP."


class LinesWriter:
    """Each method returns bytes for the end of the file. ``state`` goes on elsewhere."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.state = dict(state or {"keys": 0, "lines": 0, "crc32": 0})

    def header(self, server: str, created: int) -> bytes:
        told = {"format": FORMAT, "version": VERSION, "server": server, "created": created}
        return self._line({**told, "note": NOTE})

    def part(self, part: Part) -> bytes:
        """The part's line; Unfit when it is too long for one."""
        row: dict[str, Any] = {"key": shown(part.key), "type": part.type}
        if part.expires_at is not None:
            row["expires_at"] = part.expires_at
        if part.number > 1 or not part.is_last:
            row |= {"part": part.number, "more": not part.is_last}
        if part.last_id:
            row["last_id"] = part.last_id
        if part.is_dump:
            row["dump"] = base64.b64encode(part.value).decode()
        else:
            row["value"] = _value_shown(part)
        line = self._text(row)
        if len(line) > LONGEST_LINE or len(part.key) > LONGEST_NAME:
            raise Unfit(
                f"its name or an element is too large for a line ({LONGEST_LINE:,} bytes): "
                "export it as a DUMP archive"
            )
        self.state["keys"] += part.is_last
        return self._counted(line)

    def dropped(self, dropped: Dropped) -> bytes:
        """The line that takes back the parts before it."""
        return self._line({"key": shown(dropped.key), "part": dropped.number, "dropped": True})

    def end(self) -> bytes:
        return self._text({"end": True, **self.state})

    def _line(self, row: dict[str, Any]) -> bytes:
        return self._counted(self._text(row))

    def _counted(self, line: bytes) -> bytes:
        self.state["lines"] += 1
        self.state["crc32"] = zlib.crc32(line, self.state["crc32"])
        return line

    @staticmethod
    def _text(row: dict[str, Any]) -> bytes:
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode() + b"\n"


class LinesReader:
    """Reads records from a file that stands at ``state["at"]``; hold ``state`` to go on there.

    The state holds no part of a key: whoever puts parts away keeps what they need of them.
    """

    def __init__(self, file: BinaryIO, state: dict[str, Any] | None = None) -> None:
        self.file = file
        start = {"at": 0, "record": 0, "keys": 0, "crc32": 0, "open": None}
        self.state: dict[str, Any] = dict(state or start)

    def header(self) -> Header:
        """The first line; call it once, before anything else."""
        row = self._row()
        if row.get("format") != FORMAT:
            raise Damaged(0, "its first line is not that of an export of this console")
        if row.get("version") != VERSION:
            raise Damaged(0, f"it is of version {row.get('version')!r:.20}; this reads {VERSION}")
        self.state["lines"] = 1
        created = row.get("created")
        server = str(row.get("server") or "")[:100]
        return Header(LINES, server, created if type(created) is int else 0)

    def next(self) -> Part | Dropped | None:
        """The next record; None when the file has come to its end as it should."""
        crc32, lines = self.state["crc32"], self.state["lines"]
        self.state["record"] += 1
        row = self._row()
        number = self.state["record"]
        if "end" in row:
            self._ended(row, lines, crc32)
            return None
        self.state["lines"] += 1
        try:
            key = from_shown(row["key"])
            found = self._dropped(row, key) if "dropped" in row else self._part(row, key)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, Damaged):
                raise
            why = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
            raise Damaged(number, why[:200]) from None
        if isinstance(found, Part):
            self.state["keys"] += found.is_last
        return found

    # --- Lines ------------------------------------------------------------------------------

    def _row(self) -> dict[str, Any]:
        number = self.state["record"]
        line = self.file.readline(LONGEST_LINE + 1)
        if not line:
            raise Damaged(number, "the file ends here, before its last line")
        if not line.endswith(b"\n"):
            long = len(line) > LONGEST_LINE
            why = f"a line is longer than {LONGEST_LINE:,} bytes" if long else "the line is cut off"
            raise Damaged(number, why)
        self.state["at"] += len(line)
        self.state["crc32"] = zlib.crc32(line, self.state["crc32"])
        try:
            row = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Damaged(number, "the line is no JSON") from None
        if not isinstance(row, dict):
            raise Damaged(number, "the line is no JSON object")
        return row

    def _ended(self, row: dict[str, Any], lines: int, crc32: int) -> None:
        number = self.state["record"]
        if self.state["open"] is not None:
            raise Damaged(number, "the last key's parts are not complete")
        if row["end"] is not True or row.keys() - {"end", "keys", "lines", "crc32"}:
            raise Damaged(number, "the last line is not as an export writes it")
        if row.get("lines") != lines or row.get("keys") != self.state["keys"]:
            raise Damaged(
                number, f"the file says {row.get('keys')!r:.20} keys and has {self.state['keys']:,}"
            )
        # Who edits a file by hand takes this one away.
        if "crc32" in row and row["crc32"] != crc32:
            raise Damaged(number, "the checksum of all lines is another: the file was changed")
        if self.file.read(1):
            raise Damaged(number, "something follows the last line")

    # --- Keys -------------------------------------------------------------------------------

    def _dropped(self, row: dict[str, Any], key: bytes) -> Dropped:
        held = self.state["open"]
        if held is None or held["key"] != shown(key) or row.get("part") != held["part"] + 1:
            raise ValueError("it takes back parts that are not before it")
        self.state["open"] = None
        return Dropped(key, held["part"] + 1)

    def _part(self, row: dict[str, Any], key: bytes) -> Part:
        number, more = row.get("part", 1), row.get("more", False)
        checked_facts(self.state["record"], key, row["type"], row.get("expires_at"))
        if type(number) is not int or type(more) is not bool:
            raise TypeError("part is no number, or more is neither true nor false")
        held = self.state["open"]
        about = {"key": shown(key), "type": row["type"], "expires_at": row.get("expires_at")}
        if held is None:
            if number != 1:
                raise ValueError(f"part {number} of a key stands without the parts before it")
        elif number != held["part"] + 1 or any(held[name] != about[name] for name in about):
            raise ValueError("it is not the next part of the key before it")
        start = held["start"] if held else 0
        part = self._valued(row, Part(key, row["type"], row.get("expires_at"), b"", number,
                                      not more, start))  # fmt: skip
        self._hold(part, about)
        return part

    def _hold(self, part: Part, about: dict[str, Any]) -> None:
        """Remember what the next part must go on from."""
        if part.is_last:
            self.state["open"] = None
            return
        last = part.value[-1][0] if part.type == "stream" and part.value else None
        self.state["open"] = {
            **about, "part": part.number, "start": part.start + part.size,
            "id": last or (self.state["open"] or {}).get("id"),
        }  # fmt: skip

    def _valued(self, row: dict[str, Any], part: Part) -> Part:
        if "dump" in row:
            if part.number != 1 or not part.is_last or not isinstance(row["dump"], str):
                raise ValueError("a dump is one line")
            return part._replace(value=_decoded(row["dump"]), is_dump=True)
        if part.type not in PLAIN:
            raise ValueError(f"the type {part.type} has no value but a dump")
        value = _VALUES[part.type](row["value"])
        if not value and part.number == 1 and part.type not in ("string", "stream"):
            raise ValueError(f"a {part.type} is never empty")
        last_id = row.get("last_id", "")
        if part.type == "stream":
            after = (self.state["open"] or {}).get("id")
            _check_entries(value, after, last_id)
        return part._replace(value=value, last_id=last_id)


# --- Bytes and values -----------------------------------------------------------------------


def shown(data: bytes) -> str | dict[str, str]:
    """Text when the bytes are UTF-8, else an object that says they are base64."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def from_shown(told: Any) -> bytes:
    """The inverse of ``shown``; ValueError or TypeError for anything else."""
    if isinstance(told, str):
        return told.encode()
    if isinstance(told, dict) and told.keys() == {"base64"} and isinstance(told["base64"], str):
        return _decoded(told["base64"])
    raise TypeError("a name or value is neither a text nor base64")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("what should be base64 is none") from None


def _value_shown(part: Part) -> Any:
    match part.type:
        case "string":
            return shown(part.value)
        case "list" | "set":
            return [shown(element) for element in part.value]
        case "hash":
            return [[shown(field), shown(value)] for field, value in part.value]
        case "zset":
            return [[shown(member), _score_shown(score)] for member, score in part.value]
        case _:
            return [[id, [[shown(f), shown(v)] for f, v in fields]] for id, fields in part.value]


def _score_shown(score: float) -> float | str:
    return str(score) if math.isinf(score) else score


def _score(told: Any) -> float:
    if told in ("inf", "-inf"):
        return float(told)
    if type(told) not in (int, float) or not math.isfinite(told):
        raise TypeError("a score is no number")
    return float(told)


def _pairs(told: Any) -> list[tuple[bytes, bytes]]:
    return [(from_shown(field), from_shown(value)) for field, value in _rows(told)]


def _rows(told: Any) -> list[Any]:
    if not isinstance(told, list):
        raise TypeError("the value is no list")
    return told


def _entries(told: Any) -> list[tuple[str, list[tuple[bytes, bytes]]]]:
    return [(id, _pairs(fields)) for id, fields in _rows(told)]


def _check_entries(entries: list[tuple[str, Any]], after: str | None, last_id: Any) -> None:
    """Raise InvalidArgument unless the ids rise and each entry has a field."""
    last = entry_id(after) if after else (0, 0)
    for id, fields in entries:
        if entry_id(id) <= last or not fields:
            raise InvalidArgument("the entries of a stream are not in order, or one is empty")
        last = entry_id(id)
    if last_id and entry_id(last_id) < last:
        raise InvalidArgument("the last id of a stream is before its entries")


def _elements(told: Any) -> list[bytes]:
    return [from_shown(element) for element in _rows(told)]


def _members(told: Any) -> list[tuple[bytes, float]]:
    return [(from_shown(member), _score(score)) for member, score in _rows(told)]


_VALUES: dict[str, Any] = {
    "string": from_shown, "list": _elements, "set": _elements, "hash": _pairs,
    "zset": _members, "stream": _entries,
}  # fmt: skip


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
