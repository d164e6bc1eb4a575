"""Addresses of this room, below ``/servers/<slug>/sessions/``."""

from django.urls import URLPattern, path

from dashboard.sessions.listing import views

urlpatterns: list[URLPattern] = [
    path("", views.index, name="index"),
    path("keys/<key:key>/", views.show, name="show"),
]
