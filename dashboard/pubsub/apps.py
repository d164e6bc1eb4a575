from django.apps import AppConfig


class PubsubConfig(AppConfig):
    name = "dashboard.pubsub"
    label = "pubsub"

    def ready(self) -> None:
        from dashboard.pubsub import registration

        registration.register()
