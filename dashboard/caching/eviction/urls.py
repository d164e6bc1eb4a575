"""Addresses of this room, below ``/servers/<slug>/caching/``."""

from django.urls import path

from dashboard.caching.eviction import views

urlpatterns = [
    path("eviction/", views.eviction, name="eviction"),
    path("eviction/change/", views.change, name="eviction_change"),
    path("eviction/rewrite/", views.rewrite, name="eviction_rewrite"),
]
