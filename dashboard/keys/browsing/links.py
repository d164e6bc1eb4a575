"""Where the links beside an opened key lead: other parts of its value, other ways to show it."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard.keys.browsing.reading import WINDOW, Reading
from dashboard.keys.browsing.showing import Choice, choices
from redisops import keys
from redisops.values.pages import StringPage

LARGEST_WINDOW = 1024 * 1024
# Kept when another decoder or element is chosen; a new filter starts from the first page.
PLACE = (
    "at", "rows", "window", "show", "filter", "order", "min", "max", "member", "longitude",
    "latitude", "radius", "start", "end", "group", "consumer", "pending",
)  # fmt: skip


class Links(Reading):
    """The addresses of an opened key; the list beside it stays as it is in all of them."""

    @property
    def folder(self) -> bytes:
        """What stands before the last delimiter, with it; empty for a key in no folder."""
        head, delimiter, _ = self.key.rpartition(self.browse.delimiter)
        return head + delimiter

    @property
    def path(self) -> str:
        return reverse("keys:show", args=[self.server.slug, self.key])

    def url(self, **changes: Any) -> str:
        """This key with other options; the list beside it stays as it is."""
        told = {
            name: keys.printable(value) if isinstance(value, bytes) else value
            for name, value in changes.items()
            if value not in (None, "")
        }
        query = "&".join(filter(None, [self._beside, urlencode(told)]))
        return f"{self.path}?{query}" if query else self.path

    @property
    def _beside(self) -> str:
        return self.browse.query(tree="") if self.browse.is_given else ""

    def moved(self, **changes: Any) -> str:
        """The same part of the value with some options changed."""
        return self.url(**{name: self.told[name] for name in PLACE} | changes)

    @property
    def here_url(self) -> str:
        decode = "" if self.told["decode"] == "auto" else self.told["decode"]
        return self.moved(decode=decode, element=self.told["element"])

    @property
    def fresh_url(self) -> str:
        """The key from its beginning."""
        return self.url()

    @property
    def stored_url(self) -> str:
        return self.moved(decode="hex", element=self.told["element"])

    @property
    def close_url(self) -> str:
        """The same rows without an opened one."""
        return self.moved()

    @property
    def ascending_url(self) -> str:
        return self.moved(order="asc", at=None, member=None)

    @property
    def descending_url(self) -> str:
        return self.moved(order="desc", at=None, member=None)

    @property
    def alone_url(self) -> str:
        """The key by itself, as it may be sent to somebody."""
        return self.path

    def entry_url(self, id: str) -> str:
        """Where an entry of a stream is deleted."""
        path = reverse("keys:edit", args=[self.server.slug, self.key])
        told = urlencode({"do": "remove-entry", "id": id})
        return "?".join([path, "&".join(filter(None, [self._beside, told]))])

    @property
    def download_url(self) -> str:
        return reverse("keys:download", args=[self.server.slug, self.key])

    @property
    def folder_url(self) -> str:
        return self.browse.url(prefix=self.folder, match=None, type="", ttl="", view="tree")

    @property
    def list_url(self) -> str:
        return self.browse.url(cursor=self.browse.cursor)

    @property
    def next_url(self) -> str | None:
        return self._at(self.page.next if self.page else None)

    @property
    def previous_url(self) -> str | None:
        return self._at(self.page.previous if self.page else None)

    @property
    def first_url(self) -> str | None:
        return self.moved(at=None, decode=self.how) if self.told["at"] else None

    def _at(self, position: str | None) -> str | None:
        return self.moved(at=position, decode=self.how) if position else None

    @property
    def how(self) -> str:
        """The decoder for the links to other pages: what was chosen for all rows stays chosen."""
        chosen: str = self.told["decode"]
        return "" if chosen == "auto" or self.told["element"] is not None else chosen

    def hidden(self, *names: str) -> list[tuple[str, str]]:
        """Fields for a form that changes ``names`` and keeps everything else, from the start."""
        query = QueryDict(self._beside)
        kept = [(name, value) for name in query for value in query.getlist(name)]
        for name in ("show", "order", "rows"):
            if self.told[name] and name not in names:
                kept.append((name, str(self.told[name])))
        return kept

    @cached_property
    def decoders(self) -> tuple[list[Choice], list[Choice]]:
        element = self.told["element"]
        return choices(
            self.told["decode"],
            lambda name: self.moved(decode="" if name == "auto" else name, element=element),
        )

    @property
    def decoder_fields(self) -> list[tuple[str, str]]:
        """Everything but the decoder, for the form that chooses a rarer one."""
        query = QueryDict(self.moved(element=self.told["element"]).partition("?")[2])
        return [(name, value) for name in query for value in query.getlist(name)]

    @property
    def wider_url(self) -> str | None:
        """Where more of a long string is read at once, for a decoder that needs all of it."""
        page = self.page
        if not isinstance(page, StringPage) or page.offset or page.next is None:
            return None
        if (self.told["window"] or WINDOW) >= LARGEST_WINDOW:
            return None
        return self.moved(window=LARGEST_WINDOW, decode=self.how)
