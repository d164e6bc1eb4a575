"""Addresses for tests only: views that send what a test asks, behind the real guards."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.urls import (  # noqa: F401 - Django reads the handlers from here
    handler400,
    handler403,
    handler404,
    handler500,
)
from dashboard.urls import (
    urlpatterns as real,
)


@on_server("servers.view")
def send(request: HttpRequest, server: Server) -> HttpResponse:
    """Send the words of ``?do=``; answers with a page of the frame."""
    words = (request.GET.get("do") or "GET x").split(" ")
    reply = server.client().execute_command(*words)
    return render(request, "servers/check.html", {"check": None, "form": [], "reply": reply})


urlpatterns = [path("servers/<slug:slug>/send/", send), *real]
