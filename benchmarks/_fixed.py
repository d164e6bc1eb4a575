"""The console's addresses and one more: fixed text in its frame, for signed-in people.

What any page of the console costs before it has something to show. Set as ROOT_URLCONF.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from dashboard.urls import urlpatterns as console

TEXT = '{% extends "base.html" %}{% block content %}' + "<p>fixed text</p>" * 100 + "{% endblock %}"
template = engines["django"].from_string(TEXT)


def fixed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(template.render({}, request))


urlpatterns = [path("fixed/", fixed), *console]
