"""An answer as text that travels with a page and comes back to be exported; exact bytes."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from redisops.commands.replies import Limits, Reply
from redisops.errors import InvalidArgument

_KINDS = frozenset(
    ("simple", "error", "integer", "double", "boolean", "bulk", "nil", "array", "set", "map",
     "push")
)  # fmt: skip
_BYTES = frozenset(("simple", "error", "bulk"))


def pack(reply: Reply) -> str:
    """The answer as one line of JSON."""
    return json.dumps(_packed(reply), separators=(",", ":"))


def _packed(reply: Reply) -> list[Any]:
    value = reply.value
    if isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    elif reply.kind == "map":
        value = [[_packed(name), _packed(one)] for name, one in value]
    elif isinstance(value, list):
        value = [_packed(one) for one in value]
    elif reply.kind in ("integer", "double"):
        value = repr(value)
    return [reply.kind, value, reply.size, reply.cut]


def unpack(text: str, limits: Limits | None = None) -> Reply:
    """The inverse of ``pack``; InvalidArgument for anything else."""
    try:
        return _unpacked(json.loads(text), (limits or Limits()).depth + 2)
    except (ArithmeticError, ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise InvalidArgument("this is not an answer of the console") from error


def _unpacked(raw: Any, depth: int) -> Reply:
    kind, value, size, cut = raw
    if kind not in _KINDS or not isinstance(size, int) or not isinstance(cut, bool) or not depth:
        raise ValueError("not a reply")
    if kind in _BYTES:
        value = base64.b64decode(value, validate=True)
    elif kind == "map":
        value = [(_unpacked(name, depth - 1), _unpacked(one, depth - 1)) for name, one in value]
        if any(isinstance(name.value, list) for name, _ in value):
            raise ValueError("not a reply")
    elif kind in ("array", "set", "push"):
        value = [_unpacked(one, depth - 1) for one in value]
    elif kind == "integer":
        value = int(value)
    elif kind == "double":
        value = float(value)
    elif kind == "nil":
        value = None
    elif not isinstance(value, bool):
        raise ValueError("not a reply")
    return Reply(kind, value, size, cut)
