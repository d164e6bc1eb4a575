from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "dashboard.sessions"
    label = "redis_sessions"

    def ready(self) -> None:
        from dashboard.sessions.listing import registration as listing
        from dashboard.sessions.revoking import registration as revoking

        for room in (listing, revoking):
            room.register()
