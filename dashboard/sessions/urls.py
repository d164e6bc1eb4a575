"""Addresses of the area; each room keeps its own."""

from dashboard.sessions.listing.urls import urlpatterns as listing
from dashboard.sessions.revoking.urls import urlpatterns as revoking

app_name = "redis_sessions"
urlpatterns = [*listing, *revoking]
