from django.urls import path

from dashboard.limits.publishing import views

urlpatterns = [
    path("publish/", views.publish, name="publish"),
    path("settings/", views.settings, name="settings"),
]
