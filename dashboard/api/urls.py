"""Addresses below ``/api/``. Those that a token opens need no session."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, path

from dashboard.api import pages
from dashboard.api.endpoint import api
from dashboard.api.reading import bounded

app_name = "api"
# The ready() of every area has mounted its router before addresses are asked for.
urlpatterns = [
    path("openapi.json", pages.openapi, name="openapi"),
    path("docs", pages.docs, name="docs"),
    *(
        path(str(route.pattern), login_not_required(bounded(route.callback)), name=route.name)
        for route in api.urls[0]
        if isinstance(route, URLPattern) and str(route.pattern)
    ),
]
