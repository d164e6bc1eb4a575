"""Ending a key, a tag, a prefix or a namespace: first what goes and what it costs, then the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.audit import recording
from dashboard.caching.namespaces import changing, figures, placing, plotting
from dashboard.caching.namespaces.forms import MONO, Asking
from dashboard.caching.namespaces.placing import Place
from dashboard.caching.namespaces.publishing import TROUBLE
from dashboard.caching.namespaces.views import answer, named, trouble_of
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys
from redisops.cache import Ended, Preview
from redisops.errors import InvalidArgument, UnknownResult

ACTION = "caching.invalidate"
WHAT = {"tag": "A tag", "prefix": "A prefix", "key": "A key", "namespace": "The whole namespace"}
UNKNOWN = (
    "It was sent, and the reply was lost: it was done, or not at all. Invalidating once more does "
    "no harm beyond the loads."
)
SHOWN_FAILED = 5
SECONDS = 5.0  # for which shards are tried, in all places together


@dataclass(frozen=True)
class Reached:
    """``shards`` of all places together; ``failed`` names those where it was not done, and why."""

    shards: int
    failed: tuple[tuple[str, Exception], ...]


class Partly(Exception):
    """Some shards were reached and others not; the message names them."""

    def __init__(self, ended: Reached) -> None:
        failed = ended.failed
        which = ", ".join(shard for shard, _ in failed[:SHOWN_FAILED])
        more = f" and {len(failed) - SHOWN_FAILED} more" if len(failed) > SHOWN_FAILED else ""
        why = trouble_of(failed[0][1])
        super().__init__(
            f"{ended.shards - len(failed)} of {ended.shards} shards did it; shard"
            f"{'s' * (len(failed) > 1)} {which}{more} not, or nobody knows: {why} What they hold "
            "may still be served. Invalidating once more does no harm beyond the loads."
        )


class InvalidateForm(Asking):
    """What is to end. ``target`` is its name as bytes once the form is valid."""

    what = forms.ChoiceField(choices=list(WHAT.items()), widget=forms.RadioSelect, initial="tag")
    name = forms.CharField(
        required=False, max_length=4000, strip=False, widget=forms.TextInput(attrs=MONO)
    )

    target: bytes = b""

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        what = data.get("what")
        if self.errors or what == "namespace":
            return data
        try:
            self.target = keys.from_printable(data.get("name", ""))
        except InvalidArgument as error:
            self.add_error("name", str(error))
        if not self.target and "name" not in self.errors:
            self.add_error("name", f"Say which {what}.")
        elif what == "prefix" and (not self.target.endswith(b":") or self.target.count(b":") > 8):
            self.add_error("name", "A prefix ends with “:” and has at most 8 of them.")
        return data

    @property
    def wanted(self) -> dict[str, Any]:
        """As ``Inspector.preview`` takes it."""
        what = self.cleaned_data["what"]
        return {} if what == "namespace" else {what: self.target}

    @property
    def words(self) -> str:
        """What ends, in a sentence's middle."""
        what = self.cleaned_data["what"]
        named = keys.printable(self.target[:200])
        return "the whole namespace" if what == "namespace" else f"the {what} {named}"


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("caching.change")
def invalidate(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """GET asks and previews, POST ends."""
    named(namespace)
    if request.method != "POST":
        form = InvalidateForm(server, request.GET if "what" in request.GET else None)
        return _shown(request, server, namespace, form)
    form = InvalidateForm(server, request.POST)
    if not form.is_valid() or not form.check_asked():
        return _shown(request, server, namespace, form, status=422)
    reason = form.cleaned_data["reason"].strip()
    try:
        with recording(
            request, ACTION, server=server.slug, target=_target(namespace, form), reason=reason
        ) as entry:
            gone = _end(server, namespace, form)
            entry.after = {"what": form.cleaned_data["what"], "namespace": namespace}
            if isinstance(gone, Reached):
                entry.after |= {"shards": gone.shards, "not reached": len(gone.failed)}
                if gone.failed:
                    raise Partly(gone)
    except Partly as error:
        note = ("warn", "Only a part is invalidated.", str(error))
        return _shown(request, server, namespace, form, note, status=503)
    except UnknownResult:
        note = ("warn", "Result unknown.", UNKNOWN)
        return _shown(request, server, namespace, form, note, status=503)
    except (*TROUBLE, InvalidArgument) as error:
        note = ("bad", "Nothing is known to be invalidated.", trouble_of(error))
        return _shown(request, server, namespace, form, note, status=503)
    if gone is False:
        messages.info(request, f"{_capital(form.words)} was not cached; a load under way is not "
                               "stored.")  # fmt: skip
    else:
        messages.success(request, f"Invalidated {form.words} of {namespace}: all processes drop "
                                  "their copies now.")  # fmt: skip
    return redirect("caching:show", server.slug, namespace)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _target(namespace: str, form: InvalidateForm) -> bytes:
    what = form.cleaned_data["what"]
    rest = b"" if what == "namespace" else b" %b %b" % (what.encode(), form.target)
    return namespace.encode() + rest


def _end(server: Server, namespace: str, form: InvalidateForm) -> Reached | bool:
    """End it in every place: whether a key was there, or what was reached of all else.

    Raises Redis's errors when nothing was reached.
    """
    places = placing.all_of(server, namespace)
    if form.cleaned_data["what"] == "key":
        return sum([place.cache().delete(form.target) for place in places]) > 0
    shards, failed = 0, list[tuple[str, Exception]]()
    last = time.monotonic() + SECONDS
    for place in places:
        left = max(last - time.monotonic(), 0.0)
        ended: Ended = place.cache().end(**form.wanted, seconds=left)
        shards += ended.shards
        behind = f" ({place.words})" if len(places) > 1 else ""
        failed += [(f"#{shard}{behind}", error) for shard, error in ended.failed]
    if len(failed) == shards:
        raise failed[0][1]
    return Reached(shards, tuple(failed))


def _shown(
    request: HttpRequest, server: Server, namespace: str, form: InvalidateForm,
    note: tuple[str, str, str] | None = None, *, status: int = 200,
) -> HttpResponse:  # fmt: skip
    preview: Preview | None = None
    places: list[Place] = []
    cost: dict[str, Any] = {}
    is_asked = form.is_bound and "name" not in form.errors and "what" not in form.errors
    if is_asked:
        try:
            places = placing.all_of(server, namespace)
            preview = placing.preview(places, form.wanted)
            cost = _cost(server, namespace, preview)
        except TROUBLE as error:
            note = note or ("warn", "What would go is not known.", trouble_of(error))
    if form.is_bound and form.errors and status == 200:
        status = 422
    context: dict[str, Any] = {
        "namespace": namespace, "row": changing.find(server, namespace), "form": form,
        "note": note, "preview": preview, "places": places, "what": WHAT,
        "shards": sum(place.shards or 1 for place in places), "is_asked": is_asked, **cost,
    }  # fmt: skip
    return answer(request, "caching/namespaces/invalidate.html", context, status)


def _cost(server: Server, namespace: str, preview: Preview) -> dict[str, Any]:
    """What the source will be asked: by the entries' own load times, else by the mean of lately."""
    seconds = preview.likely_load
    mean = None
    if preview.likely and not seconds:
        now = time.time()
        minutes = plotting.read(server, namespace, plotting.SPANS["1h"])
        mean = figures.lately(minutes, now, 60).load
        seconds = (mean or 0.0) * preview.likely
    return {"cost": seconds or None, "is_mean": mean is not None}


def url_of(server: Server, namespace: str, what: str, name: bytes = b"") -> str:
    """The page that asks before it ends this."""
    path = reverse("caching:invalidate", args=[server.slug, namespace])
    return f"{path}?{urlencode({'what': what, 'name': keys.printable(name)})}"
