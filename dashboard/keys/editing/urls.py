from django.urls import path

from dashboard.keys.editing import views

urlpatterns = [
    path("new-key/", views.create, name="create"),
    path("keys/<key:key>/edit/", views.edit, name="edit"),
    path("keys/<key:key>/delete/", views.delete, name="delete"),
    path("long-name/<slug:do>/", views.long_name, name="long_name"),
]
