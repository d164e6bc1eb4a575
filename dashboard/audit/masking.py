"""What the audit keeps of values: nothing secret, nothing large.

A value is masked when its field is called like a secret, when its key is one whose values the
setting AUDIT_MASKED_KEYS hides, or when the caller says so. What is masked leaves its size and
a keyed fingerprint: enough to see that it changed, too little to learn what it is.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from django.conf import settings

from dashboard.audit import chain
from redisops import keys

SECRET_NAME = re.compile(
    r"^pass$|passw(or)?d|passphrase|passcode|secret(?!s$)|token|credential|private|api_?key"
    r"|tls_?key|^auth$|requirepass|masterauth|cookie|session_?(id|key)|authorization|sealed",
    re.IGNORECASE,
)
URL_SECRET = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/@\s]*@", re.IGNORECASE)
TEXT_LIMIT = 2_000
WHOLE_LIMIT = 16_000
MANY = 50
DEEP = 5
MASK = "•••"


def cleaned(value: Any, *, hide: bool = False) -> Any:
    """The value as JSON without secrets and bounded in size; None stays None."""
    if value is None:
        return None
    clean = _mask(value) if hide else _clean(value, depth=0)
    text = json.dumps(clean)
    if len(text) > WHOLE_LIMIT:
        return {"shortened": text[:TEXT_LIMIT], "characters": len(text)}
    return clean


def hides_values_of(target: bytes) -> bool:
    """Whether the values of this key are never kept, by rule."""
    if target.startswith(settings.HOME_PREFIX.encode()):
        return True
    name = keys.printable(target[:1000])
    return any(fnmatchcase(name, pattern) for pattern in settings.AUDIT_MASKED_KEYS)


def text(value: str, limit: int) -> str:
    """Text without the passwords of URLs in it, at most ``limit`` characters."""
    clean = URL_SECRET.sub(rf"\g<scheme>{MASK}@", value.replace("\x00", "\\x00"))
    clean = clean.encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _mask(value: Any) -> Any:
    if value is None or isinstance(value, bool) or value == "":
        return value
    raw = value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
    return {"masked": MASK, "bytes": len(raw), "fingerprint": chain.fingerprint(raw)}


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return _number(value)
    if isinstance(value, float):
        return _fraction(value)
    if isinstance(value, bytes):
        shown = text(keys.printable(value[:TEXT_LIMIT]), TEXT_LIMIT)
        return shown if len(value) <= TEXT_LIMIT else f"{shown}… ({len(value)} bytes)"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if depth >= DEEP:
        return text(str(value), 200)
    if isinstance(value, Mapping):
        return _clean_mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        first = [_clean(one, depth + 1) for one in list(value)[:MANY]]
        return [*first, f"… and {len(value) - MANY} more"] if len(value) > MANY else first
    return text(str(value), TEXT_LIMIT)


def _clean_mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    clean = {}
    for name, one in list(value.items())[:MANY]:
        label = text(keys.printable(name) if isinstance(name, bytes) else str(name), 200)
        clean[label] = _mask(one) if SECRET_NAME.search(label) else _clean(one, depth + 1)
    if len(value) > MANY:
        clean["…"] = f"and {len(value) - MANY} more"
    return clean


def _number(value: int | None) -> int | str | None:
    """Whole numbers beyond what JSON readers keep exact are kept as text."""
    if value is None or isinstance(value, bool) or abs(value) < 2**53:
        return value
    return str(value)


def _fraction(value: float) -> float | int | str:
    """Spelled so that every database gives back what it was given, or the seal would not fit.

    PostgreSQL keeps 1e22 as a whole number and knows no -0.0; NaN and infinity are no JSON.
    """
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if 1e-4 <= abs(value) < 1e15 else repr(value)
