from django.urls import path

from dashboard.leaderboards.seasons import views

urlpatterns = [
    path("declared/<str:name>/history/", views.history, name="history"),
    path("declared/<str:name>/end/", views.end, name="end"),
]
