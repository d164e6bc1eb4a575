"""Addresses of this room, below ``/servers/<slug>/services/``."""

from django.urls import path

from dashboard.services.notices import deciding, muting, views

urlpatterns = [
    path("notifications/", views.index, name="notices"),
    path("notifications/new/", deciding.create, name="notice_create"),
    path("notifications/mute/", muting.mute, name="notice_mute"),
    path("notifications/mute/<int:pk>/end/", muting.unmute, name="notice_unmute"),
    path("notifications/<int:pk>/", deciding.update, name="notice_update"),
    path("notifications/<int:pk>/remove/", deciding.delete, name="notice_delete"),
    path("notifications/<int:pk>/test/", deciding.test, name="notice_test"),
    path("notifications/delivery/<uuid:delivery>/again/", deciding.again, name="notice_again"),
]
