"""One stream as its address asks for it: the newest entries to follow, or a part to read."""

from __future__ import annotations

import datetime
import time
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard.servers.models import Server
from dashboard.streams.reading import filtering, rows
from dashboard.streams.reading.rows import Row
from dashboard.streams.reading.tailing import CAPS, USUAL_CAP
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.streams.model import is_id
from redisops.values import Values
from redisops.values.pages import Page, StreamPage

COUNT = 50
PIECE = 1_024
LONGEST_KEY = 2_000  # bytes of a name that fits an address


class Screen:
    """One stream on a page. ``read`` fills ``page``; None afterwards: there is no such key."""

    def __init__(self, server: Server, key: bytes, query: QueryDict) -> None:
        self.server = server
        self.key = key
        self.is_browsing = query.get("view") == "browse"
        self.order = "asc" if query.get("order") == "asc" else "desc"
        self.at = query.get("at", "")[:200]
        self.start = query.get("from", "").strip()[:60]
        self.filter_text = query.get("filter", "")[: filtering.LONGEST + 1]
        cap = query.get("cap", "")
        self.cap = next((one for one in CAPS if str(one) == cap), USUAL_CAP)
        self.wrong = self.wrong_start = ""
        self.filter = filtering.Filter()
        self.page: Page | None = None
        self.rows: list[Row] = []
        self.looked = 0
        try:
            self.filter = filtering.read(self.filter_text)
        except InvalidArgument as error:
            self.wrong = str(error)
        self.bound = ""
        try:
            self.bound = read_place(self.start) if self.is_browsing else ""
        except InvalidArgument as error:
            self.wrong_start = str(error)

    def read(self, count: int = COUNT) -> None:
        """One page of entries with the stream's facts and groups. Two round trips."""
        options: dict[str, Any] = {"order": self.order if self.is_browsing else "desc"}
        if self.bound:
            options["start" if self.order == "asc" else "end"] = self.bound
        at = self.at if self.is_browsing else None
        self.page = Values(self.server.client()).read(
            self.key, at=at or None, count=count, limit=PIECE, **options
        )
        if not self.is_stream:
            return
        entries = list(self.stream.rows)
        self.looked = len(entries)
        if self.filter:
            entries = [entry for entry in entries if self.filter.matches(_pairs(entry))]
        self.rows = [rows.of_page(entry) for entry in entries]
        if not self.is_browsing and self.order == "asc":
            self.rows.reverse()

    # --- What it is -----------------------------------------------------------------------

    @property
    def is_stream(self) -> bool:
        return isinstance(self.page, StreamPage)

    @property
    def stream(self) -> StreamPage:
        assert isinstance(self.page, StreamPage)
        return self.page

    @property
    def name(self) -> str:
        return keys.printable(self.key)

    @property
    def last_id(self) -> str:
        """The newest id that this page knows: where the live tail goes on."""
        newest = self.stream.rows[0].id if self.stream.rows else ""
        return newest or self.stream.last_generated_id

    @property
    def first_at(self) -> float | None:
        return _seconds(self.stream.first_id)

    @property
    def last_at(self) -> float | None:
        return _seconds(self.stream.last_id)

    @cached_property
    def rate(self) -> float | None:
        """Entries per second by the newest ones; None where their ids are no times."""
        entries = self.stream.rows
        if self.is_browsing or len(entries) < 2:
            return None
        oldest = _seconds(entries[-1].id)
        if oldest is None:
            return None
        seconds = max(time.time() - oldest, 0.001)
        return len(entries) / seconds

    @property
    def lag(self) -> int | None:
        lags = [group.lag for group in self.stream.groups]
        known = [lag for lag in lags if lag is not None]
        return sum(known) if len(known) == len(lags) else None

    # --- Where it is ----------------------------------------------------------------------

    @property
    def path(self) -> str:
        return reverse("streams:show", args=[self.server.slug, self.key])

    @property
    def socket(self) -> str:
        """Where the live tail is; with the filter in it when there is one."""
        place = f"{reverse('servers:fleet')}ws/servers/{self.server.slug}/streams/"
        place += f"{keys.to_url(self.key)}/tail/{self.cap}/"
        return place + (f"{keys.to_url(self.filter.text.encode())}/" if self.filter else "")

    def address(self, **changes: Any) -> str:
        told = {
            "view": "browse" if self.is_browsing else "",
            "from": self.start if self.is_browsing else "",
            "order": "asc" if self.order == "asc" else "",
            "filter": self.filter_text,
            "cap": "" if self.cap == USUAL_CAP else self.cap,
        } | changes
        query = urlencode({name: value for name, value in told.items() if value not in ("", None)})
        return f"{self.path}?{query}" if query else self.path

    @property
    def tail_url(self) -> str:
        return self.address(view="", **{"from": "", "at": ""})

    @property
    def browse_url(self) -> str:
        return self.address(view="browse", **{"from": "", "at": ""})

    @property
    def newest_url(self) -> str:
        return self.address(order="")

    @property
    def oldest_url(self) -> str:
        return self.address(order="asc")

    @property
    def next_url(self) -> str:
        return self.address(at=self.stream.next) if self.stream.next else ""

    @property
    def previous_url(self) -> str:
        return self.address(at=self.stream.previous) if self.stream.previous else ""

    @property
    def older_url(self) -> str:
        """What lies before the entries of a tail."""
        oldest = self.stream.rows[-1].id if self.stream.rows else ""
        return self.address(view="browse", order="", **{"from": oldest}) if oldest else ""

    @property
    def clear_url(self) -> str:
        return self.address(filter="")

    @property
    def caps(self) -> list[tuple[int, str, bool]]:
        return [(cap, self.address(cap=cap), cap == self.cap) for cap in CAPS]


def read_place(text: str) -> str:
    """An id, or a time of day or a date and time in UTC, as an id; InvalidArgument otherwise."""
    if not text or is_id(text):
        return text
    now = datetime.datetime.now(datetime.UTC)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
                 "%Y-%m-%d", "%H:%M:%S", "%H:%M"):  # fmt: skip
        try:
            at = datetime.datetime.strptime(text.removesuffix("Z"), form)
        except ValueError:
            continue
        if not form.startswith("%Y"):
            at = at.replace(year=now.year, month=now.month, day=now.day)
        return str(max(int(at.replace(tzinfo=datetime.UTC).timestamp() * 1000), 0))
    raise InvalidArgument(
        f"“{text}” is neither an id (1700000000000-0) nor a time (01:47, 2026-11-22 18:20)."
    )


def _seconds(entry_id: str | None) -> float | None:
    if not entry_id:
        return None
    ms = int(entry_id.partition("-")[0])
    return ms / 1000 if 0 < ms < rows.LATEST else None


def _pairs(entry: Any) -> list[tuple[bytes, bytes]]:
    return [(name.data, value.data) for name, value in entry.fields]
