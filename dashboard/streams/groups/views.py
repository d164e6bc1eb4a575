"""The groups of a stream, and one of them in full. Both follow by asking again; neither changes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.streams.groups import room, showing
from dashboard.streams.groups.remembering import Memory
from dashboard.ui import answers
from redisops import keys
from redisops.streams.groups import GroupGone, Groups
from redisops.streams.pending import Pending, poison
from redisops.streams.replaying import DeadLetters

SHOWN = 50
"""Pending entries of one page."""


@require_safe
@on_server("streams.read")
@room.told
def index(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """Every group with lag, pending, rates and time to drain; worst first. Two round trips."""
    redis = server.client()
    look = Groups(redis, key).look()
    memory = Memory(request.GET.get("was", ""))
    rows = [
        showing.GroupRow(group, memory.rates(look, group), memory.still(look, group))
        for group in look.groups
    ]
    context = {
        "key": key, "look": look, "rows": showing.worst_first(rows),
        "verdict": showing.verdict(look, showing.worst_first(rows)),
        "dead": DeadLetters(redis, key).count(),
        "next": memory.then(look),
    }  # fmt: skip
    return _answer(request, "streams/groups/index.html", "streams/groups/_groups.html", context)


@require_safe
@on_server("streams.read")
@room.told
def show(request: HttpRequest, server: Server, key: bytes, group: bytes) -> HttpResponse:
    """One group: what wants a person, its consumers, and what is pending. Two round trips."""
    memory = Memory(request.GET.get("was", ""))
    standing = standing_of(server, key, group, memory)
    context: dict[str, Any] = {
        "key": key, "standing": standing, "group": group, "name": room.short(group),
        "verdict": (standing.row.state, standing.row.verdict[1]),
        "next": memory.then(standing.look),
    }  # fmt: skip
    if not answers.is_htmx(request):
        context |= _pending(request, server, key, standing)
    return _answer(request, "streams/groups/show.html", "streams/groups/_standing.html", context)


def standing_of(
    server: Server, key: bytes, group: bytes, memory: Memory | None = None
) -> showing.Standing:
    """How the group is now. Raises GroupGone and StreamGone."""
    redis = server.client()
    look = Groups(redis, key).look()
    found = next((one for one in look.groups if one.name == group and not one.is_cut), None)
    if found is None:
        raise GroupGone("The stream has no group of this name.")
    memory = memory or Memory()
    row = showing.GroupRow(found, memory.rates(look, found), memory.still(look, found))
    return showing.Standing(look, row, Pending(redis, key, group).window())


def _pending(
    request: HttpRequest, server: Server, key: bytes, standing: showing.Standing
) -> dict[str, Any]:
    """A page of pending entries, of one consumer or of all, or the poison ones of the window."""
    of = room.named(request.GET.get("consumer", ""))
    after = request.GET.get("after", "")
    only_poison = request.GET.get("only") == "poison"
    cut = {one.name for one in standing.window.consumers if one.is_cut}
    if only_poison:
        found = poison(standing.window.rows, showing.POISON)[:SHOWN]
        onward = None
    elif of is None and not after:
        found, onward = list(standing.window.rows[:SHOWN]), None
        if len(standing.window.rows) > SHOWN:
            onward = found[-1].id
    else:
        pending = Pending(server.client(), key, standing.group.name)
        window = pending.window(after or None, count=SHOWN, consumer=of)
        found, onward = list(window.rows), window.next
    return {
        "rows": [showing.Row(one, one.consumer in cut) for one in found],
        "of": None if of is None else room.short(of),
        "of_url": "" if of is None else keys.to_url(of),
        "only_poison": only_poison, "after": after, "onward": onward,
    }  # fmt: skip


def _answer(request: HttpRequest, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, part if answers.is_htmx(request) else page, context)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response
