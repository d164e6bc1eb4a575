from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import pre_migrate


class UiConfig(AppConfig):
    name = "dashboard.ui"
    label = "ui"

    def ready(self) -> None:
        from dashboard.ui import palette

        palette.register(palette.pages)
        pre_migrate.connect(_take_your_time, dispatch_uid="unbounded migrations")


def _take_your_time(using: str, **details: Any) -> None:
    """A page's limit on statements is none for a migration of a large table."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
