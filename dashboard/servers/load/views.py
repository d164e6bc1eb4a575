"""The switch: stop all console work on a server, and resume it. Nothing is sent to the server."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.servers.access import on_server
from dashboard.servers.load import switch
from dashboard.servers.models import Server


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("servers.stop")
def stop(request: HttpRequest, server: Server) -> HttpResponse:
    """Asks first, with a reason that everybody then reads."""
    reason = " ".join(request.POST.get("reason", "").split())
    wrong = ""
    if request.method == "POST" and not server.is_home:
        if reason:
            if not switch.stop(request, server, reason):
                messages.info(request, f"{server.stopped_by} had stopped it already.")
            return redirect(server)
        wrong = "Say why: whoever finds it stopped reads this."
    refused = request.method == "POST" and server.is_home
    status = 409 if refused else 422 if wrong else 200
    return render(request, "servers/stop.html", {"wrong": wrong}, status=status)


@require_POST
@on_server("servers.stop")
def resume(request: HttpRequest, server: Server) -> HttpResponse:
    """Back to where one came from; jobs go on by themselves."""
    if switch.resume(request, server):
        messages.success(request, f"Console work on {server.name} goes on.")
    back = request.POST.get("back", "")
    ours = url_has_allowed_host_and_scheme(back, None) and back.startswith("/")
    return redirect(back if ours else server.get_absolute_url())
