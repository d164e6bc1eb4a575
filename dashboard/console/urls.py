from django.urls import path

from dashboard.console import views

app_name = "console"
urlpatterns = [
    path("", views.index, name="index"),
    path("run/", views.run, name="run"),
    path("commands/", views.guide, name="guide"),
    path("history/", views.lines, name="lines"),
    path("history/forget/", views.forget, name="forget"),
    path("export/", views.export, name="export"),
]
