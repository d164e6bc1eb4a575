from django.urls import path

from dashboard.servers.editing import grants as views_grants
from dashboard.servers.editing import views as views_manage
from dashboard.servers.live import views as views_live
from dashboard.servers.load import views as views_load
from dashboard.servers.overview import views as views_overview

app_name = "servers"
urlpatterns = [
    path("", views_overview.fleet, name="fleet"),
    path("live/", views_live.watched, name="live"),
    path("servers/", views_manage.index, name="index"),
    path("servers/add/", views_manage.create, name="create"),
    path("servers/check/", views_manage.try_out, name="check"),
    path("servers/<slug:slug>/", views_overview.show, name="show"),
    path("servers/<slug:slug>/series/", views_overview.series, name="series"),
    path("servers/<slug:slug>/edit/", views_manage.update, name="update"),
    path("servers/<slug:slug>/stop/", views_load.stop, name="stop"),
    path("servers/<slug:slug>/resume/", views_load.resume, name="resume"),
    path("servers/<slug:slug>/delete/", views_manage.delete, name="delete"),
    path("servers/<slug:slug>/rights/", views_manage.rights, name="rights"),
    path("servers/<slug:slug>/access/", views_grants.grants, name="grants"),
    path("servers/<slug:slug>/access/<int:pk>/", views_grants.change_grant, name="grant"),
]
