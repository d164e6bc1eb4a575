"""The wall: every service of a server, the troubled ones first."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.services.wall import asking, known
from dashboard.services.wall.picture import drawn
from redisops import keys


@require_safe
@on_server("services.read")
def wall(request: HttpRequest, server: Server) -> HttpResponse:
    """The wall as it is now, narrowed and ordered as the address says. Live by its socket."""
    ask = asking.understood(request.GET.get("q", ""), request.GET.get("group", ""))
    is_kiosk = request.GET.get("mode") == "wall"
    picture = drawn(known.look(server), ask)
    context = {
        "picture": picture,
        "live": json.dumps(
            {card.key: card.live for group in picture.groups for card in group.cards},
            separators=(",", ":"),
        ),
        "ask": ask,
        "is_kiosk": is_kiosk,
        "socket": _socket(server, ask),
        "orders": [
            (name, words, _address(ask.text, name, is_kiosk))
            for name, words in asking.GROUPS.items()
        ],
        "other_mode": _address(ask.text, ask.group, not is_kiosk),
        "everything": _address("", ask.group, is_kiosk),
    }
    return render(request, "services/wall.html", context)


def _address(text: str, group: str, is_kiosk: bool) -> str:  # noqa: FBT001 - private
    parts = {"q": text, "group": "" if group == "worst" else group,
             "mode": "wall" if is_kiosk else ""}  # fmt: skip
    query = urlencode({name: value for name, value in parts.items() if value})
    return f"?{query}" if query else "?"


def _socket(server: Server, ask: asking.Ask) -> str:
    text = keys.to_url(ask.text.encode()) or "-"
    return f"{reverse('servers:fleet')}ws/servers/{server.slug}/services/{ask.group}/{text}/"
