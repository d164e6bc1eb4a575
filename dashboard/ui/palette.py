"""Ctrl-K: pages, servers and exact keys. Areas register providers, each finds its own kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import structlog
from django.http import HttpRequest
from django.urls import reverse

from dashboard.ui import navigation

LIMIT = 8
QUERY_LIMIT = 500
# Groups appear in this order; others follow as they come.
ORDER = ("Keys", "Go to", "Services", "Caches", "Streams", "Switch server", "Do")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Hit:
    """One thing to open. ``hint`` stands on the right; ``icon`` is a lucide name."""

    label: str
    url: str
    group: str
    hint: str = ""
    icon: str = "arrow-right"
    mono: bool = False


Provider = Callable[[HttpRequest, str], Iterable[Hit]]

_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Add ``provider(request, query) -> hits``, best first. Called from ``AppConfig.ready()``.

    The query is "" when the palette opens: give what is useful then, or nothing. A provider
    shows only what the person may open, and bounds its own work.
    """
    if provider not in _providers:
        _providers.append(provider)


def search(request: HttpRequest, query: str) -> dict[str, list[Hit]]:
    """Hits by group, at most eight each, in the order the palette shows them.

    A provider that fails (its server is away) leaves its group out; the others still answer.
    """
    groups: dict[str, list[Hit]] = {}
    for provider in _providers:
        try:
            hits = list(islice(provider(request, query[:QUERY_LIMIT]), LIMIT * 4))
        except Exception as error:
            log.warning(
                "palette.provider_failed", provider=provider.__module__, error=type(error).__name__
            )
            continue
        for hit in hits:
            groups.setdefault(hit.group, []).append(hit)
    rank = {name: position for position, name in enumerate(ORDER)}
    names = sorted(groups, key=lambda name: rank.get(name.partition(" on ")[0], len(ORDER)))
    return {name: groups[name][:LIMIT] for name in names}


def matches(query: str, text: str) -> bool:
    """Whether every word of the query stands somewhere in the text: "ord pl" in "orders placed"."""
    folded = text.casefold()
    return all(word in folded for word in query.casefold().split())


def pages(request: HttpRequest, query: str) -> Iterable[Hit]:
    """The pages that the side lists, and those of the frame itself."""
    server = getattr(request, "server", None)
    for group in navigation.groups(request, server):
        for link in group.links:
            if matches(query, link.label):
                hint = f"g {link.letter}" if link.letter else ""
                yield Hit(link.label, link.url, "Go to", hint, link.icon)
    if query and matches(query, "Help and keys"):
        yield Hit("Help and keys", reverse("ui:help"), "Go to", "?", "circle-help")
