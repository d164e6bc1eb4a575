"""One piece of advice, and the links that do it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html

from dashboard.servers.models import Server
from redisops import keys

RISK, BYTES, LOADS = 0, 1, 2


@dataclass(frozen=True)
class Fix:
    """One button: a page with its form filled, which asks before anything happens.

    Shown to people who have ``permission``.
    """

    label: str
    url: str
    permission: str


@dataclass(frozen=True)
class Advice:
    """``cost`` says it in bytes or loads; ``weight`` orders within a ``kind``, most first.

    ``evidence`` are (label, value) pairs, ``basis`` says how they were found. ``prefix`` is whose
    keys it is about, None for the whole server.
    """

    rule: str
    kind: int
    title: str
    cost: str
    weight: float
    sentence: str
    basis: str
    prefix: bytes | None = None
    evidence: list[tuple[str, str]] = field(default_factory=list)
    fix: Fix | None = None

    @property
    def state(self) -> str:
        return "warn" if self.kind == RISK else "off"

    @property
    def spoken(self) -> str:
        """What the shape says, for those who do not see it."""
        word = "A risk:" if self.kind == RISK else "Costs memory or loads:"
        return format_html('<span class="visually-hidden">{}</span>', word)


def bulk(server: Server, label: str, do: str, prefix: bytes, **filters: str) -> Fix:
    """The pages for many keys at once, told which keys: they count first, and ask then."""
    query: dict[str, Any] = {"do": do, "prefix": keys.printable(prefix), **filters}
    url = reverse("keys:bulk", args=[server.slug])
    permission = "keys.export" if do == "export" else "keys.bulk"
    return Fix(label, f"{url}?{urlencode(query)}", permission)


def cache_policy(server: Server, label: str, namespace: str, wanted: str) -> Fix:
    """The policy of one cache with its form filled: one of ``namespaces.suggesting``."""
    url = reverse("caching:policy", args=[server.slug, namespace])
    return Fix(label, f"{url}?{urlencode({'suggest': wanted})}", "caching.change")


def analysis(server: Server, label: str) -> Fix:
    """Where the keys are counted by folder: for what no console can mend."""
    return Fix(label, reverse("keys:analysis", args=[server.slug]), "keys.browse")


def half_more(used: int) -> str:
    """A limit half above ``used`` bytes, in whole MiB, as the form of eviction reads it."""
    return f"{math.ceil(used * 1.5 / 1024**2)} MiB"


def eviction(server: Server, label: str, **wanted: str) -> Fix:
    """The change of limit and policy with its form filled."""
    url = reverse("caching:eviction_change", args=[server.slug])
    return Fix(label, f"{url}?{urlencode(wanted)}" if wanted else url, "caching.eviction")


def namespace_of(prefix: bytes) -> str | None:
    """The cache of this library that a prefix belongs to: ``cache:{catalog}:``, with its shards."""
    if not prefix.startswith(b"cache:{") or b"}" not in prefix:
        return None
    name = prefix[7 : prefix.index(b"}")].partition(b"#")[0]
    return name.decode("ascii", "replace") if name.isascii() else None
