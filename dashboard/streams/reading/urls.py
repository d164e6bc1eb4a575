from __future__ import annotations

from django.urls import path

from dashboard.streams.reading import views

urlpatterns = [
    path("", views.index, name="index"),
    path("<key:key>/", views.show, name="show"),
    path("<key:key>/entries/<str:entry>/", views.entry, name="entry"),
]
