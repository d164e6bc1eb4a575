"""Addresses of the pages on rate limits; each room keeps its own."""

from dashboard.limits.policies.urls import urlpatterns as policies
from dashboard.limits.publishing.urls import urlpatterns as publishing
from dashboard.limits.trying.urls import urlpatterns as trying
from dashboard.limits.using.urls import urlpatterns as using

app_name = "limits"
urlpatterns = [*trying, *using, *publishing, *policies]
