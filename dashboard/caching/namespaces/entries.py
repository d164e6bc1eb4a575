"""The entries of a namespace, found in bounded parts, and one of them in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.caching.namespaces import changing, invalidating, placing
from dashboard.caching.namespaces.publishing import TROUBLE
from dashboard.caching.namespaces.views import answer, named, trouble_of
from dashboard.servers.access import may, on_server
from dashboard.servers.models import Server
from redisops import decoders, keys
from redisops.cache import Described
from redisops.decoders import Limits
from redisops.errors import InvalidArgument

SHOWN = 50
TAGS = 6
WHOLE = Limits(input=1024 * 1024, output=1024 * 1024, text=100_000)
STATES = {
    "fresh": ("ok", "Fresh"),
    "stale": ("warn", "Stale"),
    "ended": ("off", "Ended"),
    "foreign": ("bad", "Not the cache's"),
}


@dataclass(frozen=True)
class Row:
    """An entry in the list, or on its own page."""

    server: Server
    namespace: str
    entry: Described

    @property
    def name(self) -> str:
        return keys.printable(self.entry.key)

    @property
    def url(self) -> str:
        return reverse("caching:entry", args=[self.server.slug, self.namespace, self.entry.key])

    @property
    def state(self) -> tuple[str, str]:
        return STATES[self.entry.state]

    @property
    def why(self) -> str:
        """Why it is a miss; "" where it is none."""
        if self.entry.ended_by is not None:
            kind, name = self.entry.ended_by
            return f"by the {kind} {keys.printable(name)}" if name else "with its namespace"
        return self.entry.why

    @property
    def tags(self) -> list[tuple[str, str]]:
        """Each tag with the page that asks before it ends it."""
        return self._marks("tag", self.entry.tags)

    @property
    def prefixes(self) -> list[tuple[str, str]]:
        return self._marks("prefix", self.entry.prefixes)

    def _marks(self, what: str, marks: tuple[bytes, ...]) -> list[tuple[str, str]]:
        url = invalidating.url_of
        return [
            (keys.printable(one[:80]), url(self.server, self.namespace, what, one))
            for one in marks
        ]  # fmt: skip

    @property
    def some_tags(self) -> list[str]:
        return [name for name, _ in self.tags[:TAGS]]

    @property
    def more_tags(self) -> int:
        return max(0, len(self.entry.tags) - TAGS)

    @property
    def end_url(self) -> str:
        return invalidating.url_of(self.server, self.namespace, "key", self.entry.key)

    @property
    def is_digest(self) -> bool:
        """Whether its name was too long to be kept: nobody can say it here."""
        return self.entry.key.startswith(b"#") and len(self.entry.key) == 33


@require_safe
@on_server("caching.read")
def entries(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """Some entries whose key matches; ``cursor`` goes on where the last page ended."""
    named(namespace)
    match, cursor = request.GET.get("match", "")[:1000], request.GET.get("cursor", "")[:4000]
    context: dict[str, Any] = {
        "namespace": namespace, "match": match, "rows": [],
        "row": changing.find(server, namespace),
    }  # fmt: skip
    try:
        pattern = keys.pattern(keys.from_printable(match)) or b"*"
        if not keys.is_glob(pattern):
            pattern = b"*%b*" % pattern
        places = placing.all_of(server, namespace)
        found = places[0].inspector().entries(namespace, pattern, cursor or None, count=SHOWN)
    except InvalidArgument as error:
        return answer(
            request, "caching/namespaces/entries.html", context | {"wrong": str(error)}, 422
        )
    except TROUBLE as error:
        return answer(
            request, "caching/namespaces/entries.html", context | {"unanswered": trouble_of(error)}
        )
    on = urlencode({"match": match, "cursor": found.cursor}) if found.cursor else ""
    context |= {
        "found": found, "rows": [Row(server, namespace, one) for one in found.rows], "on": on,
        "is_first": not cursor, "places": places,
    }  # fmt: skip
    return answer(request, "caching/namespaces/entries.html", context)


@require_safe
@on_server("caching.read")
def entry(request: HttpRequest, server: Server, namespace: str, key: bytes) -> HttpResponse:
    """One entry: its state, its marks, and the value as its decoder reads it."""
    named(namespace)
    context: dict[str, Any] = {
        "namespace": namespace, "name": keys.printable(key),
        "row": changing.find(server, namespace),
    }  # fmt: skip
    template = "caching/namespaces/entry.html"
    try:
        looked = (
            place.inspector().describe(namespace, key)
            for place in placing.all_of(server, namespace)
        )  # fmt: skip
        found = next((one for one in looked if one is not None), None)
    except TROUBLE as error:
        return answer(request, template, context | {"unanswered": trouble_of(error)})
    if found is None:
        return answer(request, template, context, 404)
    how = request.GET.get("decode", "auto")
    known = decoders.names()
    if how not in {name for name, _ in known}:
        how = "auto"
    context |= {
        "one": Row(server, namespace, found), "entry": found, "how": how, "decoders": known,
        "may_browse": may(request.user, "keys.browse", server),
    }  # fmt: skip
    if found.state != "foreign" and not found.is_negative:
        context["decoded"] = decoders.decode(found.body, how, WHOLE)
    return answer(request, template, context)
