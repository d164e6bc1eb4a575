from django.urls import path

from dashboard.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.index, name="index"),
    path("export/", views.export, name="export"),
    path("<int:number>/", views.show, name="show"),
]
