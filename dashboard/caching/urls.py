"""Addresses of the area; each room keeps its own."""

from dashboard.caching.advice.urls import urlpatterns as advice
from dashboard.caching.eviction.urls import urlpatterns as eviction
from dashboard.caching.namespaces.urls import urlpatterns as namespaces

app_name = "caching"
urlpatterns = [*eviction, *advice, *namespaces]
