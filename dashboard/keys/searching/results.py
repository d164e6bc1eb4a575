"""The matches of a search: names from its list, where they match read anew from the server.

No value is kept by the console: each look reads a page of them again, within the same bounds.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.jobs.models import Job
from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS
from dashboard.keys.bulk.models import UNUSED, KeyList
from dashboard.keys.searching.kind import SearchValues
from dashboard.keys.searching.scope import Scope
from dashboard.keys.searching.telling import Told
from dashboard.servers.models import Server
from redisops.searching import Looked, Match, Search, parse

SIZE = 25
SECONDS = 1.5
PARTS = {
    "value": "the value", "field": "field", "field name": "the name of field",
    "member": "a member", "element": "element", "entry": "entry",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A key of the list, and where it matches now: ``match`` is None when it does not."""

    key: bytes
    url: str
    looked: Looked | None

    @property
    def match(self) -> Match | None:
        return self.looked.match if self.looked is not None else None

    @property
    def is_gone(self) -> bool:
        return self.looked is not None and self.looked.type == "none"

    @property
    def where(self) -> str:
        """ "field", "the value": what ``match.name`` names."""
        return PARTS[self.match.part] if self.match else ""


class Results:
    """One page of the matches, from ``start`` on (0-based; what is no number is 0)."""

    def __init__(self, server: Server, key_list: KeyList, job: Job, start: str) -> None:
        self.server = server
        self.list = key_list
        self.job = job
        self.told = Told(job)
        self.query = parse(job.params["query"])
        self.scope = Scope.of(job.params)
        self.start = int(start) if start.isascii() and start.isdigit() and len(start) < 12 else 0
        self.keys = key_list.keys(self.start, SIZE)
        how = job.params["how"]
        self._decode = f"?{urlencode({'decode': how})}" if how != "auto" else ""
        keys = [key for key in self.keys if not server.protects(key)]
        self.rows = [Row(key, self._url(key), None) for key in keys]
        self.missing: list[str] = []

    def read(self, redis: Any) -> None:
        """Look into the values of this page; those that take too long stay without an excerpt."""
        how = self.job.params["how"]
        search = Search(redis, self.query, how=how, bounds=SearchValues.bounds)
        looked: dict[bytes, Looked] = {}
        rest, ends = [row.key for row in self.rows], time.monotonic() + SECONDS
        while rest and time.monotonic() < ends:
            found = search.look(rest)
            rest = rest[len(found) :]
            looked |= {one.key: one for one in found}
        self.rows = [Row(row.key, row.url, looked.get(row.key)) for row in self.rows]
        self.missing = sorted(search.missing - {"~"})

    def _url(self, key: bytes) -> str:
        if len(key) > LONGEST_IN_ADDRESS:
            return ""
        return reverse("keys:show", args=[self.server.slug, key]) + self._decode

    @property
    def is_running(self) -> bool:
        return self.job.is_unfinished

    @property
    def total(self) -> int:
        return self.list.total if self.list.is_ready else self.told.found

    @property
    def verdict(self) -> str:
        job = self.job
        keys = f"{job.done:,} key{'' if job.done == 1 else 's'}"
        if job.is_unfinished:
            return "The search goes on when you leave this page."
        if self.list.problem:
            return self.list.problem
        if job.state == Job.State.DONE:
            return f"{keys} searched. What you see was read just now."
        word = "was stopped" if job.state == Job.State.CANCELLED else "ended early"
        return f"The search {word} after {keys}: these matches are not all."

    @property
    def kept_until(self) -> datetime.datetime:
        """Looking keeps nothing alive: an hour after it was found the list of names goes."""
        return self.list.used + UNUSED

    @property
    def first(self) -> int:
        return self.start + 1

    @property
    def last(self) -> int:
        return self.start + len(self.keys)

    @property
    def url(self) -> str:
        return reverse("keys:search_result", args=[self.server.slug, self.list.pk])

    @property
    def next_url(self) -> str:
        return f"{self.url}?from={self.last}" if self.keys and self.last < self.total else ""

    @property
    def first_url(self) -> str:
        return self.url if self.start else ""
