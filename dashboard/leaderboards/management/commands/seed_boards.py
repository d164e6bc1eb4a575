"""``manage.py seed_boards``: the leaderboards of the demo shop's game are declared on home then."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from dashboard.leaderboards.boards.seeding import seed
from dashboard.servers import home
from demo.boards import BOARDS


class Command(BaseCommand):
    help = "Declare the leaderboards of the demo shop on home, once each."

    def handle(self, *args: Any, **options: Any) -> None:
        added = seed(home.ensure(), BOARDS, "first start") if settings.DEMO else []
        self.stdout.write(f"Declared {', '.join(added)}." if added else "Nothing to declare.")
