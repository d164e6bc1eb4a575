"""The sockets of this area."""

from typing import Any

from django.urls import path

from dashboard.leaderboards.boards.live import BoardConsumer

board: Any = BoardConsumer.as_asgi()
urlpatterns: list[Any] = [
    path("ws/servers/<slug:slug>/leaderboards/<str:key>/<str:order>/<str:view>/", board),
]
