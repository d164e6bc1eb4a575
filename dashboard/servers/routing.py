"""The sockets of a server's own pages."""

from __future__ import annotations

from typing import Any

from django.urls import path

from dashboard.servers.consumers import OverviewConsumer

overview: Any = OverviewConsumer.as_asgi()
urlpatterns: list[Any] = [
    path("ws/servers/<slug:slug>/overview/", overview),
]
