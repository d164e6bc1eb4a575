"""All names of a list, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS
from dashboard.keys.bulk.dry_run import DryRun
from redisops.keyspace import KeyRow, Keyspace

SIZE = 100


@dataclass(frozen=True)
class Named:
    """A name of the list, and what the key is now: None when it is gone."""

    key: bytes
    facts: KeyRow | None
    url: str | None
    is_left_out: bool


class Names:
    """``SIZE`` names of a counted list from ``start`` on (0-based; what is no number is 0)."""

    def __init__(self, run: DryRun, start: str) -> None:
        self.run = run
        self.start = int(start) if start.isascii() and start.isdigit() and len(start) < 12 else 0
        self.rows: list[Named] = []

    def read(self, redis: Any) -> None:
        """Ask the server what the keys are now: two round trips."""
        keys = self.run.list.keys(self.start, SIZE)
        out = self.run.list.kept_out
        slug = self.run.server.slug
        for key, facts in zip(keys, Keyspace(redis).describe(keys), strict=True):
            short = len(key) <= LONGEST_IN_ADDRESS
            url = reverse("keys:show", args=[slug, key]) if short and facts else None
            self.rows.append(Named(key, facts, url, key in out))

    @property
    def total(self) -> int:
        return self.run.list.total

    @property
    def first(self) -> int:
        return self.start + 1

    @property
    def last(self) -> int:
        return self.start + len(self.rows)

    @property
    def next_url(self) -> str:
        return self._url(self.last) if self.rows and self.last < self.total else ""

    @property
    def first_url(self) -> str:
        return self._url(0) if self.start else ""

    def _url(self, start: int) -> str:
        path = reverse("keys:bulk_names", args=[self.run.server.slug, self.run.list.pk])
        return f"{path}?{urlencode({'do': self.run.action.do, 'from': start})}"
