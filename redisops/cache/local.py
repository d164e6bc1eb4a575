"""Copies in the process: served without asking, dropped when Redis says that they changed."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

from redisops.cache.names import LONGEST, Name, bytes_of

SLOTS = 4096
Begun = tuple[int, int]


class Local:
    """At most ``most`` values by key, while somebody listens for what ends them. Thread-safe.

    A value is kept only if nothing was heard about its key since ``begin``, which is called
    before Redis is asked: an invalidation that overtakes the reply is not lost.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows: dict[Name, tuple[Any, float, float]] = {}
        self.before: dict[Name, tuple[Any, float, float]] = {}  # of when Redis was last there
        self.hears = False
        self.longest = 0.0  # seconds, by what the listener can hear
        self._lock = threading.Lock()
        self._slots = [0] * SLOTS
        self._epoch = 0

    def forget(self) -> None:
        """In a forked child: nothing is known, and no thread of the parent's holds the lock."""
        self._lock = threading.Lock()
        self.clear()
        self.hears = False

    def begin(self, key: bytes) -> Begun:
        """What is known before Redis is asked for ``key``."""
        return self._epoch, self._slots[hash(key) % SLOTS]

    def keep(self, key: Name, value: Any, begun: Begun, fresh: float, life: float) -> None:
        """Keep a value that is fresh for ``fresh`` and alive for ``life`` more seconds."""
        raw = bytes_of(key)
        fresh = min(fresh, self.longest)
        if not self.most or fresh <= 0 or len(raw) > LONGEST:
            return
        with self._lock:
            if not self.hears or begun != self.begin(raw):
                return
            if len(self.rows) >= self.most and key not in self.rows:
                del self.rows[next(iter(self.rows))]
            now = monotonic()
            self.rows[key] = (value, now + fresh, now + life)

    def drop(self, key: bytes) -> None:
        """Something about this key changed."""
        with self._lock:
            self._slots[hash(key) % SLOTS] += 1
            text = key.decode("utf-8", "surrogatepass") if _is_text(key) else key
            for rows in (self.rows, self.before):
                rows.pop(key, None)
                rows.pop(text, None)

    def clear(self) -> None:
        """Anything may have changed."""
        with self._lock:
            self._epoch += 1
            self.rows.clear()
            self.before.clear()

    def listening(self, longest: float) -> None:
        """From now on what ends a value is heard."""
        self.clear()
        self.longest, self.hears = longest, True

    def close(self) -> None:
        """Keep nothing from now on, whoever still says that what ends a value is heard."""
        self.most = 0
        self.deaf()
        self.clear()

    def deaf(self) -> None:
        """Nothing is heard any more: nothing is served but what the policy wants without Redis."""
        with self._lock:
            if self.hears:
                self.hears = False
                self._epoch += 1
                self.before = dict(self.rows)
                self.rows.clear()

    def last(self, key: Name) -> tuple[Any] | None:
        """What was known of ``key`` when Redis was there, within its life."""
        row = self.rows.get(key) or self.before.get(key)
        return (row[0],) if row is not None and row[2] > monotonic() else None


def _is_text(key: bytes) -> bool:
    try:
        key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
