"""Addresses of this room, below ``/servers/<slug>/caching/``."""

from django.urls import path

from dashboard.caching.advice import views

urlpatterns = [
    path("advice/", views.advice, name="advice"),
]
