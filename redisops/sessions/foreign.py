"""What a session's value says, whoever wrote it. Nothing in it is ever run: pickles stay closed.

Any bytes are read within bounds, and end in a ``Content``: never in an exception.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import re
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgpack  # type: ignore[import-untyped]

READ = 64 * 1024
"""Bytes of a value that are looked at."""
_UNPACKED = 256 * 1024
_SIGNED = re.compile(rb"(\.?)([A-Za-z0-9_-]+={0,2}):[A-Za-z0-9]{4,12}:[A-Za-z0-9_-]{20,}={0,2}")
_LONG = b"\xac\xed\x00\x05sr\x00\x0ejava.lang.Long"
_TEXT = b"\xac\xed\x00\x05t"
_WHO = ("_auth_user_id", "_user_id", "user_id", "userId", "username", "user", "principal", "uid",
        "passport", "email", "account")  # fmt: skip
_PERSON = ("id", "username", "name", "email", "user", "sub")
_ADDRESS = ("address", "ip", "ip_address", "ipAddress", "remote_addr")
_AGENT = ("agent", "user_agent", "userAgent", "ua")
_SINCE = ("created", "created_at", "createdAt", "since", "login_time", "signed_in_at")
_SEEN = ("seen", "last_seen", "lastSeen", "last_activity", "lastActivity", "lastAccess")


@dataclass(frozen=True)
class Content:
    """What a value says. Times are seconds since 1970, None where it does not say.

    ``values``: its top-level keys. ``why``: in words why there are none, or not all; "" when
    everything could be read. ``is_session`` is False for what is clearly something else.
    """

    who: str = ""
    since: float | None = None
    seen: float | None = None
    address: str = ""
    agent: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    is_session: bool = True


def read(kind: str, data: bytes, *, is_cut: bool = False) -> tuple[str, Content]:
    """What a string's bytes say, and which layout that shows: one name serves two of them."""
    if is_cut:
        return kind, Content(why=f"longer than {READ:,} bytes, so it was not read")
    if is_pickle(data):
        return kind, Content(why=_opcodes(data))
    signed = _SIGNED.fullmatch(data)
    if signed:
        found = _signed(signed[2], is_packed=bool(signed[1]))
        return "django" if kind == "flask" else kind, _of(found) if found else Content(why=_ODD)
    body = data[1:] if data[:1] == b"!" else data
    found = _json(body) if body[:1] == b"{" else _msgpack(body)
    if found is None:
        return kind, Content(why=_ODD, is_session=kind not in ("flask", "express"))
    if kind == "express" and not isinstance(found.get("cookie"), dict):
        return kind, Content(why="not what connect-redis writes", is_session=False)
    return kind, _of(found)


def spring(created: bytes | None, seen: bytes | None, who: bytes | None) -> Content:
    """What the fields of a Spring session say; Java's own bytes, or JSON."""
    since, last = java_number(created), java_number(seen)
    if created is not None and since is None:
        return Content(why="its times are in a format that is not known")
    return Content(
        java_text(who)[:200] if who else "",
        _likely(since / 1000 if since is not None else None),
        _likely(last / 1000 if last is not None else None),
    )


def java_number(data: bytes | None) -> int | None:
    """A java.lang.Long as Java writes it, or digits; None for anything else."""
    if data is None:
        return None
    if data[:19].isdigit() and len(data) < 20:
        return int(data)
    if not data.startswith(_LONG) or len(data) > 200:
        return None
    return int(struct.unpack(">q", data[-8:])[0])


def java_text(data: bytes) -> str:
    """A java.lang.String as Java writes it, or a JSON string; "" for anything else."""
    if data.startswith(_TEXT) and len(data) >= 7:
        return data[7 : 7 + int.from_bytes(data[5:7], "big")].decode("utf-8", "replace")
    try:
        found = json.loads(data) if data[:1] == b'"' else ""
    except ValueError:
        return ""
    return _whole(found) if isinstance(found, str) else ""


_ODD = "in a format that is not known"


def is_pickle(data: bytes) -> bool:
    return (data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")) or (
        data[:2] in (b"(d", b"(l", b"c_") and data[-1:] == b"."
    )


def _opcodes(data: bytes) -> str:
    """The names of a pickle's opcodes, counted; their arguments stay where they are."""
    names: Counter[str] = Counter()
    try:
        for opcode, _, _ in pickletools.genops(data[:READ]):
            names[opcode.name] += 1
            if names.total() > 5_000:
                break
    except Exception:  # hostile bytes; whatever genops makes of them is no news
        names["(broken off)"] += 1
    told = ", ".join(f"{name} {many}" for name, many in names.most_common(12))
    return f"a pickle, which is never opened here: {told}"


def _signed(text: bytes, *, is_packed: bool) -> dict[str, Any] | None:
    """What Django signed. The signature is not checked: nothing is decided by it here."""
    try:
        body = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        if is_packed:
            body = zlib.decompressobj().decompress(body, _UNPACKED)
    except (binascii.Error, zlib.error, ValueError):
        return None
    return _json(body)


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _msgpack(data: bytes) -> dict[str, Any] | None:
    try:
        found = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except Exception:  # hostile bytes: it has a dozen errors of its own
        return None
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None


def about(values: Mapping[str, Any]) -> Content:
    """The same for values that somebody opened already, such as ``SessionInfo.about``."""
    return _of(values)


def _of(values: Mapping[str, Any]) -> Content:
    cookie = values.get("cookie")
    seen = _time(values, _SEEN)
    if isinstance(cookie, dict) and seen is None:
        # connect-redis: what the cookie ends, less what it lives, is when it was last touched.
        ends, lives = _moment(cookie.get("expires")), cookie.get("originalMaxAge")
        if ends is not None and type(lives) is int and abs(lives) < 2**53:
            seen = _likely(ends - lives / 1000)
    return Content(
        _person(values), _time(values, _SINCE), seen, _text(values, _ADDRESS),
        _text(values, _AGENT), values,
    )  # fmt: skip


def _person(values: Mapping[str, Any]) -> str:
    for name in _WHO:
        value = values.get(name)
        for _ in range(2):  # {"passport": {"user": {"id": 12}}}
            if isinstance(value, dict):
                inner = (value.get(key) for key in _PERSON)
                value = next((one for one in inner if isinstance(one, str | int | dict)), None)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return _whole(str(value)[:200])
    return ""


def _text(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = (values.get(name) for name in names)
    return next((_whole(one[:300]) for one in found if isinstance(one, str) and one), "")


def _whole(text: str) -> str:
    """With a ? for each half of a character, which JSON can say and no page can."""
    return text.encode("utf-8", "replace").decode()


def _time(values: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    found = (_moment(values.get(name)) for name in names)
    return next((one for one in found if one is not None), None)


def _moment(value: Any) -> float | None:
    """Seconds since 1970 of a number of seconds or milliseconds, or of an ISO date."""
    if isinstance(value, str) and len(value) < 40:
        try:
            at = datetime.fromisoformat(value)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _likely(value / 1000 if 1e11 < value < 1e14 else value)


def _likely(seconds: float | None) -> float | None:
    """As it is, where it is a time of 2001 to 2286; None for what nobody's clock has said."""
    return float(seconds) if seconds is not None and 1e9 < seconds < 1e10 else None
