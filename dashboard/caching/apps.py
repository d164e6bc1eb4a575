from django.apps import AppConfig


class CachingConfig(AppConfig):
    name = "dashboard.caching"
    label = "caching"

    def ready(self) -> None:
        from dashboard.caching.advice import registration as advice
        from dashboard.caching.eviction import registration as eviction
        from dashboard.caching.namespaces import registration as namespaces

        for room in (eviction, advice, namespaces):
            room.register()
