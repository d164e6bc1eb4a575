"""The sockets of jobs."""

from __future__ import annotations

from typing import Any

from django.urls import path

from dashboard.jobs.consumers import JobConsumer

job: Any = JobConsumer.as_asgi()
urlpatterns: list[Any] = [
    path("ws/servers/<slug:slug>/jobs/<int:pk>/", job),
]
