from django.urls import path

from dashboard.keys.bulk import outcome, views

urlpatterns = [
    path("bulk/", views.bulk, name="bulk"),
    path("bulk/<int:pk>/", views.bulk_list, name="bulk_list"),
    path("bulk/<int:pk>/again/", views.bulk_again, name="bulk_again"),
    path("bulk/<int:pk>/stop/", views.bulk_stop, name="bulk_stop"),
    path("bulk/<int:pk>/leave-out/", views.bulk_leave_out, name="bulk_leave_out"),
    path("bulk/<int:pk>/names/", views.bulk_names, name="bulk_names"),
    path("bulk/jobs/<int:pk>/failed/", outcome.bulk_failed, name="bulk_failed"),
    path("bulk/jobs/<int:pk>/taken/", outcome.bulk_taken, name="bulk_taken"),
]
