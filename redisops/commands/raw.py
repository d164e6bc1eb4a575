"""Pieces of a server's raw answers about its commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redisops.replies import text


def items(reply: Any) -> Iterable[Any]:
    return reply if isinstance(reply, list | set | tuple) else ()


def lower(value: Any) -> str:
    return text(value).lower()
