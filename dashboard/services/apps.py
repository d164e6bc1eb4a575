from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "dashboard.services"
    label = "services"

    def ready(self) -> None:
        from dashboard.services.api import registration as api
        from dashboard.services.checks import registration as checks
        from dashboard.services.history import registration as history
        from dashboard.services.instances import registration as instances
        from dashboard.services.notices import registration as notices
        from dashboard.services.wall import registration as wall

        for room in (wall, instances, history, checks, notices, api):
            room.register()
