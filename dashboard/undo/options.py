"""How to restore, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redisops import keys

if TYPE_CHECKING:
    from dashboard.undo.models import Removal

SHOWN = 200


@dataclass(frozen=True)
class Options:
    """``rename`` is (from, to): names that begin with the first get the second instead.
    ``replace`` overwrites what is at a name, after it went to the bin. ``ttl`` is in seconds, for
    what has expired since; without it that stays away."""

    rename: tuple[bytes, bytes] | None = None
    replace: bool = False
    ttl: int | None = None

    def name(self, key: bytes) -> bytes | None:
        """The name that the key gets; None when it does not begin with what is replaced."""
        if self.rename is None:
            return key
        old, new = self.rename
        return new + key[len(old) :] if key.startswith(old) else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for a job's parameters."""
        rename = [keys.to_url(part) for part in self.rename] if self.rename else None
        return {"rename": rename, "replace": self.replace, "ttl": self.ttl}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Options:
        rename = data["rename"]
        pair = (keys.from_url(rename[0]), keys.from_url(rename[1])) if rename else None
        return cls(pair, data["replace"], data["ttl"])


@dataclass
class Restored:
    """What came of it: how many by their result ("restored", "taken", "refused: …"), the first
    200 that did not come back as (key, result) and the first 200 ``names`` that did, and the
    removal that holds what was overwritten."""

    results: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[bytes, str]] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    overwritten: Removal | None = None

    def add(self, key: bytes, result: str) -> None:
        self.results[result] += 1
        if result != "restored" and len(self.rows) < SHOWN:
            self.rows.append((key, result))
        elif result == "restored" and len(self.names) < SHOWN:
            self.names.append(key)

    @property
    def restored(self) -> int:
        return self.results["restored"]

    @property
    def others(self) -> int:
        return self.results.total() - self.restored
