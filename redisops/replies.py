"""Replies of Redis as what Python works with."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> str:
    """A name or word of a reply as text: bytes that are no UTF-8 become marks, None ""."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def pairs(reply: Any) -> dict[str, Any]:
    """A map by names, of RESP3's map or RESP2's list of names and values; {} for neither."""
    if isinstance(reply, dict):
        return {text(key): value for key, value in reply.items()}
    if not isinstance(reply, list):
        return {}
    return {text(key): value for key, value in zip(reply[::2], reply[1::2], strict=False)}
