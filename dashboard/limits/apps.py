from django.apps import AppConfig


class LimitsConfig(AppConfig):
    name = "dashboard.limits"
    label = "limits"

    def ready(self) -> None:
        from dashboard.limits.api import registration as api
        from dashboard.limits.policies import registration as policies
        from dashboard.limits.publishing import registration as publishing
        from dashboard.limits.trying import registration as trying
        from dashboard.limits.using import registration as using

        for room in (policies, publishing, trying, using, api):
            room.register()
