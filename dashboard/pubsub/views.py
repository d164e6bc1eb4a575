"""Channels, what comes on them, and a message of one's own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_POST, require_safe

from dashboard.audit import recording
from dashboard.pubsub import listing
from dashboard.pubsub.forms import WAYS, PublishForm
from dashboard.pubsub.presets import PRESETS
from dashboard.pubsub.wanted import KINDS, Wanted, wanted
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import InvalidArgument, UnknownResult
from redisops.pubsub.publisher import Publisher

TOLD = 500  # bytes of a message that the audit keeps


@require_safe
@on_server("pubsub.listen")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Which channels there are; with ``kind`` and ``name``, what comes there from now on."""
    what, wrong = _asked(request, server)
    form = PublishForm(server)
    return _page(request, server, what, wrong, form, 422 if wrong else 200)


@require_POST
@on_server("pubsub.publish")
def publish(request: HttpRequest, server: Server) -> HttpResponse:
    """Send one message, once; back to where one listens, with how many got it."""
    form = PublishForm(server, request.POST)
    what, _ = _asked(request, server)
    if not form.is_valid():
        return _page(request, server, what, "", form, 422)
    channel, data = form.cleaned_data["channel"], form.data_bytes
    sharded = form.cleaned_data["sharded"]
    name = Truncator(keys.printable(channel)).chars(60)
    try:
        with recording(request, "pubsub.publish", server=server.slug, target=channel) as told:
            count = Publisher(server.client()).publish(channel, data, sharded=sharded)
            told.after = {
                "message": keys.printable(data[:TOLD]), "bytes": len(data), "received by": count,
                "sharded": sharded,
            }  # fmt: skip
    except UnknownResult:
        messages.warning(
            request,
            f"Nobody knows whether the message was published on {name}: the answer was lost. It is "
            "not sent again; whoever listens to the channel sees whether it came.",
        )
    else:
        messages.success(request, f"Published {_size(data)} on {name}. {_received(server, count)}")
    here = reverse("pubsub:index", args=[server.slug])
    return redirect(f"{here}?{_query(what)}" if what else here)


def _page(
    request: HttpRequest,
    server: Server,
    what: Wanted | None,
    wrong: str,
    form: PublishForm,
    status: int,
) -> HttpResponse:
    found = listing.listed(server)
    sample = None
    if request.method == "GET" and request.GET.get("measure") == "on" and what is None:
        sample = listing.measured(server, {one.name: one.subscribers for one in found.channels})
    context: dict[str, Any] = {
        "sample": sample, "wanted": what, "wrong": wrong, "kinds": KINDS, "presets": PRESETS,
        "ways": WAYS, "listing": found, "form": form,
        "given": {"kind": request.GET.get("kind", ""), "name": request.GET.get("name", "")[:4000]},
        "query": _query(what) if what else "",
    }  # fmt: skip
    return render(request, "pubsub/index.html", context, status=status)


def _asked(request: HttpRequest, server: Server) -> tuple[Wanted | None, str]:
    """What the address says to listen to, and what is wrong with that."""
    kind, name = request.GET.get("kind", ""), request.GET.get("name", "")
    if not (kind or name):
        return None, ""
    try:
        return wanted(server, kind or "pattern", keys.from_printable(name)), ""
    except InvalidArgument as error:
        return None, str(error)


def _query(what: Wanted) -> str:
    return urlencode({"kind": what.kind, "name": what.printable})


def _size(data: bytes) -> str:
    return f"{len(data):,} byte{'' if len(data) == 1 else 's'}"


def _received(server: Server, count: int) -> str:
    """Who got it, in words; a cluster's node counts its own subscribers alone."""
    where = " at the node that took it" if server.kind == server.Kind.CLUSTER else ""
    if not count:
        return f"Nobody listened{where}, so nobody has it."
    one = "1 subscription" if count == 1 else f"{count:,} subscriptions"
    return f"{one}{where} received it, those of this console included."
