from django.urls import path

from dashboard.limits.policies import views, views_pending, views_tools, views_versions

urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.create, name="create"),
    path("sentence/", views_tools.say, name="sentence"),
    path("match/", views_tools.match, name="match"),
    path("export/", views_tools.export, name="export"),
    path("import/", views_tools.take_in, name="import"),
    path("changes/<int:pk>/", views_pending.show, name="pending"),
    path("changes/<int:pk>/approve/", views_pending.approve, name="approve"),
    path("changes/<int:pk>/reject/", views_pending.reject, name="reject"),
    path("changes/<int:pk>/withdraw/", views_pending.withdraw, name="withdraw"),
    path("<str:name>/", views.show, name="show"),
    path("<str:name>/edit/", views.update, name="update"),
    path("<str:name>/mode/", views.mode, name="mode"),
    path("<str:name>/delete/", views.delete, name="delete"),
    path("<str:name>/restore/", views.restore, name="restore"),
    path("<str:name>/versions/", views_versions.index, name="versions"),
    path("<str:name>/versions/<int:number>/", views_versions.roll_back, name="roll_back"),
]
