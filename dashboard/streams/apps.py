from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "dashboard.streams"
    label = "streams"

    def ready(self) -> None:
        from dashboard.streams.changing import registration as changing
        from dashboard.streams.groups import registration as groups
        from dashboard.streams.reading import registration as reading

        for room in (reading, changing, groups):
            room.register()
