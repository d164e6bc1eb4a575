"""The sockets of this area."""

from typing import Any

from django.urls import path

from dashboard.pubsub.live import FeedConsumer

feed: Any = FeedConsumer.as_asgi()
urlpatterns: list[Any] = [
    path("ws/servers/<slug:slug>/pubsub/", feed),
    path("ws/servers/<slug:slug>/pubsub/<str:kind>/<str:name>/", feed),
]
