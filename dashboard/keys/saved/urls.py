from django.urls import path

from dashboard.keys.saved import views

urlpatterns = [
    path("views/", views.index, name="views"),
    path("views/save/", views.save, name="save_view"),
    path("views/forget/", views.forget, name="forget_recent"),
    path("keys/<key:key>/opened/", views.opened, name="opened"),
    path("views/<int:number>/delete/", views.delete, name="delete_view"),
]
