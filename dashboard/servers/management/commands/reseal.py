"""``manage.py reseal``: all that is stored sealed is encrypted with the newest key afterwards."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from dashboard.servers import resealing, secrets
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable


class Command(BaseCommand):
    help = "Encrypt all that is stored sealed with the first key of REDISOPS_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        renewed, lost = 0, []
        for pk in Server.objects.values_list("pk", flat=True):
            with transaction.atomic():
                server = Server.objects.select_for_update().get(pk=pk)
                old = [name for name, text in server.sealed.items() if not secrets.is_current(text)]
                for name in old:
                    try:
                        server.set_secret(name, server.secret(name) or "")
                        renewed += 1
                    except SecretUnreadable as error:
                        lost.append(f"{server.slug} {name}: {error}")
                if old:
                    server.save(update_fields=["sealed", "changed"])
        self.stdout.write(f"{renewed} secrets are encrypted with the newest key now")
        for what, resealer in resealing.registered().items():
            told = list(resealer())
            lost += [why for why in told if why]
            self.stdout.write(f"{told.count('')} {what} are encrypted with the newest key now")
        if lost:
            raise CommandError("\n".join(lost))
