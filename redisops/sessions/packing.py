"""Values to bytes and back: MessagePack, or JSON for integers it cannot hold. Never pickle."""

from __future__ import annotations

import json
from typing import Any

import msgpack  # type: ignore[import-untyped]

from redisops.errors import InvalidArgument
from redisops.sessions.errors import SessionInvalid

MSGPACK, _JSON = b"\x01", b"\x02"
_PACK, _UNPACK = msgpack.packb, msgpack.unpackb


def pack(value: Any) -> bytes:
    """None, bool, int of any size, float, str, bytes, list and dict of them; tuples become lists.

    Bytes and an integer beyond 64 bits cannot stand in one value. Raises InvalidArgument.
    """
    try:
        packed: bytes = MSGPACK + _PACK(value)
        return packed
    except OverflowError:
        pass
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"a session cannot hold {type(value).__name__}: {error}") from error
    try:
        return _JSON + json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"a session cannot hold {type(value).__name__}: {error}") from error


def unpack(data: bytes) -> Any:
    """The value that ``pack`` was given; SessionInvalid when these are not its bytes."""
    kind = data[:1]
    try:
        if kind == MSGPACK:
            return _UNPACK(data[1:], strict_map_key=False)
        if kind == _JSON:
            return json.loads(data[1:])
    except (ValueError, TypeError, RecursionError) as error:  # msgpack's errors are ValueErrors
        raise SessionInvalid("a field opens, but does not hold a packed value") from error
    raise SessionInvalid(f"a field opens, but begins with {kind!r}, not with a codec we know")
