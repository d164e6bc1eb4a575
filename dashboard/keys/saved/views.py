"""Views with a name and recent keys, of the person who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.keys.browsing.state import Browse
from dashboard.keys.saved import recent
from dashboard.keys.saved.forms import ViewForm
from dashboard.keys.saved.models import RecentKey, SavedView
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys

MOST = 100


@dataclass(frozen=True)
class Line:
    """A saved view as the page lists it; ``words`` say what it shows."""

    view: SavedView
    url: str
    words: str


@require_safe
@on_server("keys.browse")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Saved views, recent keys, and with ``?view=<query>`` the form that saves that view."""
    query = request.GET.get("view")
    form = None if query is None else ViewForm(server.slug, {"query": query, "name": ""})
    return _page(request, server, form)


@require_POST
@on_server("keys.browse")
def save(request: HttpRequest, server: Server) -> HttpResponse:
    """Keep a view; one of the same name is replaced."""
    form = ViewForm(server.slug, request.POST)
    mine = SavedView.objects.filter(user=request.user.pk, server=server)
    is_new = form.is_valid() and not mine.filter(name=form.cleaned_data["name"]).exists()
    if is_new and mine.count() >= MOST:
        form.add_error("name", f"You have {MOST} views here: remove one first.")
    if not form.is_valid():
        return _page(request, server, form, status=400)
    name, query = form.cleaned_data["name"], form.cleaned_data["query"]
    values = {"user_id": request.user.pk, "server": server, "name": name}
    SavedView.objects.update_or_create(**values, defaults={"query": query})
    messages.success(request, f"Saved the view {name}.")
    return HttpResponseRedirect(_url(server, query))


@require_POST
@on_server("keys.browse")
def delete(request: HttpRequest, server: Server, number: int) -> HttpResponse:
    view = get_object_or_404(SavedView, pk=number, user=request.user.pk, server=server)
    view.delete()
    messages.success(request, f"Removed the view {view.name}.")
    return redirect("keys:views", server.slug)


@require_POST
@on_server("keys.browse")
def forget(request: HttpRequest, server: Server) -> HttpResponse:
    """Forget which keys this person opened here."""
    RecentKey.objects.filter(user=request.user.pk, server=server).delete()
    messages.success(request, f"Forgot the keys you opened on {server.name}.")
    return redirect("keys:views", server.slug)


@require_POST
@on_server("keys.browse")
def opened(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """The page says that it shows this key: looking by itself changes nothing."""
    if not server.protects(key):
        recent.remember(request.user, server, key)
    return HttpResponse(status=204)


def lines(user: Any, server: Server) -> list[Line]:
    found = SavedView.objects.filter(user=user.pk, server=server)[:MOST]
    return [Line(view, _url(server, view.query), _words(server, view.query)) for view in found]


def _url(server: Server, query: str) -> str:
    return f"{Browse(server.slug).path}?{query}"


def _words(server: Server, query: str) -> str:
    browse = Browse.of(server.slug, QueryDict(query))
    parts = [keys.printable(browse.pattern) if browse.pattern else "every key"]
    parts += [f"type {browse.type}"] if browse.type else []
    parts += [f"expiry {browse.ttl}"] if browse.ttl else []
    parts += [f"bytes {browse.size}"] if browse.size else []
    parts += [f"idle {browse.idle}"] if browse.idle else []
    return ", ".join(parts)


def _page(
    request: HttpRequest, server: Server, form: ViewForm | None, *, status: int = 200
) -> HttpResponse:
    words = ""
    if form is not None:
        form.is_valid()
        # The address is checked when the page is shown, the name when it is given.
        words = _words(server, form.cleaned_data["query"]) if "query" in form.cleaned_data else ""
    context = {
        "form": form,
        "is_new": request.method != "POST",
        "words": words,
        "lines": lines(request.user, server),
        "recent": recent.of(request.user, server),
        "most": MOST,
    }
    return render(request, "keys/saved/index.html", context, status=status)
