from __future__ import annotations

from django.urls import path

from dashboard.pubsub import views

app_name = "pubsub"
urlpatterns = [
    path("", views.index, name="index"),
    path("publish/", views.publish, name="publish"),
]
