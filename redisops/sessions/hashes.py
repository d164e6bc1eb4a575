"""A session's hash: which field holds what, and how to open it.

``@whole`` is what was written when the session was last written as a whole: the metadata, when it
was last seen, and every small value, sealed together, because to open one is a good part of what
a load costs. ``@about``, ``@seen`` and the fields of single values are newer than it, or too big
for it; an empty one says that the value was deleted since. ``@whole`` itself is never changed but
by writing all of it, so that two requests which save different values do not meet in it.
Sessions of before it have no ``@whole``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgpack  # type: ignore[import-untyped]

from redisops.sessions.errors import SessionInvalid
from redisops.sessions.packing import MSGPACK, unpack
from redisops.sessions.seal import Place
from redisops.sessions.session import ABOUT, SEEN, WHOLE, Session

DELETED = b""
SMALL = 512  # bytes of a value, packed, that is sealed with others
MOST = 4096  # bytes of all of them
HEAD = 17  # bytes that begin a sealed value and are never the same twice: they end with its nonce
METADATA = (WHOLE, ABOUT, SEEN)
_METADATA = frozenset(METADATA)
Meta = tuple[str, float, float, dict[str, Any]]
"""Principal, when it began, when it ends at the latest (seconds since 1970), about."""


def field_of(key: str) -> bytes:
    """A data key's field: as it is, with an @ before one that begins with @ (ours do)."""
    name = key.encode("utf-8", "surrogatepass")
    return b"@" + name if name.startswith(b"@") else name


def key_of(field: bytes) -> str:
    """The data key of a field; ValueError for a field that only we could have named."""
    if field[:1] != b"@":
        return field.decode("utf-8", "surrogatepass")
    if field[:2] != b"@@":
        raise ValueError(f"unknown field {field!r}")
    return field[1:].decode("utf-8", "surrogatepass")


def whole_of(
    about: bytes, seen: float, values: dict[str, bytes]
) -> tuple[dict[bytes, bytes], frozenset[str]]:
    """The fields of a session that is written as a whole, and the keys that are in ``@whole``.

    ``about`` and ``values`` are packed (``packing.pack``). A value that MessagePack cannot hold is
    a field of its own, and so is the metadata then.
    """
    ms = b"%d" % (seen * 1000)
    if about[:1] != MSGPACK:
        fields = {field_of(key): data for key, data in values.items()}
        return fields | {ABOUT: about, SEEN: ms}, frozenset()
    parts: list[bytes] = []
    keys: list[str] = []
    fields, size = {}, 0
    for key, data in values.items():
        size += len(data)
        if data[:1] == MSGPACK and len(data) <= SMALL and size <= MOST and key.isprintable():
            parts += (msgpack.packb(key), data[1:])
            keys.append(key)
        else:
            fields[field_of(key)] = data
    packer = msgpack.Packer()
    fields[WHOLE] = b"".join(
        [about[:1], b"\x93", about[1:], msgpack.packb(int(ms)), packer.pack_map_header(len(keys)),
         *parts]
    )  # fmt: skip
    return fields, frozenset(keys)


def opened(
    id: str, handle: str, place: Place, fields: dict[bytes, bytes],
    only: Collection[str] | None = None,
) -> Session:  # fmt: skip
    """The session that these sealed fields are; SessionInvalid when one of them does not open.

    ``only``: the keys that were asked for, None for all.
    """
    head, open_ = place.head, place.open
    old: dict[bytes, tuple[bytes, bytes]] = {}
    stored: dict[str, bytes] = {}
    told: dict[bytes, bytes] = {}
    for field, one in fields.items():
        if field in _METADATA:
            data = told[field] = open_(field, one)
        else:
            try:
                key = key_of(field)
            except ValueError as error:
                raise SessionInvalid(f"{place.name!r} has an {error}") from None
            data = stored[key] = open_(field, one)
        if one[:5] != head:
            old[field] = (one[:HEAD], data)
    whole, told_about = told.get(WHOLE), told.get(ABOUT)
    (principal, created, ends, about), seen, small = _metadata(
        place, whole, told_about, told.get(SEEN)
    )
    bundled = frozenset(small)
    for key, data in [*stored.items()]:
        small.pop(key, None)
        if data == DELETED:
            del stored[key]
    session = Session(
        id, principal=principal, created=created, ends=ends, about=about, handle=handle
    )
    session.place = place
    if only is not None:
        small = {key: value for key, value in small.items() if key in only}
        session.loaded = frozenset(only)
    session.opened(stored, small, whole or b"", told_about, seen, bundled, old)
    return session


def told_in(place: Place, sealed: Collection[bytes | None]) -> tuple[Meta, float]:
    """Metadata and last seen of the sealed fields ``METADATA``, as HMGET gives them."""
    packed = [
        None if one is None else place.open(name, one)
        for name, one in zip(METADATA, sealed, strict=True)
    ]
    meta, seen, _ = _metadata(place, *packed)
    return meta, seen


def small_in(place: Place, sealed: bytes) -> dict[str, Any]:
    """The values in a sealed ``@whole``."""
    return _metadata(place, place.open(WHOLE, sealed), None, None)[2]


def _metadata(
    place: Place, whole: bytes | None, about: bytes | None, seen: bytes | None
) -> tuple[Meta, float, dict[str, Any]]:
    meta: Any = None
    ms: Any = None
    small: dict[str, Any] = {}
    if whole is not None:
        meta, ms, small = unpack(whole)
    if about is not None:
        meta = unpack(about)
    if seen is not None:
        ms = int(seen)
    if meta is None:
        raise SessionInvalid(f"{place.name!r} has no sealed metadata")
    if ms is None:
        raise SessionInvalid(f"{place.name!r} does not say when it was last seen")
    return meta, ms / 1000, small
