"""Addresses of the pages; each room keeps its own."""

from dashboard.leaderboards.boards.urls import urlpatterns as boards
from dashboard.leaderboards.seasons.urls import urlpatterns as seasons
from dashboard.leaderboards.uniques.urls import urlpatterns as uniques

app_name = "leaderboards"
urlpatterns = [*uniques, *seasons, *boards]
