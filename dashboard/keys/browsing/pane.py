"""An opened key as its page shows it: what it is called, which template, in which words."""

from __future__ import annotations

from functools import cached_property

from django.conf import settings
from django.urls import reverse

from dashboard.keys.browsing.decoding import Decoding
from dashboard.keys.browsing.listing import UNITS
from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS
from dashboard.ui import numbers
from redisops import keys
from redisops.values.pages import (
    ChangedPage,
    HashPage,
    HyperLogLogPage,
    JsonPage,
    ListPage,
    ModulePage,
    Page,
    SetPage,
    SortedSetPage,
    StreamPage,
    StringPage,
)

TEMPLATES: dict[type[Page], str] = {
    StringPage: "keys/_string.html",
    HyperLogLogPage: "keys/_hyperloglog.html",
    ListPage: "keys/_list.html",
    HashPage: "keys/_hash.html",
    SetPage: "keys/_set.html",
    SortedSetPage: "keys/_zset.html",
    StreamPage: "keys/_stream.html",
    JsonPage: "keys/_json.html",
    ModulePage: "keys/_module.html",
    ChangedPage: "keys/_changed.html",
}
RANGES = 200


class Pane(Decoding):
    """One key, opened: all that its template asks for."""

    @property
    def name(self) -> str:
        return keys.printable(self.key)

    @property
    def title(self) -> str:
        return (self.name or "(empty name)")[:120]

    @property
    def opened_url(self) -> str | None:
        """Where the page says that somebody looks at this key; None for a name without address."""
        if self.is_protected or len(self.key) > LONGEST_IN_ADDRESS:
            return None
        return reverse("keys:opened", args=[self.server.slug, self.key])

    @property
    def template(self) -> str:
        if self.page is None:
            return "keys/_gone.html"
        if self.is_protected:
            return "keys/_protected.html"
        return TEMPLATES[type(self.page)]

    @property
    def unit(self) -> str:
        assert self.page is not None
        one, many = UNITS.get(self.page.type, ("element", "elements"))
        return one if self.page.length == 1 else many

    @property
    def missing(self) -> list[str]:
        return sorted(self.page.missing) if self.page is not None else []

    @cached_property
    def advice(self) -> list[str]:
        """What about the name can mislead; that it lies in no folder is plain to see."""
        return [words for words in keys.lint(self.key) if "folder" not in words]

    @property
    def own_prefix(self) -> str:
        return str(settings.HOME_PREFIX)

    @cached_property
    def has_field_ttls(self) -> bool:
        """Whether any field on this page expires by itself; no column is shown for nothing."""
        rows = self.page.rows if isinstance(self.page, HashPage) else ()
        return any(row.ttl is not None for row in rows)

    @property
    def columns(self) -> int:
        """How many columns the table of rows has."""
        if isinstance(self.page, HashPage):
            return 3 if self.has_field_ttls else 2
        if isinstance(self.page, SortedSetPage):
            return 4 if self.told["show"] == "geo" or self.circle else 3
        return 2 if isinstance(self.page, ListPage) else 1

    @property
    def place(self) -> str:
        """Which part of the whole the page is."""
        page = self.page
        if isinstance(page, StringPage | HyperLogLogPage) or page is None:
            return ""
        shown = len(self.entries) if isinstance(page, StreamPage) else len(self.lines)
        return f"{numbers.exact(shown)} of {numbers.exact(page.length)}"

    @property
    def bounds(self) -> tuple[int, int]:
        """Two standard errors around a HyperLogLog's estimate."""
        assert isinstance(self.page, HyperLogLogPage)
        error = 2 * 0.0081 * self.page.estimate
        return round(self.page.estimate - error), round(self.page.estimate + error)

    @property
    def bits_end(self) -> int:
        assert isinstance(self.page, StringPage) and self.page.bits is not None
        return max(self.page.bits.first + self.page.bits.size - 1, 0)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        assert isinstance(self.page, StringPage) and self.page.bits is not None
        return self.page.bits.ranges[:RANGES]

    @property
    def more_ranges(self) -> bool:
        assert isinstance(self.page, StringPage) and self.page.bits is not None
        return self.page.bits.more or len(self.page.bits.ranges) > RANGES
