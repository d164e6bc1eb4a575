from __future__ import annotations

from django.urls import path

from dashboard.streams.changing import adding, trimming

urlpatterns = [
    path("<key:key>/add/", adding.add, name="add"),
    path("<key:key>/trim/", trimming.trim, name="trim"),
]
