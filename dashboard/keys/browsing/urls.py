from django.urls import path

from dashboard.keys.browsing import views

urlpatterns = [
    path("keys/", views.index, name="index"),
    path("keys/<key:key>/", views.show, name="show"),
    path("keys/<key:key>/download/", views.download, name="download"),
]
