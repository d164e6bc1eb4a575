"""Which keys a search looks into: a folder or a pattern, and the filters of the key list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.keys.browsing.forms import EXPIRIES, range_words
from dashboard.ui import numbers
from redisops import keys
from redisops.filters import Filter
from redisops.keys import from_url, printable, to_url


@dataclass(frozen=True)
class Scope:
    """Keys that begin with ``prefix`` or match ``match``; without both, every key.

    ``ttl``, ``size`` and ``idle`` are as ``redisops.filters.Filter`` takes them.
    """

    prefix: bytes = b""
    match: bytes = b""
    type: str = ""
    ttl: str = ""
    size: str = ""
    idle: str = ""

    @classmethod
    def of(cls, params: dict[str, Any]) -> Scope:
        """Read back what ``params`` keeps."""
        told = params["scope"]
        return cls(
            from_url(told["prefix"]), from_url(told["match"]), told["type"], told["ttl"],
            told.get("size", ""), told.get("idle", ""),
        )  # fmt: skip

    @property
    def params(self) -> dict[str, str]:
        return {
            "prefix": to_url(self.prefix), "match": to_url(self.match),
            "type": self.type, "ttl": self.ttl, "size": self.size, "idle": self.idle,
        }  # fmt: skip

    @property
    def filter(self) -> Filter:
        """What keys must pass that SCAN does not know, as lists of keys have it."""
        return Filter(self.ttl, self.size, self.idle)

    @property
    def pattern(self) -> bytes | None:
        """What SCAN is told; None for every key."""
        if self.prefix:
            return keys.glob_escape(self.prefix[:256]) + b"*"
        return self.match if self.match.strip(b"*") else None

    @property
    def only(self) -> bytes | None:
        """The one key that the pattern can mean."""
        return keys.literal(self.match) if self.match and not self.prefix else None

    @property
    def start(self) -> bytes:
        """What every key begins with, as far as that is known."""
        return self.prefix or keys.fixed_start(self.match)

    @property
    def label(self) -> str:
        """ "cart:eu:*", or "every key"."""
        if self.prefix:
            return f"{printable(self.prefix)}*"
        return printable(self.match) if self.pattern is not None else "every key"

    @property
    def words(self) -> str:
        """The filters beside the name: ", of type hash, no expiry, last used 7 d and more ago"."""
        parts = [f"of type {self.type}"] if self.type else []
        if self.ttl in ("none", "any"):
            parts.append(dict(EXPIRIES)[self.ttl].lower())
        elif self.ttl:
            parts.append(f"expiry {_range(self.ttl, numbers.duration)}")
        if self.size:
            parts.append(f"size {_range(self.size, numbers.size)}")
        if self.idle:
            parts.append(f"last used {_range(self.idle, numbers.duration)} ago")
        return "".join(f", {part}" for part in parts)

    @property
    def digest(self) -> str:
        """Tells whether the keys are those whose cost was shown."""
        told = (self.prefix, self.match, self.type, self.ttl, self.size, self.idle)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _range(text: str, words: Callable[[float], str]) -> str:
    """A range within a sentence."""
    told = range_words(text, words)
    return f"under{told[5:]}" if told.startswith("Under") else told
