"""Addresses of this room, below ``/servers/<slug>/services/``."""

from django.urls import path

from dashboard.services.history import views

urlpatterns = [path("changes/", views.journal, name="journal")]
