"""``manage.py sync_servers``: the declared servers are as the declaration says afterwards."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.servers.editing import declared


class Command(BaseCommand):
    help = "Read REDISOPS_SERVERS_FILE and REDISOPS_SERVERS, and bring the servers in step."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcome = declared.sync()
        except declared.DeclarationError as error:
            raise CommandError(f"{error}. Nothing was changed.", returncode=2) from None
        for word in ("added", "changed", "withdrawn"):
            for slug in getattr(outcome, word):
                self.stdout.write(f"{word} {slug}")
        if outcome.same:
            self.stdout.write(f"unchanged {', '.join(outcome.same)}")
