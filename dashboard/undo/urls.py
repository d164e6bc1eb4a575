from django.urls import path

from dashboard.undo import views

app_name = "undo"
urlpatterns = [
    path("", views.index, name="index"),
    path("<int:pk>/", views.show, name="show"),
    path("<int:pk>/restore/", views.restore, name="restore"),
]
