"""The list of keys: one bounded page of a scan, sorted within the page, with what stands out."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

from dashboard.keys.browsing.forms import EXPIRIES, RESTS, SIZES, SORTS, TYPES, choices
from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS, Browse
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.keys import glob_escape, to_url
from redisops.keyspace import KeyPage, KeyRow, Keyspace

HEADINGS = {
    "type": "Type",
    "name": "Key",
    "ttl": "Expires",
    "memory": "Size",
    "length": "Length",
    "idle": "Idle",
}
# What a length counts, by type.
UNITS = {
    "string": ("byte", "bytes"),
    "hash": ("field", "fields"),
    "list": ("element", "elements"),
    "set": ("member", "members"),
    "zset": ("member", "members"),
    "stream": ("entry", "entries"),
}
MEASURES: dict[str, Callable[[KeyRow], Any]] = {
    "name": attrgetter("key"),
    "type": attrgetter("type", "key"),
    "ttl": attrgetter("ttl"),
    "memory": attrgetter("memory"),
    "length": attrgetter("length"),
    "idle": attrgetter("idle"),
}


class Row(NamedTuple):
    """A key as listed: its facts, its address, and which of them stand out."""

    facts: KeyRow
    url: str | None
    is_open: bool
    is_protected: bool
    expires_soon: bool
    never_expires_unlike_others: bool
    is_large: bool

    @property
    def key(self) -> bytes:
        return self.facts.key


@dataclass(frozen=True)
class Heading:
    """A column's head: where a click leads, and how the page is sorted by it."""

    name: str
    label: str
    url: str
    sorted: str


@dataclass(frozen=True)
class Share:
    """A type's part of the listed keys."""

    type: str
    keys: int
    share: float


class Listing:
    """One page of keys, read from ``redis``: at most ``scans`` SCAN calls."""

    def __init__(
        self,
        server: Server,
        browse: Browse,
        redis: Any,
        *,
        scans: int,
        opened: bytes | None = None,
        is_pickable: bool = False,
    ) -> None:
        self.server = server
        self.browse = browse
        self.opened = opened
        self.is_pickable = is_pickable
        self.page: KeyPage = Keyspace(redis).page(
            match=browse.pattern, type=browse.type or None, ttl=browse.ttl or None,
            cursor=browse.cursor or None, count=browse.count, max_scans=scans,
            size=browse.size or None, idle=browse.idle or None,
        )  # fmt: skip

    @cached_property
    def rows(self) -> list[Row]:
        facts = [row for row in self.page.rows if row.key.startswith(self.browse.prefix)]
        name = self.browse.sort.removeprefix("-")
        measure = MEASURES[name]
        unknown = [row for row in facts if measure(row) is None]
        known = [row for row in facts if measure(row) is not None]
        known.sort(key=measure, reverse=self.browse.sort.startswith("-"))
        # No expiry is the longest; what is not known goes last either way.
        ascending = not self.browse.sort.startswith("-")
        ordered = unknown + known if name == "ttl" and not ascending else known + unknown
        most_expire = sum(row.ttl is not None for row in facts) * 2 > len(facts)
        sizes = [row.memory for row in facts if row.memory]
        large = 8 * statistics.median(sizes) if len(sizes) >= 8 else None
        own = self.server.protected_prefix
        before, after = self.browse.around_a_key
        return [
            Row(
                row,
                f"{before}{to_url(row.key)}{after}" if len(row.key) <= LONGEST_IN_ADDRESS else None,
                row.key == self.opened,
                row.key.startswith(own),
                row.ttl is not None and row.ttl < 60,
                row.ttl is None and most_expire and "~" not in row.missing,
                large is not None and row.memory is not None and row.memory > large,
            )
            for row in ordered
        ]

    @cached_property
    def headings(self) -> list[Heading]:
        current = self.browse.sort
        heads = []
        for name, label in HEADINGS.items():
            assert name in SORTS
            turned = f"-{name}" if current == name else name
            order = {name: "ascending", f"-{name}": "descending"}.get(current, "none")
            url = self.browse.url(sort=turned, cursor=self.browse.cursor)
            heads.append(Heading(name, label, url, order))
        return heads

    @property
    def sorted_words(self) -> str:
        """How the rows of this page are sorted: a SCAN has no order of its own."""
        name = self.browse.sort.removeprefix("-")
        column = {"name": "name", "ttl": "expiry", "memory": "size"}.get(name, name)
        return f"by {column}{', falling' if self.browse.sort.startswith('-') else ''}"

    @cached_property
    def continue_url(self) -> str | None:
        return self.browse.url(cursor=self.page.cursor) if self.page.cursor else None

    @property
    def start_url(self) -> str | None:
        return self.browse.url() if self.browse.cursor else None

    @property
    def clear_url(self) -> str:
        return self.browse.url(match=None, type="", ttl="", size="", idle="")

    @property
    def is_complete(self) -> bool:
        """Whether these rows are all keys that match: one page from the start to the end."""
        return self.page.cursor is None and not self.browse.cursor

    @property
    def begins_with_url(self) -> str | None:
        """Where to look on when an exact name was not found."""
        exact = self.browse.exact
        if exact is None or len(exact) > 512:
            return None
        return self.browse.url(match=glob_escape(exact) + b"*")

    @cached_property
    def missing(self) -> list[str]:
        """The rights that any of these rows lacked, as ACL rules spell them."""
        rights = {right for row in self.page.rows for right in row.missing if right != "~"}
        return sorted(rights)

    @property
    def out_of_reach(self) -> int:
        return sum("~" in row.missing for row in self.page.rows)

    @cached_property
    def shares(self) -> list[Share]:
        counts = Counter(row.facts.type for row in self.rows)
        total = len(self.rows) or 1
        return [Share(name, keys, keys / total) for name, keys in counts.most_common()]

    @cached_property
    def memory(self) -> int | None:
        sizes = [row.facts.memory for row in self.rows if row.facts.memory is not None]
        return sum(sizes) if sizes else None

    @cached_property
    def without_expiry(self) -> int:
        return sum(row.facts.ttl is None and "~" not in row.facts.missing for row in self.rows)

    @cached_property
    def largest(self) -> list[Row]:
        sized = [row for row in self.rows if row.facts.memory is not None]
        return sorted(sized, key=attrgetter("facts.memory"), reverse=True)[:5]

    @property
    def filters(self) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
        """What narrows the list beside pattern and type: name, label, value, choices of each."""
        browse = self.browse
        return [
            ("ttl", "Expiry", browse.ttl, choices(EXPIRIES, browse.ttl, numbers.duration)),
            ("size", "Size", browse.size, choices(SIZES, browse.size, numbers.size)),
            ("idle", "Last use", browse.idle, choices(RESTS, browse.idle, numbers.duration)),
        ]

    @property
    def types(self) -> list[str]:
        """The types to choose from: Redis's own, and whatever else is in sight."""
        seen = {row.facts.type for row in self.rows} | ({self.browse.type} - {""})
        return [*TYPES, *sorted(seen - {*TYPES, "unknown", "none"})]
