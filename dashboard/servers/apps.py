from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "dashboard.servers"
    label = "servers"

    def ready(self) -> None:
        from dashboard.servers import wiring

        wiring.connect()
