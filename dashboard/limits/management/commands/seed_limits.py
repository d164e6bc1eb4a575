"""``manage.py seed_limits``: policies that the console and its demo shop need are on home then."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from dashboard.limits.policies import protected
from dashboard.limits.policies.seeding import seed
from dashboard.servers import home
from demo.policies import DEFAULTS


class Command(BaseCommand):
    help = "Make sure that home has the policies of the console, and those of the demo shop."

    def handle(self, *args: Any, **options: Any) -> None:
        server = home.ensure()
        added = seed(server, protected.defaults(), "first start")
        if settings.DEMO:
            # What is published replaces what services have in their code: without these the first
            # policy of the console's own would set the shop free, and none of its limits be seen.
            added += seed(server, DEFAULTS.policies, "first start", "The limits of the demo shop")
        self.stdout.write(f"Added {', '.join(added)}." if added else "They are all there.")
