from django.urls import path

from dashboard.keys.searching import views

urlpatterns = [
    path("search/", views.search, name="search"),
    path("search/<int:pk>/", views.result, name="search_result"),
    path("search/<int:pk>/stop/", views.stop, name="search_stop"),
]
