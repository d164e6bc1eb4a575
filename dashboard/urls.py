"""Every page's address; each area keeps its own in ``<app>/urls.py``."""

from django.urls import include, path

urlpatterns = [
    path("", include("dashboard.ui.urls")),
    path("", include("dashboard.servers.urls")),
    path("", include("dashboard.accounts.urls")),
    path("audit/", include("dashboard.audit.urls")),
    path("servers/<slug:slug>/", include("dashboard.keys.urls")),
    path("servers/<slug:slug>/jobs/", include("dashboard.jobs.urls")),
    path("servers/<slug:slug>/recycle-bin/", include("dashboard.undo.urls")),
    path("servers/<slug:slug>/console/", include("dashboard.console.urls")),
    path("servers/<slug:slug>/limits/", include("dashboard.limits.urls")),
    path("servers/<slug:slug>/streams/", include("dashboard.streams.urls")),
    path("servers/<slug:slug>/pubsub/", include("dashboard.pubsub.urls")),
    path("servers/<slug:slug>/leaderboards/", include("dashboard.leaderboards.urls")),
    path("servers/<slug:slug>/services/", include("dashboard.services.urls")),
    path("servers/<slug:slug>/caching/", include("dashboard.caching.urls")),
    path("servers/<slug:slug>/sessions/", include("dashboard.sessions.urls")),
    path("api/", include("dashboard.api.urls")),
]

handler400 = "dashboard.ui.views.bad_request"
handler403 = "dashboard.ui.views.forbidden"
handler404 = "dashboard.ui.views.not_found"
handler500 = "dashboard.ui.views.server_error"
