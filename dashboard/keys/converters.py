"""``<key:key>`` in an address: any byte string as base64url, so that no name can break a path."""

from __future__ import annotations

from redisops import keys


class KeyConverter:
    regex = r"[A-Za-z0-9_-]+"

    def to_python(self, value: str) -> bytes:
        """Raises InvalidArgument, a ValueError: Django answers 404."""
        return keys.from_url(value)

    def to_url(self, value: bytes) -> str:
        return keys.to_url(value)
