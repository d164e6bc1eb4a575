"""Addresses of the groups of a stream, below ``streams/``."""

from __future__ import annotations

from django.urls import path

from dashboard.streams.groups import acting, changing, letters, views

urlpatterns = [
    path("<key:key>/groups/", views.index, name="groups"),
    path("<key:key>/new-group/", changing.create, name="group_create"),
    path("<key:key>/groups/<key:group>/", views.show, name="group"),
    path("<key:key>/groups/<key:group>/change/", changing.change, name="group_change"),
    path("<key:key>/groups/<key:group>/act/", acting.act, name="group_act"),
    path("<key:key>/dead-letters/", letters.index, name="dead_letters"),
    path("<key:key>/dead-letters/replay/", letters.replay, name="dead_replay"),
]
