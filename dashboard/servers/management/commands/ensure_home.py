"""``manage.py ensure_home``: the home server's row exists afterwards."""

from typing import Any

from django.core.management.base import BaseCommand

from dashboard.servers import home


class Command(BaseCommand):
    help = "Make sure that home, the Redis the console runs on, is among the servers."

    def handle(self, *args: Any, **options: Any) -> None:
        server = home.ensure()
        self.stdout.write(f"{server.name} is {server.address}")
