"""Addresses of the pages; each room keeps its own."""

from dashboard.streams.changing.urls import urlpatterns as changing
from dashboard.streams.groups.urls import urlpatterns as groups
from dashboard.streams.reading.urls import urlpatterns as reading

app_name = "streams"
urlpatterns = [*groups, *changing, *reading]
