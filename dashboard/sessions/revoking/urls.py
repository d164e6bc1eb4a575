"""Addresses of this room, below ``/servers/<slug>/sessions/``."""

from django.urls import URLPattern, path

from dashboard.sessions.revoking import views

urlpatterns: list[URLPattern] = [path("end/", views.end, name="end")]
