from django.urls import path

from dashboard.keys.transfer import views

urlpatterns = [
    path("export/", views.export, name="export"),
    path("export/<int:pk>/", views.export_file, name="export_file"),
    path("export/<int:pk>/remove/", views.export_remove, name="export_remove"),
    path("import/", views.import_, name="import"),
    path("import/<int:pk>/", views.import_file, name="import_file"),
    path("import/<int:pk>/remove/", views.import_remove, name="import_remove"),
]
