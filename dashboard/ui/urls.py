from django.urls import path

from dashboard.ui import health, views

app_name = "ui"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("help/", views.help_page, name="help"),
    path("find/", views.palette_page, name="palette"),
    path("theme/", views.theme, name="theme"),
]
