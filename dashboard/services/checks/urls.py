"""Addresses of this room, below ``/servers/<slug>/services/``."""

from django.urls import path

from dashboard.services.checks import views
from dashboard.services.history import names as names  # registers the converters

urlpatterns = [
    path("<service:service>/checks/", views.checks, name="checks"),
    path("<service:service>/checks/write/", views.write, name="check_write"),
    path("<service:service>/<instance:instance>/check/", views.check_now, name="check_now"),
]
