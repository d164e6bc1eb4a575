from django.urls import path

from dashboard.keys.survey import views

urlpatterns = [
    path("analysis/", views.analysis, name="analysis"),
    path("analysis/count/", views.count, name="count"),
    path("analysis/visit/", views.visit, name="analysis_visit"),
    path("analysis/tree/", views.tree, name="analysis_tree"),
]
