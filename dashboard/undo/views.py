"""The recycle bin of a server: what can come back, one removal with its keys, and putting back."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from dashboard.jobs import Busy
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable
from dashboard.ui import numbers
from dashboard.undo import listing, marks, restoring
from dashboard.undo.errors import CannotKeep
from dashboard.undo.forms import RestoreForm
from dashboard.undo.models import Removal
from dashboard.undo.options import Restored
from redisops import keys
from redisops.errors import UnknownResult


@require_GET
@on_server("undo.view")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """What people removed here and can have back, newest first."""
    before = request.GET.get("before", "")
    rows, following = listing.removals(
        server, min(int(before), 2**62) if before.isdecimal() and before.isascii() else None
    )
    context: dict[str, object] = {
        "removals": rows,
        "next": following,
        "before": before,
        "sums": listing.sums(server),
    }
    return _answer(request, "undo/index.html", context)


@require_GET
@on_server("undo.view")
def show(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """One removal: its keys by name, never their values. ``look=1`` asks what is there now."""
    removal = _removal(server, pk)
    match = request.GET.get("match", "")[:1000]
    form = RestoreForm(initial=_first_names(removal))
    return _show(request, removal, form, match=match, after=request.GET.get("after", ""))


@require_POST
@on_server("undo.restore")
def restore(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Put all of a removal or some of its entries back; a large one becomes a job."""
    removal = _removal(server, pk)
    form = RestoreForm(request.POST)
    if removal.is_over:
        return _show(request, removal, form, status=410)
    if not form.is_valid():
        return _show(request, removal, form, status=422)
    chosen = None
    if form.cleaned_data["which"] == "picked":
        chosen = listing.chosen(removal, request.POST.getlist("entry")[:1000])
        if not chosen:
            form.add_error(None, "No key is picked. Tick some, or restore all of them.")
            return _show(request, removal, form, status=422)
    reason = form.cleaned_data["reason"]
    try:
        found = restoring.restore_entries(request, removal, chosen, form.options, reason=reason)
    except CannotKeep as error:
        form.add_error(None, f"What would be overwritten could not be kept first. {error}")
        return _show(request, removal, form, status=409)
    except Busy as error:
        messages.error(request, f"Nothing was restored: {error}. Wait for it, or cancel it.")
        return redirect(error.job)
    except UnknownResult:
        messages.warning(
            request, "The reply was lost: nobody knows whether it was restored. Below is what is "
            "at these names now. Restoring again overwrites nothing that you did not ask for.",
        )  # fmt: skip
        return redirect(f"{removal.get_absolute_url()}?look=1")
    if not isinstance(found, Restored):
        return redirect(found)
    is_edit = removal.kept == 1 and removal.chunks.filter(is_edit=True).exists()
    _tell(request, found, is_edit=is_edit)
    return redirect(_where(server, removal, found))


def _removal(server: Server, pk: int) -> Removal:
    known = Removal.objects.filter(server=server, kept__gt=0).select_related("server")
    return get_object_or_404(known, pk=pk)


def _show(
    request: HttpRequest, removal: Removal, form: RestoreForm, *, match: str = "", after: str = "",
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    context: dict[str, object] = {"removal": removal, "form": form, "match": match, "after": after}
    context["here"] = removal.get_absolute_url()
    context["may_restore"] = may_here(request, "undo.restore")
    if not removal.is_over:
        try:
            page = listing.entries(removal, keys.from_printable(match), after)
            counted = listing.counts(removal)
        except SecretUnreadable as error:
            context["unreadable"] = str(error)
            return _answer(request, "undo/show.html", context, status=status)
        if request.GET.get("look") == "1":
            page.rows = listing.look(removal.server, page.rows)
            context["is_looking"] = True
        query = {"match": match, "after": page.next}
        context |= {
            "page": page,
            "is_edit": removal.kept == 1 and any(row.is_edit for row in page.rows),
            "back": counted[marks.BACK],
            "stayed": counted[marks.STAYED],
            "unsure": counted[marks.KEPT] + counted[marks.TRYING],
            "overwritten": counted[marks.OVERWRITTEN],
            "open": removal.offered - counted[marks.BACK],
            "next_url": f"{removal.get_absolute_url()}?{urlencode(query)}" if page.next else "",
        }
    return _answer(request, "undo/show.html", context, status=status)


def _answer(
    request: HttpRequest, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _first_names(removal: Removal) -> dict[str, str]:
    """For a single key its whole name stands in both fields, ready to be changed."""
    if removal.kept != 1:
        return {}
    name = keys.printable(bytes(removal.first_key))
    return {"old": name, "new": name}


def _tell(request: HttpRequest, found: Restored, *, is_edit: bool) -> None:
    """One message for what came back, one for what did not and why."""
    count = found.restored
    if count and is_edit:
        messages.success(request, "The change is taken back.")
    elif count:
        messages.success(request, f"Restored {numbers.exact(count)} key{'s' * (count != 1)}.")
    told: dict[str, int] = {}
    for result, many in found.results.items():
        word, _, why = result.partition(": ")
        if word == "unclear":
            messages.warning(request, f"Nobody knows whether it came back: {why}.")
        elif result != "restored":
            sentence = SENTENCES.get(result, why)
            told[sentence] = told.get(sentence, 0) + many
    for sentence, many in list(told.items())[:4]:
        many_keys = f"{numbers.exact(many)} key{'s' * (many != 1)}"
        messages.warning(request, f"Not restored, {many_keys}: {sentence.rstrip('.')}.")
    if not found.results:
        messages.info(request, "There was nothing left to restore.")


SENTENCES = {
    "taken": "the name is taken by now. Restore to another name, or overwrite what is there",
    "changed": "somebody changed it since, so the old value would undo that, too",
    "expired": "its time is over by the server's clock. Give it a new time to live below",
}


ROOMS = {"leaderboards": "leaderboards:show", "streams": "streams:show"}
"""The page of a key for acts of a room; the page of its value for all others."""


def _where(server: Server, removal: Removal, found: Restored) -> str:
    """A key that came back is shown in the room where it was changed; otherwise the removal."""
    if not found.restored or found.others:
        return removal.get_absolute_url()
    if removal.action == "leaderboards.end":
        return reverse("leaderboards:history", args=[server.slug, removal.what])
    room = ROOMS.get(removal.action.partition(".")[0])
    if room is not None and found.names:
        return reverse(room, args=[server.slug, bytes(removal.first_key)])
    if removal.kept == 1 and found.names:
        return reverse("keys:show", args=[server.slug, found.names[0]])
    return removal.get_absolute_url()
