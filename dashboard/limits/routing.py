"""The sockets of rate limits."""

from typing import Any

from django.urls import path

from dashboard.limits.using.live import UseConsumer

use: Any = UseConsumer.as_asgi()
urlpatterns: list[Any] = [
    path("ws/servers/<slug:slug>/limits/<str:name>/use/", use),
]
