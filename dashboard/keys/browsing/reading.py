"""One key as its address asks for it: which part of the value, with which options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from dashboard.keys.browsing.forms import ValueForm
from dashboard.keys.browsing.showing import Screen
from dashboard.keys.browsing.state import BadAddress, Browse, form_errors
from dashboard.servers.models import Server
from redisops.keyspace import Keyspace
from redisops.values import Values
from redisops.values.options import Options
from redisops.values.pages import Page, PendingSummary, StreamConsumer, StreamPage

WINDOW = 64 * 1024
BITS_WINDOW = 512
ELEMENT = 64 * 1024


@dataclass(frozen=True)
class Group:
    """One consumer group that was opened."""

    name: bytes
    consumers: list[StreamConsumer]
    pending: PendingSummary


class Reading:
    """One key, opened. ``read`` fills ``page``; None afterwards means that the key is not there."""

    def __init__(self, server: Server, key: bytes, browse: Browse, query: QueryDict) -> None:
        form = ValueForm(query)
        if not form.is_valid():
            raise BadAddress(" ".join(words for _, words in form_errors(form)))
        self.server = server
        self.key = key
        self.browse = browse
        self.told: dict[str, Any] = form.told
        self.page: Page | None = None
        self.group: Group | None = None
        self.screen = Screen(self.told["decode"] if self.told["element"] is None else "auto")

    @property
    def is_protected(self) -> bool:
        """Whether this is one of the console's own keys, whose values are never shown."""
        return self.server.protects(self.key)

    def read(self, redis: Any) -> None:
        """The key's facts and one page of its value: two round trips; one when it is protected."""
        if self.is_protected:
            row = Keyspace(redis).lookup(self.key)
            if row is not None:
                self.page = Page(
                    key=row.key, type=row.type, ttl=row.ttl, memory=row.memory, length=row.length,
                    encoding=row.encoding, idle=row.idle, missing=row.missing,
                )  # fmt: skip
            return
        values = Values(redis)
        self.page = values.read(
            self.key, at=self.told["at"] or None, count=self.told["rows"] or 100, **self.options
        )
        group = self.told["group"]
        if isinstance(self.page, StreamPage) and group is not None:
            at = self.told["pending"] or None
            consumer = self.told["consumer"]
            self.group = Group(
                group,
                values.consumers(self.key, group),
                values.pending(self.key, group, at=at, consumer=consumer),
            )

    @property
    def options(self) -> Options:
        told = self.told
        bits = told["show"] == "bits"
        options = Options(window=told["window"] or (BITS_WINDOW if bits else WINDOW))
        if told["element"] is not None:
            options["limit"] = ELEMENT
        if bits:
            options["bits"] = True
        if told["show"] == "geo":
            options["geo"] = True
        if told["order"]:
            options["order"] = told["order"]
        if told["filter"]:
            options["match"] = told["filter"]
        if told["min"]:
            options["min"] = told["min"]
        if told["max"]:
            options["max"] = told["max"]
        if told["member"] is not None:
            options["member"] = told["member"]
        if self.circle:
            options["near"] = self.circle
        if told["start"]:
            options["start"] = told["start"]
        if told["end"]:
            options["end"] = told["end"]
        return options

    @property
    def circle(self) -> tuple[float, float, float] | None:
        told = self.told
        given = (told["longitude"], told["latitude"], told["radius"])
        return None if None in given else given
