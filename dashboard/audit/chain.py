"""The arithmetic of the chain: each row's seal covers the row and the seal before it.

Seals are HMACs with a key derived from SECRET_KEY, which is not in the database: whoever can
write to the database can break the chain, but cannot mend it. The head (number and seal of the
last row) is sealed too, so that a chain cut short is seen as well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings

from dashboard import home

PURPOSE = "redisops.audit"
START = "0" * 64
# Serialises writers on PostgreSQL: any constant of our own.
LOCK = 0x5245_4449_5341


@lru_cache(maxsize=8)
def _derived(secret: str) -> bytes:
    return home.derived_key(secret, PURPOSE).encode()


def key_id(key: bytes) -> str:
    """Names a key without telling it; each row keeps the name of the key that sealed it."""
    return hashlib.sha256(b"key id:" + key).hexdigest()[:8]


def current_key() -> bytes:
    return _derived(settings.SECRET_KEY)


def known_keys() -> dict[str, bytes]:
    """The present key and those of SECRET_KEY_FALLBACKS, by name."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return {key_id(key): key for key in map(_derived, secrets)}


def seal(key: bytes, content: Mapping[str, Any]) -> str:
    """The HMAC of the content in one canonical spelling."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_sealed(key: bytes, content: Mapping[str, Any], given: str) -> bool:
    return hmac.compare_digest(seal(key, content), given)


def fingerprint(value: bytes) -> str:
    """Tells whether two masked values are the same, and nothing else about them."""
    return hmac.new(current_key(), b"value:" + value, hashlib.sha256).hexdigest()[:12]
