from django.urls import path

from dashboard.leaderboards.boards import declaring, editing, exporting, importing_views, views

urlpatterns = [
    path("", views.index, name="index"),
    path("declare/", declaring.create, name="create"),
    path("keys/<key:key>/", views.show, name="show"),
    path("keys/<key:key>/scores/", views.distribution, name="scores"),
    path("keys/<key:key>/change/", editing.change, name="change"),
    path("keys/<key:key>/export/", exporting.export, name="export"),
    path("keys/<key:key>/import/", importing_views.take_in, name="import"),
    path("declared/<str:name>/", views.declared, name="declared"),
    path("declared/<str:name>/edit/", declaring.update, name="update"),
    path("declared/<str:name>/delete/", declaring.delete, name="delete"),
]
