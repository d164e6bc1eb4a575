"""What live pages make this console read, over all its web processes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.servers.access import on_console
from dashboard.servers.live import figures


@require_safe
@on_console("servers.live")
def watched(request: HttpRequest) -> HttpResponse:
    """Topics, viewers, rows and drops, as each process told them at most 2 s ago."""
    processes = figures.told()
    topics = [(process, one) for process in processes for one in process.topics]
    context: dict[str, Any] = {
        "processes": processes,
        "topics": sorted(topics, key=lambda pair: (not pair[1].trouble, -pair[1].viewers)),
        "more": sum(one.more for one in processes),
        "viewers": sum(one.viewers for one in processes),
        "rate": sum(one.rate for _, one in topics),
        "left_out": sum(one.left_out for _, one in topics),
        "dropped": sum(one.dropped for _, one in topics),
        "troubled": sum(bool(one.trouble) for _, one in topics),
    }
    template = "servers/_watched.html" if request.htmx else "servers/watched.html"  # type: ignore[attr-defined]
    return render(request, template, context)
