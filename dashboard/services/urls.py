"""Addresses of the pages on services; each room keeps its own."""

from dashboard.services.checks.urls import urlpatterns as checks
from dashboard.services.history.urls import urlpatterns as history
from dashboard.services.instances.urls import urlpatterns as instances
from dashboard.services.notices.urls import urlpatterns as notices
from dashboard.services.wall.urls import urlpatterns as wall

app_name = "services"
urlpatterns = [*wall, *history, *notices, *checks, *instances]
