"""Addresses of this room, below ``/servers/<slug>/services/``."""

from django.urls import path

from dashboard.services.wall import views

urlpatterns = [path("", views.wall, name="wall")]
