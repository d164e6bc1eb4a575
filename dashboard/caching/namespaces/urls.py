"""Addresses of this room, below ``/servers/<slug>/caching/``."""

from django.urls import path

from dashboard.caching.namespaces import entries, invalidating, policies, views

BELOW = "namespaces/<str:namespace>/"
urlpatterns = [
    path("", views.index, name="index"),
    path("declare/", views.declare, name="declare"),
    path("publish/", views.publish, name="publish"),
    path(BELOW, views.show, name="show"),
    path(f"{BELOW}live/", views.live, name="live"),
    path(f"{BELOW}policy/", policies.policy, name="policy"),
    path(f"{BELOW}policy/save/", policies.save, name="save"),
    path(f"{BELOW}policy/sentence/", policies.sentence, name="sentence"),
    path(f"{BELOW}policy/give-back/", policies.give_back, name="give_back"),
    path(f"{BELOW}versions/", policies.versions, name="versions"),
    path(f"{BELOW}versions/<int:number>/", policies.roll_back, name="roll_back"),
    path(f"{BELOW}invalidate/", invalidating.invalidate, name="invalidate"),
    path(f"{BELOW}entries/", entries.entries, name="entries"),
    path(f"{BELOW}entries/<key:key>/", entries.entry, name="entry"),
]
