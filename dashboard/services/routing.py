"""The sockets of services."""

from typing import Any

from django.urls import path

from dashboard.services.wall.live import WallConsumer

wall: Any = WallConsumer.as_asgi()
urlpatterns: list[Any] = [
    path("ws/servers/<slug:slug>/services/<slug:group>/<str:text>/", wall),
]
