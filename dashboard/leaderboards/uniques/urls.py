from django.urls import path

from dashboard.leaderboards.uniques import views

urlpatterns = [
    path("uniques/", views.index, name="uniques"),
    path("uniques/<key:key>/", views.show, name="unique"),
]
