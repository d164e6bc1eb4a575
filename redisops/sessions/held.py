"""What a session of the library holds, opened for people to read: JSON, field by field."""

from __future__ import annotations

import json
from typing import Any

from redisops.sessions.errors import SessionInvalid
from redisops.sessions.hashes import DELETED, key_of, small_in
from redisops.sessions.packing import unpack
from redisops.sessions.seal import Place
from redisops.sessions.session import WHOLE


def values_of(place: Place | None, held: dict[bytes, bytes | None]) -> dict[str, bytes | None]:
    """What these fields of one of ours hold, as JSON; None for what is too big or does not open."""
    whole = held.pop(WHOLE, None)
    told: dict[str, bytes | None] = {}
    if whole is not None:
        try:
            values = small_in(place, whole) if place is not None else {"@whole": None}
            told = {key: None if place is None else _shown(value) for key, value in values.items()}
        except (SessionInvalid, ValueError, TypeError):
            told["@whole"] = None
    for name, value in held.items():
        try:
            key = key_of(name)
        except ValueError:
            key = name.decode("utf-8", "replace")
        told[key] = None
        if place is None or value is None:
            continue
        try:
            packed = place.open(name, value)
            told[key] = None if packed == DELETED else _shown(unpack(packed))
            if packed == DELETED:
                del told[key]
        except (SessionInvalid, ValueError, TypeError):
            continue
    return dict(sorted(told.items()))


def _shown(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=repr).encode("utf-8", "replace")
